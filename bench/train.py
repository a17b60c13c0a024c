"""Train one model of the pocket pair: a LLaMA or a LLaDA of the same shape, on the same rows.

    make pair                                   # rows, tokenizer, both models, model card
    python -m bench.train --model llada --minutes 45 --out bench/pocket
    python -m bench.train --model llama --minutes 4 --start-from bench/pocket/llama     # one more stage

The pocket pair is two small models that were trained alike, so that what differs between them is how they write: LLaMA
learns to predict the next token, LLaDA to predict tokens that were masked at random. They are small enough to measure
on a laptop, and trained enough for quality to depend on the number of denoising steps.
"""

import json
import sys
from pathlib import Path

from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.devices import choose
from bench.training.recipe import MODELS, read_recipe, with_numbers


def main() -> int:
    parser = Parser("bench.train", __doc__)
    parser.add_argument("--recipe", type=Path, default=Path("configs/pocket-training.yaml"), help="shape, data, rates")
    parser.add_argument("--model", choices=MODELS, required=True)
    parser.add_argument("--minutes", type=float, help="budget; default: the recipe's for this device")
    parser.add_argument("--minutes-of", choices=MODELS, help="the recipe's budget of this model instead")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="numbers of the recipe's optimizer")
    parser.add_argument("--out", type=Path, default=Path("bench/pocket"), help="the folder that holds both models")
    parser.add_argument("--start-from", type=Path, help="directory of a model of the same shape, which is trained on")
    args = parser.parse_args()
    if args.minutes is not None and not args.minutes > 0:
        parser.error(f"--minutes {args.minutes:g}: expected more than 0")
    device = choose.choose(args.device)
    recipe = with_numbers(read_recipe(args.recipe), args.set)
    from bench.training.stage import Stage, run

    minutes = args.minutes or recipe.minutes[device][args.minutes_of or args.model]
    facts = run(recipe, Stage(args.model, device, minutes, args.out, args.start_from))
    to_print = {name: value for name, value in facts.items() if name not in ("settings", "curve")}
    print(json.dumps(to_print), "last held out:", facts["curve"][-1:])
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
