"""What a study says: its tables, and the verdicts in words.

python -m bench.report STUDY            # tables and verdicts
python -m bench.report STUDY samples    # one prompt with every model's answer
"""

import sys

from bench.analysis import study
from bench.analysis.findings import findings_of
from bench.common.errors import BadInput, exit_code
from bench.render.samples import print_samples
from bench.render.study import print_findings


def main() -> int:
    name, *rest = sys.argv[1:] or [None]
    if name is None or rest not in ([], ["samples"]):
        raise BadInput("usage: python -m bench.report STUDY [samples]")
    if rest == ["samples"]:
        print_samples(study.read(name))
    else:
        print_findings(findings_of(study.read(name)))
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
