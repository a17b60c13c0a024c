"""What must each model cost on other cards? The cost model's answer, before anything runs.

    python -m bench.predictions [--pair NAME] [--prompt N]      # on the cards of configs/devices.yaml

The cost model counts what a call cannot do without: the multiplications of its forwards, and the bytes of weights, keys
and values that they read. Divided by what a card's maker publishes they give a floor, which no program can beat. Real
times are longer. Both models' floors err alike, so their ratio, and the place where one model overtakes the other, are
closer to the truth than either time.
"""

import sys

from bench.common.cli import Parser
from bench.common.errors import exit_code

MOST_PROMPT_TOKENS = 1 << 20


def main() -> int:
    parser = Parser("bench.predictions", __doc__)
    parser.add_argument("--pair", default="8b-shapes", help="the two models whose shapes are asked (configs/pairs)")
    parser.add_argument("--prompt", type=int, default=128, help="prompt tokens")
    args = parser.parse_args()
    if not 1 <= args.prompt <= MOST_PROMPT_TOKENS:
        parser.error(f"--prompt {args.prompt}: expected 1 to {MOST_PROMPT_TOKENS}")
    from bench.analysis import hypotheses
    from bench.cost import predictions
    from bench.cost.cards import PUBLISHED, devices
    from bench.cost.predictions import Models
    from bench.spec.pair import fetch, read_pair

    pair = fetch(read_pair(args.pair))
    table = predictions.table(Models.of(pair), devices(), args.prompt).round(2)
    print(f"{PUBLISHED}: {pair.name}, {pair.dtype}, prompts of {args.prompt} tokens, lean head")
    print(table.to_string(index=False))
    print(hypotheses.read().tested.text)
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
