"""Can the numbers of this machine be believed? Measures the measuring.

    python -m bench.selfcheck [--device D] [--rounds N] [--cells WORK]

The sentinel, one small cell, is measured twice in each round, each time in a fresh process. The ratio of the two shows
what a comparison shows here where there is no difference (the noise floor); how it changes from round to round is the
machine's drift. Then the instruments are tried on things that are known: a clock on work of known length, the peak of
memory on tensors of known size, the intervals on noise of known spread, and what taking times adds to a step.

Exit status 1 if a target is missed. With --cells, a work folder that holds a sentinel, this runs on a machine without
the packages that read grids.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.checks.finding import all_met
from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.runner.request import MOST_ROUNDS


def main() -> int:
    parser = Parser("bench.selfcheck", __doc__)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--rounds", type=int, default=3, help="how often the sentinel is measured twice")
    parser.add_argument("--cells", type=Path, help="a work folder that holds a sentinel")
    args = parser.parse_args()
    if not 1 <= args.rounds <= MOST_ROUNDS:
        parser.error(f"--rounds {args.rounds}: expected 1 to {MOST_ROUNDS}")
    from bench.checks import selfcheck

    findings = selfcheck.check(args.device, args.rounds, args.cells)
    for finding in findings:
        print(finding.line)
    return 0 if all_met(findings) else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
