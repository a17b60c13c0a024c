"""What a study says: its comparison as a table, and the verdict in words.

python -m bench.report STUDY            # table and verdict
python -m bench.report STUDY samples    # one prompt with every model's answer
"""

import sys

from bench.common.errors import BadInput, exit_code
from bench.render import samples
from bench.render.study import print_study


def main() -> int:
    study, *rest = sys.argv[1:] or [None]
    if study is None or rest not in ([], ["samples"]):
        raise BadInput("usage: python -m bench.report STUDY [samples]")
    samples.print_samples(study) if rest == ["samples"] else print_study(study)
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
