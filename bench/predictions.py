"""What the cost model says before anything runs: of published cards, and where time and memory turn.

python -m bench.predictions [--pair NAME] [--prompt N]      # on the cards of configs/devices.yaml
"""

import sys

from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.cost import predictions
from bench.cost.cards import PUBLISHED, devices
from bench.cost.predictions import PROMPT_TOKENS, Models
from bench.spec.pair import fetch, read_pair


def main() -> int:
    parser = Parser("bench.predictions", __doc__)
    parser.add_argument("--pair", default="8b-shapes")
    parser.add_argument("--prompt", type=int, default=PROMPT_TOKENS, help="prompt tokens")
    args = parser.parse_args()
    if not 1 <= args.prompt <= 1 << 20:
        parser.error(f"--prompt {args.prompt}: expected 1 to {1 << 20}")
    pair = fetch(read_pair(args.pair))
    shown = predictions.table(Models.of(pair), devices(), args.prompt).round(2)
    print(f"{PUBLISHED}: {pair.name}, {pair.dtype}, prompts of {args.prompt} tokens, lean head")
    print(shown.to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
