"""Is this machine ready? One line a check, and one fix where something is amiss.

Exit status 1 if a study could not run here; missing LaTeX only costs the PDF.
"""

import argparse
import sys

from bench.checks import machine
from bench.common.errors import exit_code


def main() -> int:
    parser = argparse.ArgumentParser(description="Is this machine ready for a study?")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    checks = machine.checks(args.device)
    for check in checks:
        print(check.lines)
    return 0 if all(check.good for check in checks if check.needed) else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
