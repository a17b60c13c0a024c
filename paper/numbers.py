"""Every number of a study's report, as results.json has them; tables, figures and PDF are not made.

python -m paper.numbers STUDY > results.json
"""

import json
import sys

from bench.common.cli import Parser
from bench.common.errors import exit_code


def main() -> int:
    parser = Parser("paper.numbers", __doc__)
    parser.add_argument("study", metavar="STUDY", help="the name of an MLflow experiment; a pair's name by default")
    args = parser.parse_args()
    from bench.analysis import study
    from bench.analysis.findings import findings_of
    from paper.selection import select

    print(json.dumps(select(findings_of(study.read(args.study))).numbers(), indent=1, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
