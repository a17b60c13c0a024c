"""Accuracy in tasks of lm-evaluation-harness, in the terminal: a table for each template, and the verdict in words."""

from collections.abc import Iterable

import pandas as pd

from bench.analysis.runs import temperature_of
from bench.analysis.task_accuracy import Contest, Point, Side, TaskAccuracy
from bench.common.stats import Estimate
from bench.models import kinds
from bench.render import wording
from bench.render.comparison import steps_text
from bench.render.wording import MISSING, interval

DIGITS = 3  # of an accuracy
ON_TIMES = (
    "Seconds are wall time in one process, without a warm-up, and the interval of their ratio is over questions alone;"
    " nothing vouches that the device was ours. Times to be compared come from make study."
)


def title(found: TaskAccuracy, is_primary: bool) -> str:
    """ "gsm8k, 1319 questions, bfloat16, batch 1, greedy, captured engine, on NVIDIA H100": what was asked, and how."""
    if found.main is None:
        return f"accuracy in {found.task}"
    run = found.main.autoregressive.run
    temperature = temperature_of(pd.Series({"temperature": pd.to_numeric(run.get("temperature"))}))
    parts = [
        f"{found.task}{' (the primary metric)' if is_primary else ''}",
        wording.prompts_counted(run, "questions"),
        run["dtype"],
        f"batch {float(run['batch_size']):.0f}",
        wording.temperature_words(temperature),
        wording.engine_and_head(wording.engine_of(run)),
    ]
    device = found.main.autoregressive.device
    return ", ".join(filter(None, parts)) + (f", on {device}" if device else "")


def missing(task: str) -> str:
    """That the pair's primary metric is not measured, and what measures it."""
    return f"Accuracy in {task}, the primary metric: not measured of both models (make accuracy TASKS={task})."


def primary_sentences(task: str | None, found: list[TaskAccuracy]) -> list[str]:
    """What is said of the task that a pair declares to be primary; nothing where it declares none."""
    if task is None:
        return []
    of_task = next((each for each in found if each.task == task and each.main is not None), None)
    return [missing(task)] if of_task is None else sentences(of_task)


def name_of(side: Side) -> str:
    """ "LLaDA, 64 steps", "LLaMA"."""
    return ", ".join(filter(None, (kinds.label_of(side.run["model"]), side.name)))


def templates_words(contest: Contest) -> str:
    """ "template own", "over 3 templates"."""
    if len(contest.templates) == 1:
        return f"template {contest.templates[0]}"
    return f"over {len(contest.templates)} templates"


def table(contest: Contest) -> pd.DataFrame:
    """A line for each side: accuracy, its difference from the autoregressive model's, tokens and seconds."""
    reference = contest.autoregressive
    rows = [line_of(reference, contest.accuracy_of(reference), contest.mean_seconds(reference))]
    for point in contest.points:
        against = {"difference": interval(point.difference, DIGITS), "times": ratio_words(point)}
        if point.is_within is not None:
            against[f"within {contest.margin:g}"] = "yes" if point.is_within else "not shown"
        rows.append(line_of(point.side, point.accuracy, point.seconds) | against)
    return pd.DataFrame(rows).fillna(MISSING)


def line_of(side: Side, accuracy: Estimate, seconds: Estimate | None) -> dict[str, str]:
    """What a line says of a side alone."""
    return {
        "model": name_of(side),
        "accuracy": interval(accuracy, DIGITS),
        "tokens": MISSING if side.tokens is None else f"{side.tokens.value:.1f}",
        "s/item": MISSING if seconds is None else interval(seconds, digits_of(seconds)),
    }


def digits_of(seconds: Estimate) -> int:
    """Digits behind the point of seconds: more of short ones."""
    return 3 if seconds.value < 1 else 2


def ratio_words(point: Point) -> str:
    """How many times the other model's seconds a question takes; a dash where that is not known."""
    return MISSING if point.time_ratio is None else interval(point.time_ratio, 2)


def labels(contest: Contest) -> tuple[str, str]:
    """The names of the autoregressive and of the diffusion model."""
    return kinds.label_of(contest.autoregressive.run["model"]), kinds.label_of(contest.sides[0].run["model"])


