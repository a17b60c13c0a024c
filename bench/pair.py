"""Make a trained pair complete: configurations, tokenizer, likelihood, accuracy, model card.

python -m bench.pair            # the last step of `make pair`
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch

from bench.common.errors import exit_code
from bench.training import finish, model_card
from bench.training.recipe import read_recipe
from bench.training.rows import CACHE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=Path("configs/pocket-training.yaml"))
    parser.add_argument("--out", type=Path, default=Path("bench/pocket"))
    parser.add_argument(
        "--equal-budget", type=Path, help="directory of a LLaDA trained from scratch for LLaMA's budget"
    )
    parser.add_argument("--texts", nargs="+", default=["sharegpt"], help="for bits per byte: see bench.perplexity")
    parser.add_argument("--count", type=int, default=128, help="passages of each text")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    recipe = read_recipe(args.recipe)
    finish.write_configs(recipe, args.out)
    facts_of = {"recipe": recipe.as_dict(), "data": json.loads((CACHE / "counts.json").read_text())}
    for kind in ("llama", "llada"):
        facts_of[kind] = finish.facts(kind, args.out, args.texts, args.count, args.device)
    if args.equal_budget:
        for name in ("llada/config.json", "tokenizer"):
            copy = shutil.copytree if (args.out / name).is_dir() else shutil.copy
            if not (args.equal_budget / name).exists():
                copy(args.out / name, args.equal_budget / name)
        facts_of["llada_equal_budget"] = finish.facts("llada", args.equal_budget, args.texts, args.count, args.device)
    (args.out / "card.json").write_text(json.dumps(facts_of, indent=1) + "\n")
    (args.out / "README.md").write_text(model_card.text(facts_of))
    for kind in ("llama", "llada"):
        (args.out / f"{kind}-training.json").unlink()
    print(f"model card: {args.out / 'README.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
