"""The accuracies of a study as contests: which runs of tasks of lm-evaluation-harness may be set against each other."""

import pandas as pd

from bench.analysis.decoders import name_of
from bench.analysis.runs import estimate_of, setting_of, with_columns, with_steps, without_steps
from bench.analysis.study import Histories, Study
from bench.analysis.task_accuracy import FEWEST_ITEMS, Contest, Side, TaskAccuracy, over_templates
from bench.spec.pair import PairFile

SCORE, SECONDS = "accuracy", "seconds_an_item"  # of a question
ACCURACY = "quality/accuracy"
TOKENS = "quality/mean_length"
UNMATCHED = "quality/unmatched_answers"
# What the contests of a task share; what the runs of both models in a contest share besides.
SETTING = ["task", "prompts", "dtype", "batch_size", "temperature", "engine"]
QUESTIONS = ["template", "prompt_hash"]
# And what runs of the diffusion model share besides that are told apart by steps and decoder alone.
OF_STEPS = ["gen_length", "block_length", "head", "remasking", "cfg_scale", "logits_eos_inf", "confidence_eos_eot",
            "revision", "shots", "seed"]  # fmt: skip


def task_accuracies(study: Study, pair: PairFile) -> list[TaskAccuracy]:
    """The tasks of a study: the pair's primary one first; of a task the setting with the most questions and runs."""
    runs = with_columns(study.accuracies, [*SETTING, *QUESTIONS, *OF_STEPS, "model", "steps", "started_ms", ACCURACY])
    runs = runs[runs[ACCURACY].notna()].sort_values("started_ms", kind="stable")
    found = []
    for (task, *_), same in runs.groupby(SETTING, dropna=False, sort=False):
        for group in by_decoding(same):
            found.append(task_of(str(task), group, study.histories, pair.accuracy_margin(str(task))))
    return sorted(found, key=lambda each: (each.task != pair.primary_task, each.task, *size_of(each)))


def size_of(found: TaskAccuracy) -> tuple:
    """Sorts the settings of a task: those with a contest first, then those with more questions, more runs."""
    items = max((len(contest.items) for contest in found.contests), default=0)
    return not found.contests, -items, -sum(len(contest.run_ids) for contest in found.contests)


def by_decoding(runs: pd.DataFrame) -> list[pd.DataFrame]:
    """Runs of one setting in groups, each with the runs with steps that share how they decode, and those without
    steps. Where there are no runs with steps, the others alone."""
    diffusion, others = with_steps(runs), without_steps(runs)
    groups = [same for _, same in diffusion.groupby(OF_STEPS, dropna=False, sort=False)]
    return [pd.concat([nearest(others, same), same]) for same in groups] or [others]


def nearest(others: pd.DataFrame, diffusion: pd.DataFrame) -> pd.DataFrame:
    """Of runs without steps those whose answers may be as long as the diffusion model's, else all."""
    as_long = others[others["gen_length"].eq(diffusion["gen_length"].iloc[0])]
    return others if as_long.empty else as_long


def task_of(task: str, runs: pd.DataFrame, histories: Histories, margin: float | None) -> TaskAccuracy:
    """The contests of some runs of one task and setting."""
    contests: dict[str, Contest] = {}
    left_out = []
    for (template, _), same in runs.groupby(QUESTIONS, dropna=False, sort=False):
        made = contest_of(str(template), same, histories, margin)
        left_out += unmatched_words(same)
        if isinstance(made, str):
            left_out.append(f"template {template}: {made}")
            continue
        if template in contests:  # the runs come in the order in which they began
            left_out.append(f"template {template}: its questions were others before; the later runs count")
        contests[str(template)] = made
    every = list(contests.values())
    return TaskAccuracy(task, tuple(every), over_templates(every), tuple(left_out))


def unmatched_words(runs: pd.DataFrame) -> list[str]:
    """What is said of runs whose extractor found an answer in no text."""
    rows = runs[has_no_match(runs)]
    return [
        f"template {run['template']}, {run['model']} {side_name(run)}".rstrip()
        + ": no answer matched, so this is not the model's accuracy"
        for _, run in rows.iterrows()
    ]


def has_no_match(runs: pd.DataFrame) -> pd.Series:
    return with_columns(runs, [UNMATCHED])[UNMATCHED].eq(1.0)


def contest_of(template: str, runs: pd.DataFrame, histories: Histories, margin: float | None) -> Contest | str:
    """The contest of the runs of one template; in words why there is none."""
    good = runs[~has_no_match(runs)]
    reference = [side_of(run, histories) for _, run in without_steps(good).tail(1).iterrows()]
    sides = [side_of(run, histories) for _, run in with_steps(good).iterrows()]
    if not reference or not sides:
        lacks = [name for name, has in (("the autoregressive", reference), ("the diffusion", sides)) if not has]
        return f"{' and '.join(lacks)} model has no accuracy on these questions"
    ordered = tuple(sorted(sides, key=lambda side: (side.steps is None, side.steps or 0, side.name)))
    contest = Contest((template,), reference[0], ordered, margin)
    count = len(contest.items)
    return contest if count >= FEWEST_ITEMS else f"both models answered {count} of the questions, and two are needed"


def side_of(run: pd.Series, histories: Histories) -> Side:
    """A run as a side of a contest."""
    is_plain = name_of(run) == "" and pd.notna(run["steps"])
    return Side(
        run, (run["run_id"],), side_name(run), int(run["steps"]) if is_plain else None,
        histories.scores(run["run_id"], SCORE), histories.scores(run["run_id"], SECONDS), estimate_of(run, TOKENS),
        setting_of(run, "device", setting_of(run, "platform", "")),
    )  # fmt: skip


def side_name(run: pd.Series) -> str:
    """How a run is told from others of its contest: "64 steps", "threshold 0.9, dual cache (block)"."""
    if pd.isna(run["steps"]):
        samples = run.get("samples")
        return "" if samples is None or pd.isna(samples) else f"{float(samples):.0f} samples"
    return name_of(run) or f"{run['steps']:.0f} steps"
