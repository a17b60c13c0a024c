"""Decoders in sentences: what a place and a decoder are called, and the verdict of each place."""

from collections.abc import Sequence

import pandas as pd

from bench.analysis.decoder_gains import GOAL, Best, best_of, fastest_of, parallelism
from bench.analysis.decoder_places import Line, Place
from bench.analysis.noise import floor_of
from bench.analysis.runs import temperature_of
from bench.models import kinds
from bench.render import wording
from bench.render.comparison import METRIC_NAMES
from bench.render.doubt import equal_words, no_interval_words
from bench.render.wording import interval

PLACE = ("batch", "prompts")  # settings that every place is called by
QUALITY_DIGITS = 3
CURVE = "quality lost against speed won"  # what the figure is called to which a sentence points
NO_QUALITY = "Quality: not measured, so whether the text stays good is not known"


def place_words(place: Place) -> str:
    """ "60 tasks, 32 tokens, blocks of 16, batch 1, natural end, float32, greedy, eager engine, lean head": what the
    decoders of a place have in common."""
    what = "tasks" if place.metric == "accuracy" else "prompts"
    return ", ".join(filter(None, [wording.prompts_counted(place.first, what), *settings_of(place).values()]))


def settings_of(place: Place) -> dict[str, str]:
    """Of what the decoders of a place have in common all but the number of prompts, in words; "" for what it lacks."""
    run = place.first
    prompt_tokens = pd.to_numeric(run["prompt_tokens"])
    return {
        "tokens": f"{run['gen_length']:.0f} tokens",
        "prompts": "" if pd.isna(prompt_tokens) else f"prompts of {prompt_tokens:.0f}",
        "blocks": f"blocks of {run['block_length']:.0f}",
        "batch": f"batch {run['batch_size']:.0f}",
        "ends": wording.stop_words(place.every.tail(1)),
        "precision": run["dtype"],
        "temperature": wording.temperature_words(temperature_of(run)),
        "engine": wording.own_engine_and_head(run),
    }


def best_sentence(best: Best) -> str:
    """The best combination within the margin on a part of the prompts, whatever the outcome."""
    margin = f"within {best.place.margin:g} of vanilla's {METRIC_NAMES[best.place.metric]}"
    where = prompts_words(best)
    if best.line is None:
        return (
            f"Best decoder{where}: none of {best.candidates} is shown to stay {margin}; {fastest_words(best)}"
            f" ({curve_words()})."
        )
    speedup = best.line.speedup
    doubt = equal_words(speedup, best.line.rounds, floor_of(best.place.noise), "whether it is faster")
    less = interval(best.quality.difference, QUALITY_DIGITS)
    goal = "" if best.reaches_goal else goal_words(best)
    which = "only one" if best.within == 1 else f"fastest of {best.within} that are,"
    return (
        f"Best decoder{where}: {best_name(best.line)} is {interval(speedup, 2)} times as fast as vanilla at a step a"
        f" token{no_interval_words(speedup)}{doubt}, {margin} ({less}); it is the {which} of {best.candidates}"
        f" judged{goal}.{parallel_words(best)}"
    )


def fastest_sentence(place: Place, line: Line) -> str:
    """How fast the fastest decoder without a score is beside the autoregressive model."""
    return f"Fastest: {fastest_clause(place, line)}. {NO_QUALITY}."


def fastest_clause(place: Place, line: Line) -> str:
    """ "imposed 8, dual cache (answer) gives 6.28 [6.26, 6.30] times LLaMA's tokens/s"."""
    ratio = line.rate_over_autoregressive
    doubt = equal_words(ratio, line.rounds_beside, floor_of(place.noise), "which of the two is faster")
    rival = kinds.label_of(place.autoregressive.run["model"])
    part = f", {words}" if (words := wording.part_words(line.run)) else ""
    return (
        f"{best_name(line)} gives {interval(ratio, 2)} times {rival}'s tokens/s{no_interval_words(ratio)}{part}{doubt}"
    )


