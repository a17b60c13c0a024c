"""The numbers of decoders in results.json, by name."""

import re
from collections.abc import Sequence

import pandas as pd

from bench.analysis.aup import Area, areas_of
from bench.analysis.decoder_cost import beside_of, summary_of
from bench.analysis.decoder_gains import TPF, Best, best_of, interactions_of, parallelism
from bench.analysis.decoder_places import Decoders, Line, Place, Quality
from bench.analysis.decoders import cache_label, sampler_label
from bench.analysis.lines import DEFAULTS
from bench.analysis.runs import estimate_of, setting_of, temperature_of
from bench.common import stats
from bench.records.catalogue import unit_in_results
from bench.render import decoders as render
from paper.results import NO_UNIT, entry

TRACKED = (
    "compute/nfe", "compute/nfe_full", "compute/nfe_partial", "compute/rows", "compute/tokens_per_forward",
    "latency/latency_ms", "throughput/tokens_per_s",
)  # fmt: skip


def numbers(decoders: Decoders) -> dict[str, dict]:
    """`decoders.PLACE.DECODER.speedup` and the like, `decoders.PLACE.best.PART.speedup`, and what else the tables of
    the section show. Empty where nothing was measured."""
    result = {}
    for place, name in zip(decoders.places, names_of_places(decoders.places), strict=True):
        for line in render.own_lines(place):
            result |= {f"{name}.{slug_of(line)}.{key}": value for key, value in line_numbers(place, line).items()}
        for best in best_of(place):
            result |= {f"{name}.best.{best.part}.{key}": value for key, value in best_numbers(best).items()}
        for found in interactions_of(place):
            runs = [line.run["run_id"] for line in (found.both, found.sampler_alone, found.cache_alone)]
            key = f"{name}.interaction.{slug(found.sampler)}.{slug(found.cache)}"
            result[key] = entry(found.ratio, NO_UNIT, [*runs, place.vanilla.run["run_id"]])
        for area in areas_of(place):
            result[f"{name}.aup.{slug(area.curve)}.{area.part}"] = area_number(area, place)
    return result | cost_numbers(decoders)


def line_numbers(place: Place, line: Line) -> dict[str, dict]:
    """Every number of a line."""
    own = line.run["run_id"]
    result = {}
    ratios = (
        (place.vanilla, ("speedup", "rate_ratio")),
        (place.autoregressive, ("speed_over_autoregressive", "rate_over_autoregressive")),
    )
    for against, names in ratios:
        for key in names:
            if against is not None and against is not line and (ratio := getattr(line, key)) is not None:
                result[key] = entry(ratio, NO_UNIT, [own, against.run["run_id"]])
    for part, quality in line.qualities.items():
        result |= quality_numbers(part, quality, [own, place.vanilla.run["run_id"]])
    for metric in TRACKED:
        if (estimate := estimate_of(line.run, metric)) is not None:
            result[metric.split("/")[1]] = entry(estimate, unit_in_results(metric), [own])
    return result


def quality_numbers(part: str, quality: Quality, runs: list[str]) -> dict[str, dict]:
    """A quality on a part of the prompts, its difference to vanilla's, and whether it is within the margin (1 or 0)."""
    return {
        f"{quality.metric}.{part}": entry(stats.Estimate(quality.value), NO_UNIT, runs[:1]),
        f"{quality.metric}.{part}.difference": entry(quality.difference, NO_UNIT, runs),
        f"{quality.metric}.{part}.is_within": entry(stats.Estimate(float(quality.is_within)), NO_UNIT, runs),
    }


def best_numbers(best: Best) -> dict[str, dict]:
    """The best combination's speedup and what it loses; how many were judged, and how many are within the margin; and
    the most tokens a forward among these."""
    runs = [line.run["run_id"] for line in best.place.lines]
    counts = {"judged": best.candidates, "within": best.within}
    result = {name: entry(stats.Estimate(float(count)), NO_UNIT, runs) for name, count in counts.items()}
    if best.line is None:
        return result
    own = [best.line.run["run_id"], best.place.vanilla.run["run_id"]]
    if best.most_parallel is not None:
        tokens = stats.Estimate(parallelism(best.most_parallel))
        result["tokens_per_forward"] = entry(tokens, unit_in_results(TPF), [best.most_parallel.run["run_id"]])
    return result | {
        "speedup": entry(best.line.speedup, NO_UNIT, own),
        "difference": entry(best.quality.difference, NO_UNIT, own),
    }


def area_number(area: Area, place: Place) -> dict:
    """An AUP; the runs behind it are the curve's and vanilla's, whose accuracy is the reference."""
    return entry(stats.Estimate(area.value), NO_UNIT, [*area.runs, place.vanilla.run["run_id"]])


def cost_numbers(decoders: Decoders) -> dict[str, dict]:
    """How near the cost model is to all decoders of a study."""
    rows = beside_of(decoders.places)
    summary = summary_of(rows)
    runs = [row.line.run["run_id"] for row in rows]
    values = {"planned_runs": summary.planned, "equal_runs": summary.equal, "ratio_median": summary.median,
              "ratio_least": summary.least, "ratio_most": summary.most}  # fmt: skip
    return {
        f"decoders.cost.{name}": entry(stats.Estimate(float(value)), NO_UNIT, runs)
        for name, value in values.items()
        if rows and value is not None
    }


def slug(text: str) -> str:
    """A text as a part of a number's name: "threshold-0.9-dual-cache-block"."""
    return re.sub(r"[^\w.]+", "-", text).strip("-")


def slug_of(line: Line) -> str:
    """A line's part of a number's name: the model without steps by its name, a decoder by sampler and cache."""
    if pd.isna(line.run["steps"]):
        return str(line.run["model"])
    early = ["early stop"] if "early stop" in line.name else []
    cache = [] if cache_label(line.run) == "no cache" else [cache_label(line.run)]
    return slug(", ".join([sampler_label(line.run), *cache, *early]))


def names_of_places(places: Sequence[Place]) -> list[str]:
    """ "decoders.tasks.l32.block16.b1.float32.eager.lean", `.t1` behind it at temperature 1, and the prompts' hash
    where two would be the same."""
    result: list[str] = []
    for place in places:
        run = place.first
        what = {"accuracy": "tasks", "": "timed"}.get(place.metric, "text")
        prompt = "" if pd.isna(run["prompt_tokens"]) else f".p{float(run['prompt_tokens']):.0f}"
        shape = f"l{run['gen_length']:.0f}.block{run['block_length']:.0f}.b{run['batch_size']:.0f}{prompt}"
        how = ".".join([run["dtype"], setting_of(run, "engine", "eager"), setting_of(run, "head", DEFAULTS["head"])])
        temperature = temperature_of(run)
        name = f"decoders.{what}.{shape}.{how}" + (f".t{temperature:g}" if temperature else "")
        result.append(f"{name}.{str(run['prompt_hash'])[:6]}.{len(result)}" if name in result else name)
    return result
