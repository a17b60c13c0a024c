"""What extrapolated times of a scaling group rest on, and by how much extrapolating was off, in sentences."""

from collections.abc import Sequence

import pandas as pd

from bench.analysis.lines import DEFAULTS
from bench.analysis.runs import part_of, setting_of
from bench.analysis.scaling import LATENCY, PARTS, PLACE, Scaling, Shortcut
from bench.common.stats import Estimate
from bench.models import kinds
from bench.render.wording import PLACES, engine_and_head, interval, place_words


def sentences(scaling: Scaling) -> list[str]:
    """From what times were extrapolated, a sentence for each model, engine and head; what such times were over those
    of whole calls; and of which models no call was made whole."""
    return [*part_sentences(scaling), *shortcut_sentences(scaling), *unchecked_sentences(scaling)]


def extrapolated_runs(scaling: Scaling) -> pd.DataFrame:
    """The runs whose times are extrapolated."""
    timed = scaling.rows[scaling.rows[LATENCY].notna()] if LATENCY in scaling.rows else scaling.rows.head(0)
    return timed[timed[PARTS].notna().any(axis=1)]


def part_sentences(scaling: Scaling) -> list[str]:
    """ "Extrapolated: times of LLaDA (captured engine, lean head) from 8 of 32 steps at batch 4, 8." """
    runs: dict[str, dict[str, list[pd.Series]]] = {}
    for _, run in extrapolated_runs(scaling).sort_values([scaling.axis, *PLACE], kind="stable").iterrows():
        name = full_name(run["model"], run["engine"], setting_of(run, "head", DEFAULTS["head"]))
        runs.setdefault(name, {}).setdefault(part_of(run), []).append(run)
    result = []
    for name, by_part in runs.items():
        parts = [f"from {part} at {places(scaling, at)}" for part, at in by_part.items()]
        result.append(f"Extrapolated: times of {name} {'; '.join(parts)}.")
    return result


def places(scaling: Scaling, runs: list[pd.Series]) -> str:
    """ "batch 4, 8, 32": where some runs stand; where more than the group's axis varies, each with all of its place."""
    words = dict.fromkeys(place_words(scaling, run) for run in runs)
    if any("," in place for place in words):
        return "; ".join(words)
    values = dict.fromkeys(f"{run[scaling.axis]:.0f}" for run in runs)
    return PLACES[scaling.axis].replace("{:.0f}", ", ".join(values))


def full_name(model: str, engine: str, head: str) -> str:
    """ "LLaDA (captured engine, lean head)", "LLaMA (captured engine)"."""
    return f"{kinds.label_of(model)} ({engine_and_head(engine, [head] if kinds.has_steps(model) else [])})"


def shortcut_sentences(scaling: Scaling) -> list[str]:
    """What was extrapolated over what was run whole, a sentence for each model, engine, head and part."""
    groups: dict[str, list[Shortcut]] = {}
    for shortcut in sorted(scaling.shortcuts, key=place_order):
        if shortcut.latency or shortcut.peak:
            name = full_name(shortcut.model, shortcut.engine, shortcut.head)
            part = f"{shortcut.timed} of {shortcut.whole} {shortcut.unit}"
            groups.setdefault(f"{name} from {part} over all of them", []).append(shortcut)
    return [f"Shortcut: {about}{ratios_text(scaling, shortcuts)}." for about, shortcuts in groups.items()]


def ratios_text(scaling: Scaling, shortcuts: Sequence[Shortcut]) -> str:
    """ ", batch 1: latency 0.981, peak memory 1.000"; of several places ": latency 0.981 at batch 1, 0.975 at batch 8;
    peak memory 1.000 at each of these places"."""
    places = [place_of(scaling, shortcut) for shortcut in shortcuts]
    latencies = [ratio_text(shortcut.latency) for shortcut in shortcuts]
    peaks = [ratio_text(shortcut.peak) for shortcut in shortcuts]
    if len(shortcuts) == 1:
        texts = [f"latency {latencies[0]}" if latencies[0] else "", f"peak memory {peaks[0]}" if peaks[0] else ""]
        return f", {places[0]}: {', '.join(filter(None, texts))}"
    texts = [f"latency {listed(latencies, places)}"] if any(latencies) else []
    if all(latencies) and all(peaks) and len(set(peaks)) == 1:
        texts.append(f"peak memory {peaks[0]} at each of these places")
    elif any(peaks):
        texts.append(f"peak memory {listed(peaks, places)}")
    return f": {'; '.join(texts)}"


def listed(texts: Sequence[str], places: Sequence[str]) -> str:
    """ "0.981 at batch 1, 0.975 at batch 8": the texts that there are, with their places."""
    joint = "; " if any("," in place for place in places) else ", "
    return joint.join(f"{text} at {place}" for text, place in zip(texts, places, strict=True) if text)


def ratio_text(ratio: Estimate | None) -> str:
    """A ratio of part over whole, which is near 1: three digits, with its interval; empty where there is none."""
    return interval(ratio, 3) if ratio else ""


def place_order(shortcut: Shortcut) -> tuple[float, ...]:
    """What shortcuts are sorted by: batch, then lengths; 0 for what a place does not have."""
    return tuple(0.0 if pd.isna(number) else number for number in shortcut.place)


def place_of(scaling: Scaling, shortcut: Shortcut) -> str:
    """Where a call was made both ways."""
    return place_words(scaling, pd.Series(dict(zip(PLACE, shortcut.place, strict=True))))


def unchecked_sentences(scaling: Scaling) -> list[str]:
    """That extrapolated times of a model were compared with no whole call, so that their intervals lack the bias."""
    checked = {shortcut.model for shortcut in scaling.shortcuts if shortcut.latency}
    return [
        f"Shortcut: no call of {kinds.label_of(model)} was made whole here; how far its extrapolated times are off"
        " is not known, and not in their intervals."
        for model in dict.fromkeys(extrapolated_runs(scaling)["model"])
        if model not in checked
    ]
