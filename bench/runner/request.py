"""What a run is asked to do: a command line into a `Request`, and a `Request` into cells and prompts.

A door parses its command line. A room that needs work builds a `Request` itself:

    work, pair = resolve(Request(grids=("engines",), pair="pocket"))

Imports neither torch nor, for a work folder, pydantic: a bare machine resolves a folder with the standard library.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.common import provenance
from bench.common.errors import BadInput
from bench.devices import choose
from bench.models.engines import ENGINES
from bench.models.kinds import KINDS, has_steps, role_of
from bench.runner.options import parser
from bench.runner.several import ONE_CARD, Wanted
from bench.spec import model_rules, rules, sentinel
from bench.spec.axis import as_list
from bench.spec.work import Work

if TYPE_CHECKING:
    from bench.spec.grid import GridFile
    from bench.spec.pair import PairFile


OUTCOMES = ("oom", "timeout", "error", "violated", "unknown")  # that can be run again; the last two are verdicts
MOST_ROUNDS = 100  # a limit against slips of the hand: no study needs more
SEEDS = 1 << 31  # seeds are below this
QUALITY_ONLY = {"sentinel": False, "calls_only": True}  # values of a grid whose texts alone are asked for
# All that a grid which keeps its own values takes from the command line.
OVERRIDES_OF_ALSO = ("temperature", "dtype", *QUALITY_ONLY)
OF_DENOISING = ("steps", "block_length", "head")  # keys that models without denoising steps do not read
# How the values that replace a grid's are called on the command line, by its key.
OPTIONS = {
    "gen_length": "GEN", "block_length": "BLOCK", "prompts": "PROMPTS", "temperature": "TEMPERATURE", "steps": "STEPS",
    "dtype": "DTYPE", "engine": "ENGINE", "head": "HEAD", "batch_size": "--batch", "sentinel": "--quality-only",
    "calls_only": "--quality-only",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What is to be run and how, as the user or another room asks for it. Nothing in it has been looked up yet."""

    grids: Sequence[str] = ()  # names of grids in configs/grids, or paths of YAML files
    also: Sequence[str] = ()  # more grids, which keep their own values but for OVERRIDES_OF_ALSO
    cells: Path | None = None  # a work folder in place of grids, pair and everything that shapes cells
    pair: str = "pocket"  # name of a pair in configs/pairs, or the path of a YAML file
    overrides: dict = field(default_factory=dict)  # values by grid key in place of the grids' own
    model: str | None = None  # a directory that replaces the pair's model of its kind
    prompts_file: str | None = None  # JSON lines in place of the pair's prompts
    encoder: str | None = None  # BERTScore's model; None: the pair's
    judge: str | None = None  # smollm2, none, or a directory; None: the pair's
    device: str = "auto"  # auto, cpu or cuda
    cards: Wanted = ONE_CARD  # several cards to spread rounds over
    study: str | None = None  # the MLflow experiment; None: the pair's name
    rounds: int = 3  # how often each cell is measured, each time in a fresh process
    seed: int = 0  # of the order of cells
    retry: frozenset[str] = frozenset()  # outcomes and verdicts (OUTCOMES) whose rounds are run again
    record: Path | None = None  # records are appended to this file and MLflow is left alone
    export: Path | None = None  # write the work folder here and run nothing
    plan: bool = False  # print cells and minutes and run nothing
    ceilings: bool = False  # measure the device's ceilings first, where the study has none
    score_only: bool = False  # run nothing, score the generations that have no scores yet
    report: bool = True  # end with the table and the verdict
    verbose: bool = False  # end with every table of the study, not with the rows of these cells alone

    @property
    def runs_here(self) -> bool:
        """Whether the device must be in this machine: an exported folder, a cluster's cells and a plan for a GPU do
        not need it."""
        return not (self.export or self.cards.cluster or is_plan_for_gpu(self.plan, self.device))


def is_plan_for_gpu(plan: bool, device: str) -> bool:
    """Whether nothing will run and what is planned may be for another machine, so that this one need not have it."""
    return plan and device == "cuda"


