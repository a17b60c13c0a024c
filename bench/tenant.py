"""Does the verdict notice a second program on the GPU? A check of the check, on a real card.

    python -m bench.tenant [--pair NAME] [--cells WORK]

On a GPU every round gets a verdict: was the card ours alone while times were taken? This measures the sentinel, one
small cell, alone, and then again while another process (the tenant) takes memory and multiplies matrices on the same
card. Exit status 0 if the second measurement is `violated`; 1 if not, and then no verdict of this machine can be
believed.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from bench.checks import tenant
from bench.common.cli import Parser
from bench.common.errors import exit_code


def main() -> int:
    if sys.argv[1:] == [tenant.BE_TENANT]:  # the second process, which the check starts itself
        tenant.be_tenant()
        return 0
    parser = Parser("bench.tenant", __doc__)
    parser.add_argument("--pair", default="pocket", help="the two models of which one is measured (configs/pairs)")
    parser.add_argument("--cells", type=Path, help="a work folder that holds the sentinel")
    args = parser.parse_args()
    control = tenant.check(args.pair, args.cells, partial(print, flush=True))
    noticed = "noticed" if control.noticed else "NOT NOTICED"
    print(f"latency moved by a factor of {control.factor:.2f}; the tenant was {noticed}")
    return 0 if control.noticed else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
