"""Borrowed quality in sentences: published accuracies beside the times of a study."""

from bench.analysis.borrowed import Borrowed, Point, TaskQuality, Way
from bench.analysis.noise import floor_of
from bench.analysis.time_at import Timed, scaled
from bench.common import stats
from bench.common.plural import listed
from bench.render.doubt import equal_words
from bench.render.wording import engine_and_head, interval

TITLE = "Borrowed quality: accuracies that others have published, times of this study"
TWO_SIDES = (
    "Different people measured the two sides: the accuracies are published, with their authors' prompts, harnesses and"
    " machines, and the times are ours"
)
BY_WAY: dict[Way, str] = {
    "cache": "with a cache of keys and values, which was not timed here",
    "distilled": "with weights that were trained for fewer forwards",
}
INSTEAD = "as many whole forwards would take"  # what the time beside such a decoder is


def percent(share: stats.Estimate) -> str:
    """ "79.6 % [77.3, 81.7]": an accuracy with its interval."""
    return interval(scaled(share, 100), 1).replace(" [", " % [", 1)


def count(number: float) -> str:
    """A number of forwards, which is no whole number where it was published as tokens a forward."""
    return f"{number:,.0f}" if number == int(number) else f"{number:,.1f}"


def lines(borrowed: Borrowed | None) -> list[str]:
    """What a terminal shows; empty where there is nothing to show."""
    if borrowed is None:
        return []
    return [f"{TITLE}. {TWO_SIDES}.", *(f"  {task_sentence(task)}" for task in borrowed.tasks)]


def verdict(borrowed: Borrowed) -> str:
    """The answer over all tasks: where LLaDA comes within the margin, and what that costs."""
    good, poor, unknown = [], [], []
    for task in borrowed.tasks:
        best = task.cheapest("whole forwards")
        if best:
            good.append(f"{task.label} ({how_many(task)}) at {ratio_words(best.timed)}")
        elif task.reference is None:
            unknown.append(task.label)
        elif any(map(task.is_shown, task.of_way("whole forwards"))):
            good.append(f"{task.label} ({how_many(task)}) at a time that was not measured")
        else:
            poor.append(task.label)
    margin = f"{100 * borrowed.margin:g} points"
    parts = [
        f"LLaDA is shown to come within {margin} of LLaMA's accuracy on {listed(good)}" if good
        else f"LLaDA is shown to come within {margin} of LLaMA's accuracy on no task",
        f"not on {listed(poor)}" if poor else "",
        f"of {listed(unknown)} no accuracy of LLaMA is known" if unknown else "",
    ]  # fmt: skip
    whose = "By its own accuracies" if all(task.is_own for task in borrowed.tasks) else "By published accuracies"
    return f"{whose} and the times of this study, {'; '.join(filter(None, parts))}."


def how_many(task: TaskQuality) -> str:
    """ "5 of 7 accuracies": of LLaDA's by whole forwards those that are shown to be within the margin. The cheapest is
    chosen among several, which is a maximum over noise and over settings."""
    points = task.of_way("whole forwards")
    return f"{sum(map(task.is_shown, points))} of {len(points)} accuracies"


def task_sentence(task: TaskQuality) -> str:
    """What is known of a task."""
    whose = "our own accuracies" if task.is_own else "published"
    begin = f"{task.label} ({task.items:,} items, {whose})"
    if task.reference is None:
        return f"{begin}: no accuracy of LLaMA is known, so nothing is compared."
    begin += f", LLaMA {percent(task.reference.accuracy)}"
    first = task.cheapest("whole forwards")
    parts = [whole_words(task, first)]
    limit = first.timed.ratio.value if first else float("inf")
    for way, words in BY_WAY.items():
        point = task.cheapest(way)
        if point and point.timed.ratio.value < limit:
            time = ratio_words(point.timed, INSTEAD)
            parts.append(f"{words}, at {place_words(point)}: {time}")
    return f"{begin}: {'; '.join(parts)}."


