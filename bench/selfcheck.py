"""Can the numbers of this machine be believed? Measures the measuring, exits 1 if a target is missed.

    python -m bench.selfcheck [--device D] [--rounds N] [--cells WORK]

--cells: a work folder that holds a sentinel, for a machine without the packages that read grids.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.checks import instruments, noise_floor
from bench.common import cli
from bench.common.errors import exit_code
from bench.devices import lock
from bench.runner import request


def main() -> int:
    parser = cli.Parser("bench.selfcheck", __doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cells", type=Path)
    args = parser.parse_args()
    if not 1 <= args.rounds <= request.MOST_ROUNDS:
        parser.error(f"--rounds {args.rounds}: expected 1 to {request.MOST_ROUNDS}")
    work = noise_floor.sentinel_work(args)
    where = work.cells[0].device
    with lock.held(where, "selfcheck", here=True) as gpu:
        after = noise_floor.sentinels(work, gpu and gpu[0])  # first: the checks open the device here, as a tenant would
        found = instruments.checks(where) + after
    for item in found:
        state = "" if item.met is None else f"   target {item.target}: {'ok' if item.met else 'MISSED'}"
        print(f"{item.name:12} {item.text}{state}")
    return 0 if all(item.met is not False for item in found) else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
