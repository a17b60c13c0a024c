"""How both models grow with batch, length and prompt, and whether diffusion models parallelise better."""

from collections.abc import Mapping
from itertools import product

import pandas as pd

from bench.analysis.corners import corners_of
from bench.analysis.noise import floor_of
from bench.analysis.scaling import Scaling, lines_of
from bench.common.plural import listed
from bench.common.stats import Estimate
from bench.render import wording
from paper.tables.latex import escape
from paper.tables.scaling import name_of
from paper.values import Numbers, direction, estimate, has, num, val


def of(scalings: Mapping[str, Scaling], numbers: Numbers) -> dict[str, str]:
    """Every sentence of this module by name, empty where it has nothing to say. scalings: by kind."""
    batch = scalings.get("batch")
    return {
        "say_parallel": parallel(batch, numbers),
        "say_parallel_short": parallel(batch, numbers, is_short=True),
        "say_length": break_evens(scalings.get("length"), numbers),
        "say_prompt": break_evens(scalings.get("prompt"), numbers),
        "say_corners": corners(scalings.get("corners")),
    }


def ends_of(scaling: Scaling | None) -> tuple[pd.Series, pd.Series] | None:
    """The runs with steps at both ends of a group's axis whose rate stands beside LLaMA's, of its first line; None
    where there are no two."""
    for _, runs in lines_of(scaling) if scaling else ():
        with_ratio = runs[runs["run_id"].isin(scaling.ratios)]
        if with_ratio[scaling.axis].nunique() > 1:
            return with_ratio.iloc[0], with_ratio.iloc[-1]
    return None


def rate_name(scaling: Scaling, run: pd.Series) -> str:
    """The name of a run's tokens a second over LLaMA's."""
    return f"{name_of(scaling, run)}.throughput_ratio"


def even_name(scaling: Scaling, run: pd.Series) -> str:
    """The name of the steps at which time breaks even in a run's place."""
    return f"{name_of(scaling, run.drop('steps'))}.break_even_steps"


def moves(first: Estimate, last: Estimate) -> int:
    """1 where the last is shown to be above the first, -1 below, 0 where their intervals meet."""
    ends = [(e.value, e.value) if e.low is None else (e.low, e.high) for e in (first, last)]
    return (ends[1][0] > ends[0][1]) - (ends[1][1] < ends[0][0])


def parallel(scaling: Scaling | None, numbers: Numbers, is_short: bool = False) -> str:
    """The answer to "do diffusion models parallelise better?"; empty where batch was not varied. is_short: with its
    evidence alone, behind the question."""
    ends = ends_of(scaling)
    if ends is None:
        return ""
    first, last = ends
    names = [rate_name(scaling, run) for run in ends]
    move = moves(*(estimate(numbers, name) for name in names))
    places = [escape(wording.place_words(scaling, run)) for run in ends]
    answer = {
        1: "Yes, over requests as well: the larger the batch, the better LLaDA stands beside LLaMA.",
        -1: "No, not over requests: the larger the batch, the worse LLaDA stands beside LLaMA.",
        0: "These rounds do not tell: over the batch LLaDA is not shown to gain or to lose on LLaMA.",
    }[move]
    evidence = (
        f"At {float(first['steps']):.0f} steps it gives {val(names[0])} times LLaMA's tokens a second at {places[0]}"
        f" and {val(names[1])} times at {places[1]}{extrapolated(scaling, last)}."
    )
    if is_short:
        return f"Do diffusion models parallelise better? {answer} {evidence}"
    both = evens(scaling, ends, numbers)
    even = f"Time breaks even at {both}." if both else ""
    return " ".join(filter(None, [answer, evidence, who(scaling, ends), even, why(move)]))


def extrapolated(scaling: Scaling, run: pd.Series) -> str:
    """That a ratio rests on extrapolated times."""
    return " (extrapolated)" if scaling.is_extrapolated(run) else ""


def who(scaling: Scaling, ends: tuple[pd.Series, pd.Series]) -> str:
    """Which of the two gives more at each end."""
    floor = floor_of(scaling.noise)
    names = ("LLaDA gives more", "LLaMA gives more", "neither is shown to give more")
    words = [direction(scaling.ratios[run["run_id"]], floor, *names) for run in ends]
    if words[0] == words[1]:
        return f"At both ends {words[0]}."
    return f"At the first {words[0]}, at the second {words[1]}."


def why(move: int) -> str:
    """What of the models explains it, where LLaDA loses."""
    if move >= 0:
        return ""
    return (
        "LLaDA's parallelism lies within an answer: a step pushes all rows of prompt and canvas through the model, so"
        " that one request already uses arithmetic that LLaMA reaches with many."
    )


def evens(scaling: Scaling, ends: tuple[pd.Series, pd.Series], numbers: Numbers) -> str:
    """ "92 [88, 96] steps at batch 1 and at 5.5 [5.3, 5.6] steps at batch 32"; empty where time was not compared."""
    return " and at ".join(even(scaling, run) for run in ends if has(numbers, even_name(scaling, run)))


def even(scaling: Scaling, run: pd.Series) -> str:
    """ "92 [88, 96] steps at batch 1": where time breaks even in a run's place."""
    place = escape(wording.place_words(scaling, run))
    return f"{val(even_name(scaling, run))} steps at {place}{extrapolated(scaling, run)}"


def corners(scaling: Scaling | None) -> str:
    """The steps at which time breaks even at the outermost places of batch and length together; empty where the two
    were not varied together."""
    runs = [corner.run for corner in corners_of(scaling)] if scaling else []
    batches = {run["batch_size"] for run in runs}
    lengths = {run["gen_length"] for run in runs}
    if len(batches) < 2 or len(lengths) < 2:
        return ""
    outermost = set(product((min(batches), max(batches)), (min(lengths), max(lengths))))
    outer = [run for run in runs if (run["batch_size"], run["gen_length"]) in outermost]
    return f"Over batch and length together time breaks even at {listed([even(scaling, run) for run in outer])}."


def break_evens(scaling: Scaling | None, numbers: Numbers) -> str:
    """The steps at which time breaks even at both ends of a group's axis, and which model the axis favours."""
    ends = ends_of(scaling)
    if ends is None:
        return ""
    move = moves(*(estimate(numbers, rate_name(scaling, run)) for run in ends))
    per_step = float(ends[0]["gen_length"]) / float(ends[0]["steps"])
    favours = {
        1: "growing along it favours LLaDA",
        -1: "growing along it favours LLaMA",
        0: "growing along it is not shown to favour either",
    }[move]
    what = {"length": "the length of the answer", "prompt": "the length of the prompt"}
    rates = [num(rate_name(scaling, run)) for run in ends]
    return (
        f"Over {what[scaling.kind]} time breaks even at {evens(scaling, ends, numbers)}. At"
        f" {per_step:g} tokens a step LLaDA gives {rates[0]} times LLaMA's"
        f" tokens a second at the first and {rates[1]} times at the second; {favours}."
    )