def verdict(task: str, contest: Contest) -> str:
    """One sentence on where accuracy is close enough and what it costs there, whatever the outcome."""
    autoregressive, diffusion = labels(contest)
    accuracy = interval(contest.accuracy_of(contest.autoregressive), DIGITS)
    where = f"{task}, {templates_words(contest)}, {items_words(contest)}"
    reference = f"{autoregressive}'s accuracy of {accuracy}"
    if contest.margin is None:
        return (
            f"{where}: {diffusion}'s {state_words(contest, contest.decisive)}; {autoregressive}'s is {accuracy}. No"
            f" verdict, since no margin is declared for accuracy: give the pair's file primary_metric: {task} and one."
        )
    cheapest = contest.cheapest
    if cheapest is not None:
        steps = [point.side.steps for point in contest.curve]
        fewest = " (the fewest measured)" if cheapest.side.steps == steps[0] else ""
        return (
            f"{where}: {diffusion} comes within {contest.margin:g} of {reference} at"
            f" {steps_text(contest.crossing, steps[-1])} steps; the fewest that are shown to be"
            f" within it are {cheapest.side.steps}{fewest}, and there {cost_words(contest, cheapest)}."
        )
    point = contest.decisive
    says = "is within" if not contest.curve and point.is_within else "is not shown to come within"
    return f"{where}: {diffusion} {says} {contest.margin:g} of {reference}: its {state_words(contest, point)}."


def state_words(contest: Contest, point: Point) -> str:
    """ "accuracy at 64 steps, the most, differs by -0.080 [-0.120, -0.040], and a question takes 2.10 times ..."."""
    which = "the most" if point.side.steps is not None else "the most accurate"
    which = f", {which}," if len(contest.curve or contest.points) > 1 else ""
    at = f" at {point.side.name}{which}" if point.side.name else ""
    return f"accuracy{at} differs by {interval(point.difference, DIGITS)}, and {cost_words(contest, point)}"


def cost_words(contest: Contest, point: Point) -> str:
    """What a question takes of the diffusion model, in the other's seconds."""
    autoregressive, _ = labels(contest)
    if point.time_ratio is None:
        return "how many times the seconds is not known, since the two did not run on one and the same device"
    return f"a question takes {interval(point.time_ratio, 2)} times {autoregressive}'s seconds"


def items_words(contest: Contest) -> str:
    """ "1319 questions", and how many are not counted because a model has no answer to them."""
    left_out = contest.left_out_items
    others = f" ({left_out} more, which not all answered, do not count)" if left_out else ""
    return f"{len(contest.items)} questions{others}"


def decoders_words(task: str, contest: Contest) -> str:
    """The other decoders that are within the margin, with their cost; empty where there are none."""
    others = [point for point in contest.points if point.side.steps is None and point.is_within]
    if not others or not contest.curve:
        return ""
    words = "; ".join(f"{point.side.name} at {ratio_words(point)} times the seconds" for point in others)
    return f"{task}, {templates_words(contest)}: other decoders within {contest.margin:g}, each tested alone: {words}."


def outcome_words(contest: Contest) -> str:
    """A template's verdict in few words: "within 0.05 from 16 steps on, LLaMA ahead at 64 steps"."""
    autoregressive, diffusion = labels(contest)
    point, cheapest = contest.decisive, contest.cheapest
    parts = []
    if cheapest is not None:
        parts.append(f"within {contest.margin:g} from {cheapest.side.steps} steps on")
    elif contest.margin is not None:
        parts.append(f"{'within' if point.is_within else 'not shown to be within'} {contest.margin:g}")
    at = f" at {point.side.name}" if point.side.name else ""
    ahead = "neither shown to be ahead"
    if point.is_shown_to_differ:
        ahead = f"{diffusion if point.difference.value > 0 else autoregressive} ahead"
    return ", ".join([*parts, ahead + at])


def by_template(found: TaskAccuracy) -> str:
    """Whether the verdict is the same under every template."""
    if len(found.contests) == 1:
        return (
            f"{found.task} was asked under one template alone; rankings can flip with the template, and TEMPLATES=all"
            " asks the others."
        )
    if not found.differs_by_template:
        return f"{found.task}: the verdict is the same under each of {len(found.contests)} templates:" + (
            f" {outcome_words(found.contests[0])}."
        )
    each = "; ".join(f"{contest.templates[0]}: {outcome_words(contest)}" for contest in found.contests)
    return f"{found.task}: THE VERDICT DIFFERS BY TEMPLATE: {each}."


def sentences(found: TaskAccuracy) -> list[str]:
    """The verdict, whether it holds under every template, and what stands in no comparison."""
    left_out = [f"{found.task}, left out: {words}." for words in found.left_out]
    if found.main is None:
        return left_out
    words = [verdict(found.task, found.main), decoders_words(found.task, found.main), by_template(found)]
    return [*filter(None, words), *left_out]


def lines(found: TaskAccuracy, contests: Iterable[Contest]) -> list[str]:
    """The tables of some contests of a task, then the verdict."""
    parts = []
    for contest in contests:
        parts += [f"{templates_words(contest)}, {items_words(contest)}", table(contest).to_string(index=False), ""]
    return [*parts, *sentences(found)]
