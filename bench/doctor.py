"""Is this machine ready for a study? One line for each check, and one fix where something is amiss.

    python -m bench.doctor [--device D]

Looks at Python, the device, the installed packages, LaTeX and free disk space. Exit status 1 if a study could not run
here. Without LaTeX a study runs, and only the PDF is not made.
"""

import sys

from bench.checks import machine
from bench.common.cli import Parser
from bench.common.errors import exit_code


def main() -> int:
    parser = Parser("bench.doctor", __doc__)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    args = parser.parse_args()
    checks = machine.checks(args.device)
    for check in checks:
        print(check.lines)
    return 0 if all(check.good for check in checks if check.needed) else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
