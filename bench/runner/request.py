"""What the command line of `bench.run` asks for: arguments into work, or one line that says what is wrong."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bench.common import provenance
from bench.common.cli import Parser
from bench.common.errors import BadInput
from bench.devices import choose
from bench.spec import sentinel
from bench.spec.work import Work

if TYPE_CHECKING:
    from bench.spec.grid import GridFile
    from bench.spec.pair import PairFile


OUTCOMES = ("oom", "timeout", "error", "violated", "unknown")  # that can be run again; the last two are verdicts
MOST_ROUNDS = 100


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m bench.run", description="Run grids of cells.")
    parser.add_argument("grids", nargs="*", metavar="GRID.yaml")
    parser.add_argument("--also", nargs="*", default=[], metavar="GRID.yaml", help="grids that keep their own values")
    parser.add_argument("--pair", default="pocket")
    parser.add_argument("--steps", help='denoising steps, "16 64 256"')
    parser.add_argument("--gen", type=int, help="tokens to generate")
    parser.add_argument("--block", type=int, help="LLaDA's block length")
    parser.add_argument("--prompts", type=int, help="number of prompts")
    parser.add_argument("--prompts-file", help="JSON lines with prompt and reference")
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--dtype", help="precision, \"bfloat16 int8\"; default: the grid's, else the pair's")
    parser.add_argument("--engine", help='eager, captured, or "eager captured"; default: the grid\'s')
    parser.add_argument("--head", help="of LLaDA: official, official-old, lean, or several; default: the grid's")
    parser.add_argument("--model", help="a directory that replaces the pair's model of its kind")
    parser.add_argument("--encoder", choices=("minilm", "mpnet"), help="BERTScore's; default: the pair's")
    parser.add_argument("--judge", help="smollm2, none, or a directory; default: the pair's")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--study", help="MLflow experiment; default: the pair's name")
    parser.add_argument("--seed", type=int, default=0, help="of the order of cells")
    parser.add_argument(
        "--retry", default="", help="run again, by outcome or verdict: oom timeout error violated unknown"
    )
    parser.add_argument("--ceilings", action="store_true", help="measure this device's first where the study has none")
    parser.add_argument("--plan", action="store_true", help="print the cells and stop")
    parser.add_argument("--score-only", action="store_true", help="run nothing, score what has no scores")
    parser.add_argument("--no-report", action="store_true", help="do not end with table and verdict")
    parser.add_argument("--export", type=Path, help="write the work folder and stop")
    parser.add_argument("--cells", type=Path, help="run a work folder")
    parser.add_argument("--record", type=Path, help="with --cells: append records to this file, no MLflow")
    args = parser.parse_args(argv)
    if bool(args.grids or args.also) == bool(args.cells):
        parser.error("give grids, or a work folder with --cells")
    if args.cells and not args.record:
        parser.error("--cells needs --record FILE")
    return args


def retried(text: str) -> frozenset[str]:
    """The outcomes and verdicts that are to be run again. Raises BadInput for one that there is not."""
    outcomes = frozenset(text.replace(",", " ").split())
    if unknown := sorted(outcomes - set(OUTCOMES)):
        raise BadInput(f'RETRY="{text}": no outcome {unknown[0]!r}; there are: {" ".join(OUTCOMES)}')
    return outcomes


def is_plan_for_gpu(args: argparse.Namespace) -> bool:
    """Whether nothing will run, and what is planned may be for another machine: nothing is asked of this one then."""
    return args.plan and args.device == "cuda"


def resolve(args: argparse.Namespace) -> tuple[Work, PairFile | None]:
    """The work that the arguments ask for, and its pair (None for a work folder). BadInput before anything loads."""
    retried(args.retry)
    if args.cells:
        work = Work.load(args.cells)
        for name in {cell.device for cell in work.cells}:
            choose.choose(name)
        return work, None
    from bench.quality import models
    from bench.spec import expand
    from bench.spec.pair import place_model, read_pair

    if not 1 <= args.rounds <= MOST_ROUNDS:
        raise BadInput(f"ROUNDS={args.rounds}: expected 1 to {MOST_ROUNDS}")
    if not 0 <= args.seed < 1 << 31:
        raise BadInput(f"--seed {args.seed}: expected 0 to {(1 << 31) - 1}")
    chosen = choose.choose(args.device, here=not (args.export or is_plan_for_gpu(args)))
    pair = place_model(read_pair(args.pair), args.model)
    pair = pair.model_copy(update={k: getattr(args, k) for k in ("encoder", "judge") if getattr(args, k)})
    read = read_grids(args, pair)
    cells, sets = expand.resolve(list(read.values()), list(read), pair, chosen, args.prompts_file)
    if pair.metrics and not args.export:
        models.check(pair.encoder, pair.judge, {cell.weights for cell in cells})
    watched = [cell for cell in cells if cell.kind != sentinel.KIND]
    twins = [twin for cell in cells if cell.kind == sentinel.KIND for twin in sentinel.twins(cell, watched)]
    name = args.study or pair.name
    return Work(name, args.rounds, args.seed, (*watched, *twins), sets, provenance.git_state()), pair


def read_grids(args: argparse.Namespace, pair: PairFile) -> dict[str, GridFile]:
    """The grids by the names they were given, and last, where one of them wants it, the sentinel's on their engines."""
    from bench.spec import expand, grid

    given = {"gen_length": args.gen, "block_length": args.block, "prompts": args.prompts}
    overrides = {k: v for k, v in (given | {"temperature": args.temperature}).items() if v is not None}
    if args.steps is not None:
        overrides["steps"] = grid.whole_numbers(args.steps, "STEPS")
    for name in ("dtype", "engine", "head"):
        if getattr(args, name):
            overrides[name] = getattr(args, name).replace(",", " ").split()
    read = {name: grid.read_grid(name, overrides, pair.name) for name in args.grids}
    heat = {k: v for k, v in overrides.items() if k in ("temperature", "dtype")}
    also = {name: grid.read_grid(name, heat, pair.name) for name in args.also}
    if args.grids:  # a further grid that does not apply to the pair is left out; one asked for alone is refused
        also = {name: found for name, found in also.items() if found.source == "pair" or "accuracy" in pair.metrics}
    read |= also
    watched = [found for found in read.values() if found.kind != sentinel.KIND]
    if any(found.sentinel for found in watched):
        engines = {engine for found in watched for engine in expand.as_list(found.engine)}
        engine = sorted(engines, reverse=True)  # eager first: where one sentinel is taken, it is that one
        read[sentinel.GRID] = grid.read_grid(sentinel.GRID, {"engine": engine}, pair.name)
    return read
