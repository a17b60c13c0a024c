"""Make a trained pair complete: configurations, tokenizer, likelihood, accuracy and the model card.

    python -m bench.pair            # the last step of `make pair`

A pair can be measured once each of its models has a config.json and both have a tokenizer. The model card says what
they were trained on and for how long, and what they can do: bits per byte of text that they never saw, and the share of
generated tasks that they solve.
"""

import sys
from pathlib import Path

from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.devices import choose
from bench.training.recipe import read_recipe


def main() -> int:
    parser = Parser("bench.pair", __doc__)
    parser.add_argument("--recipe", type=Path, default=Path("configs/pocket-training.yaml"), help="what they learnt by")
    parser.add_argument("--out", type=Path, default=Path("bench/pocket"), help="the folder that holds both models")
    parser.add_argument(
        "--equal-budget", type=Path, help="directory of a LLaDA trained from scratch for LLaMA's budget"
    )
    parser.add_argument("--texts", nargs="+", default=["sharegpt"], help="for bits per byte: see bench.perplexity")
    parser.add_argument("--count", type=int, default=128, help="passages of each text")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    args = parser.parse_args()
    if args.count < 1:
        parser.error(f"--count {args.count}: expected 1 or more")
    device = choose.choose(args.device)
    recipe = read_recipe(args.recipe)
    from bench.training import finish

    card = finish.complete(recipe, args.out, args.equal_budget, args.texts, args.count, device)
    print(f"model card: {card}")
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