def parse(argv: list[str] | None, text: str = "Run grids of cells.") -> Request:
    """The command line of `python -m bench.run` (None: this process's own) as a request. Raises BadInput."""
    options = parser(text)
    args = options.parse_args(argv)
    if bool(args.grids or args.also) == bool(args.cells):
        options.error("give grids, or a work folder with --cells")
    if args.cells and not args.record:
        options.error("--cells needs --record FILE")
    same = ("cells", "pair", "model", "prompts_file", "encoder", "judge", "device", "study", "rounds", "seed", "record",
            "export", "plan", "ceilings", "score_only", "verbose")  # fmt: skip
    return Request(
        grids=tuple(args.grids), also=tuple(args.also), overrides=overrides_of(args), retry=retried(args.retry),
        report=not args.no_report, cards=Wanted(args.devices, args.cluster),
        **{name: getattr(args, name) for name in same},
    )  # fmt: skip


def overrides_of(args: argparse.Namespace) -> dict:
    """The values that the command line puts in place of the grids' own, by grid key. Raises BadInput."""
    numbers = {"gen_length": args.gen, "block_length": args.block, "prompts": args.prompts}
    numbers |= {"batch_size": args.batch, "temperature": args.temperature}
    overrides = {name: value for name, value in numbers.items() if value is not None}
    if args.steps is not None:
        from bench.spec import grid

        overrides["steps"] = grid.whole_numbers(args.steps, "STEPS")
    for name in ("dtype", "engine", "head"):
        if words := getattr(args, name):
            overrides[name] = words.replace(",", " ").split()
    return overrides | (QUALITY_ONLY if args.quality_only else {})


def retried(text: str) -> frozenset[str]:
    """The outcomes and verdicts that are to be run again. Raises BadInput for one that there is not."""
    outcomes = frozenset(text.replace(",", " ").split())
    if unknown := sorted(outcomes - set(OUTCOMES)):
        raise BadInput(f'RETRY="{text}": no outcome {unknown[0]!r}; there are: {" ".join(OUTCOMES)}')
    return outcomes


def check_ranges(request: Request) -> None:
    """Raises BadInput for a number of rounds or a seed outside its range."""
    if not 1 <= request.rounds <= MOST_ROUNDS:
        raise BadInput(f"ROUNDS={request.rounds}: expected 1 to {MOST_ROUNDS}")
    if not 0 <= request.seed < SEEDS:
        raise BadInput(f"--seed {request.seed}: expected 0 to {SEEDS - 1}")


def resolve(request: Request) -> tuple[Work, PairFile | None]:
    """The cells and prompts that are asked for, and their pair (None for a work folder).

    Raises BadInput before any model loads.
    """
    if request.cells:
        return resolve_folder(request.cells, request.runs_here), None
    from bench.quality import models
    from bench.spec import study_file

    check_ranges(request)
    device = choose.choose(request.device, here=request.runs_here)
    pair = pair_of(request)
    study_file.read(request.study or pair.name)  # a broken declaration is refused before anything is measured
    grids = read_grids(request, pair)
    check_use(request, grids)
    work = work_of(request, grids, pair, device)
    if pair.metrics and not request.export:
        models.check(pair.encoder, pair.judge, {cell.weights for cell in work.cells if not cell.server})
    return work, pair


def work_of(request: Request, grids: dict[str, GridFile], pair: PairFile, device: str) -> Work:
    """The cells of some grids on a pair, with their prompts and the sentinels that watch them. Raises BadInput."""
    from bench.spec import expand

    cells, prompt_sets = expand.resolve(list(grids.values()), list(grids), pair, device, request.prompts_file)
    model_rules.check(cells)
    watched = [cell for cell in cells if cell.kind != sentinel.KIND]
    twins = [twin for cell in cells if cell.kind == sentinel.KIND for twin in sentinel.twins(cell, watched)]
    return Work(
        study=request.study or pair.name, rounds=request.rounds, seed=request.seed, cells=(*watched, *twins),
        prompts=prompt_sets, git=provenance.git_state(),
    )  # fmt: skip


