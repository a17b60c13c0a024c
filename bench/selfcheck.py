"""Can the numbers of this machine be believed? Measures the measuring, exits 1 if a target is missed.

    python -m bench.selfcheck [--device D] [--rounds N] [--cells WORK]

--cells: a work folder that holds a sentinel, for a machine without the packages that read grids.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.checks import selfcheck
from bench.checks.finding import all_met
from bench.common import cli
from bench.common.errors import exit_code
from bench.runner import request


def main() -> int:
    parser = cli.Parser("bench.selfcheck", __doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cells", type=Path)
    args = parser.parse_args()
    if not 1 <= args.rounds <= request.MOST_ROUNDS:
        parser.error(f"--rounds {args.rounds}: expected 1 to {request.MOST_ROUNDS}")
    findings = selfcheck.check(args.device, args.rounds, args.cells)
    for finding in findings:
        print(finding.line)
    return 0 if all_met(findings) else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
