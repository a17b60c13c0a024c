"""Which ShareGPT conversations can be used? Prints how many turns each cleaning rule dropped.

    python -m bench.sharegpt

A turn is one question of a person and the answer that follows it. Prompts of the benchmark are held-out questions,
which the pocket pair was never trained on. The rules are in bench/data/sharegpt.py; this reads the whole package, which
takes about a minute.
"""

import sys

from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.data import sharegpt


def main() -> int:
    Parser("bench.sharegpt", __doc__).parse_args()
    _, counts = sharegpt.load_turns()
    for name, count in counts.items():
        print(f"{count:8,}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
