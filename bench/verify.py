"""Is this LLaDA the official one?

    python -m bench.verify --golden tests/golden     # golden vectors: a line a group, last line golden: PASSED/TOTAL
    python -m bench.verify --pair 8b                 # real weights: the authors' examples, parameter counts

Exit status 1 if anything differs or nothing was found. Bad input is refused before torch is imported.
"""

import argparse
import sys
from pathlib import Path

from bench.common.errors import BadInput, exit_code


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.verify", description="Is this LLaDA the official one?")
    parser.add_argument("--golden", type=Path, default=Path("tests/golden"))
    parser.add_argument("--pair", default="pocket", help="a pair with real 8B weights: the authors' examples instead")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    if args.pair == "pocket":
        if not args.golden.is_dir():
            raise BadInput(f"{args.golden}: no such directory of golden vectors")
        from bench.checks import golden

        return golden.verify(args.golden)
    from bench.devices import choose
    from bench.spec.pair import fetch, read_pair

    pair, chosen = fetch(read_pair(args.pair)), choose.choose(args.device)
    from bench.checks import authors_examples

    return authors_examples.verify(pair, chosen)


if __name__ == "__main__":
    sys.exit(exit_code(main))
