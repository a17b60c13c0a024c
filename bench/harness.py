"""Task accuracy through lm-evaluation-harness: its tasks, its filters, its scores, our models.

    python -m bench.harness --pair 8b --tasks "gsm8k humaneval" --steps "64 128 256" --plan

Each task is asked under a recipe (configs/recipes), which states the settings that each model's authors used. Every
answer is on disk before the next one is asked for, so the same command goes on where it was stopped, and one that has
all its answers scores them again without a model. LLaMA's likelihoods are exact; LLaDA's are its authors' Monte-Carlo
lower bounds.

Programs that a model wrote (humaneval, mbpp) are run only with --run-code, in processes of their own that have limits
on time and memory, write no files and reach no network. Exit status 1 says that a cell failed or that MLflow did not
take everything.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from bench.common.cli import Parser
from bench.common.errors import BadInput, exit_code
from bench.devices import choose, lock
from bench.models.engines import ENGINES
from bench.runner import notices
from bench.runner.request import is_plan_for_gpu
from bench.spec import rules
from bench.spec.pair import PairFile, place_model, read_pair
from bench.store.sink import Sink


def parser() -> Parser:
    options = Parser("bench.harness", __doc__)
    add = options.add_argument
    add("--pair", default="pocket", help="the two models that are asked (configs/pairs)")
    add("--model", help="a directory that replaces the pair's model of its kind")
    add("--tasks", required=True, help='names of recipes, "gsm8k humaneval"')
    add("--templates", default="", help='of the recipes: names, "all", or the first one')
    add("--steps", help="LLaDA's denoising steps, \"64 128 256\"; default: the recipe's")
    add("--gen", type=int, help="tokens of an answer; default: the recipe's")
    add("--block", type=int, help="LLaDA's block length; default: the recipe's")
    add("--decoder", default="", help='of LLaDA: "sampler=threshold threshold=0.9 cache=dual early_stop=true"')
    add("--head", help="of LLaDA: official, official-old or lean")
    add("--engine", default="eager", choices=list(ENGINES), help="captured records a step for each prompt length")
    add("--dtype", help="precision; default: the pair's")
    add("--temperature", type=float, help="default: the recipe's, else 0")
    add("--batch", type=int, default=1, help="items that are answered together")
    add("--limit", type=int, help="the first questions of each task alone")
    add("--task-path", type=Path, help="a folder of tasks in lm-eval's format, with recipes/ in it; else the pair's")
    add("--data", type=Path, help="a folder of questions in place of the hub's: TASK/test.jsonl, TASK/train.jsonl")
    add("--run-code", default="", help="yes: run the programs that a model writes")
    add("--device", default="auto", help="auto, cpu or cuda")
    add("--study", help="the study that keeps the records; default: the pair's name")
    add("--plan", action="store_true", help="print cells and minutes and run nothing")
    return options


def overrides_of(args: argparse.Namespace) -> dict[str, Any]:
    """Values of the command line in place of the recipes', by grid key. Raises BadInput."""
    from bench.spec.grid import whole_numbers

    own = {"gen_length": args.gen, "block_length": args.block, "temperature": args.temperature, "head": args.head}
    own = {key: value for key, value in own.items() if value is not None} | decoder_of(args.decoder)
    if args.steps is not None:
        own["steps"] = whole_numbers(args.steps, "STEPS")
    return own


def decoder_of(text: str) -> dict[str, Any]:
    """The settings of a text such as "sampler=threshold threshold=0.9". Raises BadInput."""
    from bench.accuracy.recipe import MODEL_KEYS
    from bench.common.yaml_reader import value_of_text

    values = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not equals or key not in MODEL_KEYS:
            raise BadInput(f'DECODER="{text}": expected KEY=VALUE with a key of: {", ".join(MODEL_KEYS)}')
        values[key] = value_of_text(value, f'DECODER="{text}"')
    return values


def request_of(args: argparse.Namespace, pair: PairFile):
    """The command line as a request. Raises BadInput."""
    from bench.accuracy.cells import Request

    for name, value in (("BATCH", args.batch), ("LIMIT", args.limit)):
        if value is not None and value < 1:
            raise BadInput(f"{name}={value}: expected 1 or more")
    if args.run_code not in ("", "yes"):
        raise BadInput(f"RUN_CODE={args.run_code}: expected yes, or nothing")
    return Request(
        tasks=tuple(dict.fromkeys(args.tasks.replace(",", " ").split())),
        templates=tuple(args.templates.replace(",", " ").split()),
        overrides=overrides_of(args), engine=args.engine, dtype=args.dtype, batch_size=args.batch, limit=args.limit,
        task_path=args.task_path or pair.task_path, data=args.data, may_run_code=args.run_code == "yes",
    )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    pair = place_model(read_pair(args.pair), args.model)
    device = choose.choose(args.device, here=not is_plan_for_gpu(args.plan, args.device))
    request = request_of(args, pair)
    sink = Sink(args.study or pair.name)
    from bench.accuracy import cells, plan, report, run

    with notices.waiting_for("reading lm-eval's tasks and their questions; the first time this takes up to a minute"):
        asked = cells.resolve(request, pair, device)
        run.check(asked)
    planned = list(plan.estimates(asked, run.items_of(sink), sink.known()))
    if args.plan:
        print("\n".join(plan.lines(planned, sink.study)))
        return 0
    rules.check_cells([each.cell for each in asked])
    if any(each.seconds for each in planned):
        notices.say(list(plan.lines(planned, sink.study))[-1])
    done, failed = [], []
    with lock.held(device, sink.study, here=True):
        sink.check()
        for each in run.run(asked, sink):
            (failed if isinstance(each, str) else done).append(each)
        is_tracked = sink.track(again=True)
    print("\n".join(report.lines(done)))
    print(f"make paper STUDY={shlex.quote(sink.study)} sets both models against each other, paired by question")
    for words in failed:
        print(f"failed: {words}", file=sys.stderr)
    return 1 if failed or not is_tracked else 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
