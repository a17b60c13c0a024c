"""What does a study say? Its comparison as a table, and the verdict in words.

    python -m bench.report STUDY            # tables and verdicts
    python -m bench.report STUDY samples    # one prompt with every model's answer

A study is all that was measured under one name, an experiment in MLflow. Each number stands with its 95 % interval over
the rounds. The verdict says how many denoising steps LLaDA may take before it is slower than LLaMA, how many it needs
before its texts are as good, and whether both can be had at once.
"""

import sys

from bench.common.cli import Parser
from bench.common.errors import exit_code


def main() -> int:
    parser = Parser("bench.report", __doc__)
    parser.add_argument("study", metavar="STUDY", help="the name of an MLflow experiment; a pair's name by default")
    parser.add_argument("part", nargs="?", choices=["samples"], help="in place of tables and verdicts")
    args = parser.parse_args()
    from bench.analysis import study
    from bench.analysis.findings import findings_of
    from bench.render import description
    from bench.render.samples import print_samples
    from bench.render.study import print_findings
    from bench.store import mirror

    if args.part == "samples":
        print_samples(study.read(args.study))
    else:
        findings = findings_of(study.read(args.study))
        mirror.describe(findings.study, description.verdicts(findings))
        print_findings(findings)
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