def parallel_words(best: Best) -> str:
    """Which decoder within the margin has most tokens a forward; empty where they were not counted."""
    line = best.most_parallel
    if line is None:
        return ""
    return f" Most tokens a forward within the margin: {best_name(line)}, {parallelism(line):.2f}."


def verdict(place: Place) -> list[str]:
    """The best combination on each part of a place's prompts, or the fastest where none was scored."""
    fastest = fastest_of(place)
    return [*map(best_sentence, best_of(place)), *([fastest_sentence(place, fastest)] if fastest else [])]


def best_sentences(places: Sequence[Place]) -> list[str]:
    """The verdict of every place, each under what its decoders share; places whose answers have no score are lines
    under what they share."""
    unscored = [place for place in places if fastest_of(place)]
    scored = [place for place in places if not fastest_of(place)]
    alone, together = (scored, unscored) if len(unscored) > 1 else (places, [])
    result = []
    for place in alone:
        if sentences := verdict(place):
            result += [f"Decoders, {place_words(place)}:", *(f"  {sentence}" for sentence in sentences)]
    return result + fastest_lines(together)


def fastest_lines(places: Sequence[Place]) -> list[str]:
    """Of each place whose answers have no score the fastest decoder, under what the places share; [] for none."""
    if not places:
        return []
    lines = [
        f"  {where}: {fastest_clause(place, fastest_of(place))}."
        for place, where in zip(places, differing(places), strict=True)
    ]
    return [f"Fastest decoders, {shared_words(places)}. {NO_QUALITY}.", *lines]


def shared_words(places: Sequence[Place]) -> str:
    """ "256 tokens, blocks of 32, forced length, greedy, captured engine, lean head": what the decoders of all these
    places have in common, but for what every place is called by."""
    settings = [settings_of(place) for place in places]
    names = [name for name in settings[0] if name not in PLACE and not differs(name, settings)]
    return ", ".join(filter(None, (settings[0][name] for name in names)))


def differing(places: Sequence[Place]) -> list[str]:
    """ "batch 8, prompts of 128": what each place is called by, and of its other settings and its machine those that
    differ."""
    settings = [settings_of(place) | {"machine": wording.machine_of(place.every)} for place in places]
    others = [name for name in settings[0] if name not in PLACE and differs(name, settings)] if settings else []
    return [", ".join(filter(None, (own[name] for name in (*PLACE, *others)))) for own in settings]


def differs(name: str, settings: Sequence[dict[str, str]]) -> bool:
    """Whether not all places have the same of a setting."""
    return len({own[name] for own in settings}) > 1


def best_name(line: Line) -> str:
    """A decoder in a sentence; one that keeps the authors' schedule with fewer steps says how many."""
    run = line.run
    if not line.name:
        return f"the authors' schedule in {run['steps']:.0f} steps"
    is_scheduled = pd.isna(run.get("sampler")) or run["sampler"] == "fixed"
    is_shorter = is_scheduled and run["steps"] < run["gen_length"]
    return f"{line.name} in {run['steps']:.0f} steps" if is_shorter else line.name


def goal_words(best: Best) -> str:
    """That the best is below what was asked for, and where to look."""
    return f". That is below {GOAL:g} times: {fastest_words(best)} ({curve_words()})"


def fastest_words(best: Best) -> str:
    """What the fastest decoder of all wins and loses."""
    line = best.fastest
    lost = interval(line.qualities[best.part].difference, QUALITY_DIGITS)
    return f"the fastest of all, {best_name(line)}, is {interval(line.speedup, 2)} times as fast, at {lost}"


def curve_words() -> str:
    """Where the whole curve is drawn."""
    return f"the report's figure of {CURVE} has the curve"


def prompts_words(best: Best) -> str:
    """ " on tasks with many right answers": on which prompts; empty for open-ended ones."""
    if best.place.metric != "accuracy":
        return ""
    quality = best.fastest.qualities[best.part]
    return f" on tasks with {quality.prompts}" if quality.prompts else " on all tasks"