def check_use(request: Request, grids: dict[str, GridFile]) -> None:
    """Raises BadInput for a value that no cell would depend on, since it would be dropped without a word.

    grids: by what messages call them.
    """
    from bench.models import checkpoint
    from bench.spec.products import ALSO

    asked_for = [file for file in grids.values() if file.kind != sentinel.KIND] or list(grids.values())
    # Those of `--also` keep their own values.
    own = [file for where, file in grids.items() if where.split(ALSO)[0] in request.grids]
    for name in request.overrides:
        takers = asked_for if name in OVERRIDES_OF_ALSO else own
        if not any(depends_on(file, name) for file in takers):
            raise BadInput(f"{OPTIONS[name]}: no cell of these grids depends on it; leave it out")
    if request.prompts_file and all(file.is_generated for file in asked_for):
        raise BadInput(
            f"PROMPTS_FILE={request.prompts_file}: the tasks are made by rule and take no prompts from a file"
        )
    kind = checkpoint.read(request.model).kind if request.model else None
    if kind and not any(kind_is_in(kind, file) for file in asked_for):
        raise BadInput(f"MODEL={request.model}: is a {kind}, of which no cell is asked for")


def kind_is_in(kind: str, file: GridFile) -> bool:
    """Whether a grid has cells of a kind of model, which it names by kind or by role."""
    named = as_list(file.model)
    return kind in named or role_of(kind) in named


def depends_on(file: GridFile, name: str) -> bool:
    """Whether a grid's cells depend on the value of one of its keys."""
    if name == "prompts":
        return file.calls is None
    if name in OF_DENOISING:
        is_paced = name == "steps" and file.tokens_per_step is not None
        return not is_paced and any(kind_is_in(kind, file) for kind in KINDS if has_steps(kind))
    return True


def resolve_folder(folder: Path, runs_here: bool = True) -> Work:
    """The work of an exported folder. Raises BadInput where there is none, or its device or its models are not here."""
    work = Work.load(folder)
    for device in {cell.device for cell in work.cells}:
        choose.choose(device, runs_here)
    model_rules.check(work.cells)
    rules.check_work(work, str(folder))
    return work


def pair_of(request: Request) -> PairFile:
    """The pair with the model, the encoder and the judge that the request puts in place of its own."""
    from bench.spec.pair import place_model, read_pair

    pair = place_model(read_pair(request.pair), request.model)
    scorers = {"encoder": request.encoder, "judge": request.judge}
    return pair.model_copy(update={name: value for name, value in scorers.items() if value})


def read_grids(request: Request, pair: PairFile) -> dict[str, GridFile]:
    """The grids by the names they were given, and last, where one of them wants it, the sentinel's: on their engines,
    of its own model and of each other one that they run."""
    from bench.spec import grid, products, server_rules

    few = {name: value for name, value in request.overrides.items() if name in OVERRIDES_OF_ALSO}
    grids, also = (
        {where: file for name in names for where, file in products.read_products(name, values, pair.name).items()}
        for names, values in ((request.grids, request.overrides), (request.also, few))
    )
    if request.grids:  # a further grid that does not apply is left out; one asked for alone is refused
        also = {name: file for name, file in also.items() if applies(file, pair, request.prompts_file)}
    grids |= also
    watched = [file for file in grids.values() if file.kind != sentinel.KIND]
    if any(file.sentinel for file in watched):
        engines = {engine for file in watched for engine in as_list(file.engine)}
        eager_first = [name for name in ENGINES if name in engines]  # where one sentinel is taken, it is the eager one
        own_models = models_of(grid.read_grid(sentinel.GRID, {}, pair.name), pair)
        others = {model for file in watched for model in models_of(file, pair)} - set(own_models)
        values = {"engine": eager_first, "model": [*own_models, *server_rules.watchable(others, pair)]}
        grids[sentinel.GRID] = grid.read_grid(sentinel.GRID, values, pair.name)
    return grids


def applies(file: GridFile, pair: PairFile, prompts_file: str | None) -> bool:
    """Whether a pair and its prompts have what a grid needs: the tasks; texts that end by themselves, which those of
    random weights do not; a reference for every prompt; a server that ends answers as they are to end."""
    from bench.data import prompts
    from bench.spec import server_rules

    if not server_rules.suits(file, pair, models_of(file, pair)):
        return False
    if file.is_generated:
        return "accuracy" in pair.metrics
    if "eos" in file.stops and pair.has_random_weights:
        return False
    return not file.needs_references or prompts.have_references(prompts_file or pair.prompts.source)


def models_of(file: GridFile, pair: PairFile) -> list[str]:
    """The kinds of the models that a grid names by kind or by role."""
    return [pair.kind_of(name) for name in as_list(file.model)]