def whole_words(task: TaskQuality, first: Point | None) -> str:
    """Where LLaDA's own weights come within the margin by whole forwards, or that they do not."""
    margin = f"{100 * task.margin:g} points"
    shown = f"{how_many(task)} of LLaDA by whole forwards are shown to be within {margin}"
    if first:
        return f"{shown}, the fastest at {place_words(first)}, {ratio_words(first.timed, 'which take')}"
    points = task.of_way("whole forwards")
    if any(map(task.is_shown, points)):
        return f"{shown}, of which no time was measured"
    if any(map(task.is_within, points)):
        fastest = task.cheapest("whole forwards", shown=False)
        time = f" at {place_words(fastest)}, {ratio_words(fastest.timed, 'which take')}" if fastest else ""
        return f"LLaDA is within {margin} by its value alone, not shown{time}"
    best = max(points, key=lambda point: point.accuracy.value, default=None)
    nearest = f"; the best, {percent(best.accuracy)}, is {apart(best)}" if best else ""
    return f"none of LLaDA's {len(points)} accuracies by whole forwards is within {margin}{nearest}"


def apart(point: Point) -> str:
    """ "12.8 points lower": how far a point is from the reference."""
    points = 100 * point.difference.value
    return f"{abs(points):.1f} points {'lower' if points < 0 else 'higher'}"


def place_words(point: Point) -> str:
    """ "256 forwards over 256 tokens (78.6 % [76.3, 80.7], LLaDA's EVAL.md)"."""
    decoder = decoder_of(point)
    whose = f"{point.source}, {decoder}" if decoder and decoder != point.source else point.source
    place = f"{count(point.forwards)} forwards over {point.gen_length} tokens"
    return f"{place} ({percent(point.accuracy)}, {point.model}, {whose})"


def decoder_of(point: Point) -> str:
    """A point's decoder; empty where it is the authors' at a step a token, or the model is named after it."""
    return "" if point.decoder == "a step a token" or point.model.startswith(point.decoder) else point.decoder


def ratio_words(timed: Timed, verb: str = "") -> str:
    """ "1.78 [1.72, 1.84] times LLaMA's latency": with what is not measured in it, and whether noise may be all."""
    doubt = equal_words(timed.ratio, timed.rounds, floor_of(timed.noise), "which of the two is faster")
    how = "" if timed.how == "measured" else f", {timed.how}"
    words = f"{interval(timed.ratio, 2)} times LLaMA's latency{how}{doubt}"
    return f"{verb} {words}".strip()


def about(borrowed: Borrowed) -> list[str]:
    """What must be said beside the numbers: where they were timed, harness, prompts, and what is as good."""
    timed = [point.timed for task in borrowed.tasks for point in task.points if point.timed]
    places = dict.fromkeys((t.engine, t.head, t.prompt_tokens) for t in timed)
    where = listed([place_of_times(*place) for place in places])
    result = [
        f"{TWO_SIDES}. An accuracy stands beside the time of as many forwards over a canvas of as many tokens, at"
        f" batch 1 ({where}). Where a decoder was published with tokens a forward, the forwards are the canvas over"
        " these.",
        f"As good means worse by at most {100 * borrowed.margin:g} points, which is the margin that the pair"
        f" {borrowed.margin_of} declared before these numbers were looked at. It counts as shown where the 95 %"
        " interval of the difference says so: Wilson's of each accuracy, by the number of items, and Newcombe's of the"
        " two.",
    ]
    if borrowed.harness is not None:
        result.append(
            "The same weights in the same setting differ by up to"
            f" {100 * borrowed.harness:.1f} points between two harnesses, which no interval here holds."
        )
    if any(t.stop == "length" for t in timed):
        result.append(
            "LLaMA's time is that of as many tokens as the canvas has: where its answer would end earlier, LLaDA costs"
            " more than is said here."
        )
    return [*result, *prompt_words(borrowed)]


def place_of_times(engine: str, head: str, prompt_tokens: int | None) -> str:
    """ "captured engine, lean head, prompts of 128 tokens"."""
    prompts = f", prompts of {prompt_tokens} tokens" if prompt_tokens else ""
    return f"{engine_and_head(engine, [head])}{prompts}"


def prompt_words(borrowed: Borrowed) -> list[str]:
    """What longer prompts change; nothing where a study has no two lengths of prompts."""
    if not borrowed.prompts:
        return []
    (short, at_short), (long, at_long) = borrowed.prompts
    return [
        "Prompts with worked examples are longer than those that were timed, and LLaDA pays for them at each step: for"
        f" one and the same canvas time breaks even at {interval(at_short, 0)} steps after prompts of {short:,} tokens,"
        f" and at {interval(at_long, 0)} after {long:,}."
    ]
