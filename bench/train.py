"""Train the pocket pair: a LLaMA and a LLaDA of the same shape, on the same rows.

make pair                                   # rows, tokenizer, both models, model card
python -m bench.train --model llada --minutes 45 --out bench/pocket
"""

import argparse
import json
import sys
from pathlib import Path

import torch

from bench.common.errors import exit_code
from bench.models.weights import save
from bench.training.recipe import read_recipe, with_numbers
from bench.training.rows import CACHE, prepare
from bench.training.train import settings_of, train


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=Path("configs/pocket-training.yaml"))
    parser.add_argument("--model", choices=("llama", "llada"), required=True)
    parser.add_argument("--minutes", type=float, help="budget; default: the recipe's for this device")
    parser.add_argument("--minutes-of", choices=("llama", "llada"), help="the recipe's budget of this model instead")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="numbers of the recipe's optimizer")
    parser.add_argument("--out", type=Path, default=Path("bench/pocket"))
    parser.add_argument("--start-from", type=Path, help="safetensors of a LLaMA of the same shape")
    args = parser.parse_args()
    recipe = with_numbers(read_recipe(args.recipe), args.set)
    prepare(recipe, CACHE)
    minutes = args.minutes or recipe.minutes[args.device][args.minutes_of or args.model]
    model, progress = train(args.model, recipe, 60 * minutes, args.device, args.start_from)
    save(model, args.out / args.model, official=args.model == "llada")
    facts = {"minutes": minutes, "device": args.device, "steps": progress.steps, "tokens": progress.tokens}
    facts |= {"epochs": round(progress.epochs, 2), "task_epochs": round(progress.task_epochs, 2)}
    file = args.out / f"{args.model}-training.json"
    stages = json.loads(file.read_text()) if file.is_file() else []  # a later stage keeps the earlier ones' facts
    settings = settings_of(recipe, args.model, args.device, args.start_from)
    file.write_text(json.dumps([*stages, facts | {"settings": settings, "curve": progress.curve}]))
    print(json.dumps(facts), "last held out:", progress.curve[-1:])
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
