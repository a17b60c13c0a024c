"""What a study holds and what it does not: its sections, the box of the first page, the abstract, threats."""

from collections.abc import Mapping

from bench.analysis.comparison import Comparison
from bench.analysis.scaling import AXES
from bench.common.plural import listed
from bench.render import borrowed as render_borrowed
from bench.render import wording
from bench.spec.pair import PairFile
from paper.facts import POCKET_PAIRS
from paper.selection import Selection
from paper.sentences import endpoints, growth, outcome, resources, scored, server, threats
from paper.tables.latex import escape
from paper.values import Numbers, num

SECTIONS = {  # a section that a study may lack, by the sentences of which one makes it, with its name in the text
    "time": ("say_time",),
    "baseline": ("say_baseline",),
    "quality": ("say_quality_measured",),
    "problems": ("say_problems",),
    "batch": ("say_parallel",),
    "length": ("say_length", "say_corners"),
    "prompt": ("say_prompt",),
    "memory": ("say_peak", "say_edges", "table_scaling_memory"),
    "engines": ("say_engines", "table_scaling_engines", "say_parity"),
    "decoders": ("say_decoders", "table_decoders"),
    "energy": ("say_energy",),
    "predictions": ("say_predictions",),
}
NAMES = {
    "time": "both models over the steps",
    "baseline": "LLaMA alone",
    "quality": "quality of the text",
    "problems": "word problems",
    "engines": "engines and their floors",
    "predictions": "predictions stated beforehand",
}
APPENDIX = {  # parts of it, by the tables of which one makes it
    "appendix_answer": ("table_latency", "table_accuracy", "table_ends"),
    "appendix_growth": tuple(f"table_scaling_{kind}" for kind in AXES),
}
PREFIXES = {"table": "tab", "figure": "fig"}  # of labels in LaTeX
REFERENCES = {  # what a part of the text points to
    "see_ends": ("table_ends",),
    "see_baseline": ("table_cost", "figure_roofline"),
    "see_time": ("table_steps", "figure_step_time", "table_latency", "table_throughput"),
    "see_tasks": ("table_steps_tasks", "figure_accuracy", "table_accuracy", "table_accuracy_by_task"),
    "see_problems": ("table_problems", "figure_problems"),
    "see_quality": ("figure_pareto", "figure_quality", "table_quality"),
    "see_batch": ("figure_batch", "table_scaling_batch"),
    "see_length": ("figure_length", "table_scaling_length"),
    "see_prompt": ("figure_prompt", "table_scaling_prompt"),
    "see_growth": ("table_growth", "table_scaling_corners"),
    "see_surface": ("figure_surface",),
    "see_memory": ("figure_memory_map", "figure_memory_split", "figure_frontier", "table_scaling_memory",
                   "table_scaling_frontier", "table_memory", "table_cost_memory"),
    "see_engines": ("figure_engines", "table_scaling_engines"),
    "see_attention": ("figure_attention", "table_scaling_attention"),
    "see_values": ("table_scaling_values",),
    "see_decoders": ("figure_decoders_lost", "figure_decoders_pareto", "figure_decoders_parallelism",
                     "figure_decoders_rate", "table_decoders_best", "table_decoders_fastest", "table_decoders",
                     "table_carried_over"),
    "see_noise": ("figure_noise",),
    "see_energy": ("figure_energy", "table_energy"),
    "see_predictions": ("figure_predictions", "table_scoreboard", "table_hypotheses", "table_hypotheses_decoders",
                        "table_predictions"),
    "see_cells": ("table_cells",),
    "see_aup": ("table_decoders_aup",),
}  # fmt: skip
EIGHT_BILLION = "8b"  # how the names of pairs of that size begin


def of(selection: Selection, numbers: Numbers, there: Mapping[str, str]) -> dict[str, str]:
    """Everything of the text that depends on what was measured, as LaTeX, by name.

    there: `figure_NAME` and `table_NAME` of every figure and table that there is.
    """
    said = {**there, **sentences(selection, numbers)}
    said |= sections(said)
    said |= {part: "yes" for part, tables in APPENDIX.items() if any(name in said for name in tables)}
    said |= references(said) | known(selection, said)
    return said | {"abstract": abstract(said), "conclusion": conclusion(said)}


def sentences(selection: Selection, numbers: Numbers) -> dict[str, str]:
    """Every sentence that depends on what was measured, as LaTeX, by name; none that has nothing to say."""
    findings = selection.findings
    main = selection.first
    prefix = "tasks." if main is selection.tasks else ""
    scalings = selection.scalings
    said = {
        "say_baseline": resources.baseline(main, prefix, numbers),
        "say_time": outcome.time_sentence(main, prefix),
        "say_time_tasks": outcome.time_sentence(selection.tasks, "tasks.") if main is not selection.tasks else "",
        "say_quality": " ".join(quality(selection)),
        "say_problems": " ".join(of_each(selection.problems)),
        "say_sampled": " ".join(of_each(selection.other_temperatures)),
        "say_borrowed": escape(render_borrowed.verdict(findings.borrowed)) if findings.borrowed else "",
        "say_quality_measured": "yes" if any_quality(selection) else "",
        "say_first": outcome.first_token(main, prefix, numbers),
        "say_steps_needed": outcome.steps_needed(selection.crossing) if main.has_both else "",
        "say_hundred": outcome.latency_there(findings.hundred_steps) if main.has_both or findings.hundred_steps else "",
        "say_equal_quality": outcome.equal_quality([selection.answers, selection.tasks], numbers),
        "say_peak": resources.peak(main, prefix, numbers),
        "say_edges": resources.edges(scalings.get("frontier"), numbers),
        "say_doubted_peaks": resources.doubted_peaks(findings),
        "say_energy": resources.energy(main, prefix),
        "say_engines": resources.engines(main, selection.on_engines, numbers),
        "say_parity": resources.at_parity(main, prefix) if main.has_both else "",
        "say_noise": noise(selection, prefix),
        "say_predictions": scored.predictions(findings, numbers),
        "say_decoders": scored.decoders(findings.decoders, numbers),
        "say_decoders_beside": scored.beside(findings.decoders),
        "say_batches": scored.batches(findings.decoders),
        "say_endpoints": endpoints.sentences(findings),
        "say_endpoints_short": endpoints.short(findings.endpoints),
        "say_left_out": left_out(numbers),
    }
    said |= growth.of(scalings, numbers) | server.of(main)
    said |= {f"threat_{name}": text for name, text in threats.of(selection, main, prefix).items()}
    return {name: text for name, text in said.items() if text}


def noise(selection: Selection, prefix: str) -> str:
    """What the sentinels say, of the main comparison and of the same on other engines; each sentinel once."""
    compared = {prefix: selection.first} | {p: c for p, c in selection.compared.items() if p not in outcome.MAIN}
    by_runs = {
        tuple(run for noise in comparison.noise for run in noise.runs): (p, comparison)
        for p, comparison in reversed(compared.items())
        if comparison.has_both
    }
    return " ".join(resources.noise(comparison, p) for p, comparison in reversed(by_runs.values()))


def quality(selection: Selection) -> list[str]:
    """What is said of quality, each sentence once."""
    parts = outcome.quality_sentences(selection.tasks, "tasks.") + outcome.quality_sentences(selection.answers, "")
    return list(dict.fromkeys(parts))


def of_each(comparisons: Mapping[str, Comparison]) -> list[str]:
    """What is said of the quality of several comparisons, by what the names of their numbers begin with."""
    return [
        sentence for prefix, comparison in comparisons.items()
        for sentence in outcome.quality_sentences(comparison, prefix)
    ]  # fmt: skip


def any_quality(selection: Selection) -> bool:
    """Whether a declared metric of both models was scored."""
    return any(match is not None for c in (selection.answers, selection.tasks) for match in c.matches.values())


def left_out(numbers: Numbers) -> str:
    """How many cells stand in the tables without numbers, and how many of them for a card that was not ours alone.

    Tries of the frontier that ran out of memory are named by themselves: they are what the search looks for.
    """
    if not (numbers["cells.left_out"]["value"] or "cells.too_large" in numbers):
        return f"The study has {num('cells.all')} cells, and all of them count."
    parts = [f"The study has {num('cells.all')} cells."]
    if "cells.too_large" in numbers:
        parts.append(
            f"{num('cells.too_large')} of them are batches that did not fit into memory, which is how a search for the"
            " largest batch ends."
        )
    if numbers["cells.left_out"]["value"] == 0:
        return " ".join([*parts, "All others count."])
    which = f"{num('cells.violated')} of these" if numbers["cells.violated"]["value"] else "none of these"
    parts.append(
        f"{num('cells.left_out')} of them failed or cannot be believed, and stand in the tables with the reason and"
        f" without numbers; {which} because other programs used the card."
    )
    return " ".join(parts)


def sections(said: Mapping[str, str]) -> dict[str, str]:
    """`has_SECTION` for each section that a study has, and `missing`: the names of the others; absent where it has all.

    said: sentences, and what tables and figures there are.
    """
    there = {name: any(key in said for key in keys) for name, keys in SECTIONS.items()}
    lacking = [NAMES.get(name, name) for name, is_there in there.items() if not is_there]
    result = {f"has_{name}": "yes" for name, is_there in there.items() if is_there}
    axes = [name for name in ("batch", "length", "prompt") if there[name]]
    return result | ({"has_growth": "yes"} if axes else {}) | ({"missing": ", ".join(lacking)} if lacking else {})


def references(said: Mapping[str, str]) -> dict[str, str]:
    """ "See Table 2 and Figure 1.", by name, with those that there are."""
    result = {}
    for name, targets in REFERENCES.items():
        parts = []
        for kind, prefix in PREFIXES.items():
            there = [
                f"\\ref{{{prefix}:{target.split('_', 1)[1]}}}"
                for target in targets
                if target in said and target.startswith(kind)
            ]
            parts += [f"{kind.capitalize()}{'s' if len(there) > 1 else ''}~{listed(there)}"] if there else []
        if parts:
            result[name] = f"See {' and '.join(parts)}."
    return result


def known(selection: Selection, said: Mapping[str, str]) -> dict[str, str]:
    """The box of the first page: what this study knows at 8B, at pocket scale, and what it does not."""
    pair = selection.findings.pair
    measured = measured_words(said, pair)
    elsewhere = "Nothing: this study measured no model of that size."
    is_large, is_pocket = pair.name.startswith(EIGHT_BILLION), pair.name in POCKET_PAIRS
    result = {
        "knows_8b": measured if is_large else elsewhere,
        "knows_pocket": measured if is_pocket else elsewhere,
        "knows_not": unknown_words(said, pair),
    }
    return result if is_large or is_pocket else result | {"knows_own": f"Pair {escape(pair.name)}: {measured}"}


def measured_words(said: Mapping[str, str], pair: PairFile) -> str:
    """What was measured, in a list, and the verdict on time."""
    names = [NAMES.get(name, name) for name in SECTIONS if f"has_{name}" in said]
    what = f"measured: {', '.join(names)}."
    random = " Weights are random in the exact shapes, so that there is no quality." if pair.has_random_weights else ""
    return f"{wording.capitalised(what)}{random} {said.get('say_time', '')}".strip()


def unknown_words(said: Mapping[str, str], pair: PairFile) -> str:
    """What a reader may not take from this study."""
    parts = [f"Not measured here: {said['missing']}."] if "missing" in said else []
    if not pair.name.startswith(EIGHT_BILLION):
        parts.append("No number of it carries over to other sizes.")
    elif pair.has_random_weights:
        parts.append("How many steps trained weights need at this size is not known from it.")
    return " ".join([*parts, "Other cards, other engines and load by many users were not tried."])


def abstract(said: Mapping[str, str]) -> str:
    """The verdict: each question that was measured, in a line; of a study without a main comparison what it has."""
    first = "say_time" if "say_time" in said else "say_baseline"
    order = ("say_accuracy", first, "say_endpoints_short", "say_quality", "say_problems", "say_borrowed",
             "say_hundred", "say_parallel_short", "say_peak", "say_energy", "say_first", "say_decoders",
             "say_predictions", *without_comparison(said))  # fmt: skip
    return " ".join(said[name] for name in order if name in said)


def conclusion(said: Mapping[str, str]) -> str:
    """The answers in the order of the questions."""
    order = ("say_steps_needed", "say_endpoints_short", "say_borrowed", "say_hundred", "say_equal_quality",
             "say_parallel_short", "say_energy", "say_decoders", "say_parity", *without_comparison(said))  # fmt: skip
    return " ".join(said[name] for name in order if name in said)


def without_comparison(said: Mapping[str, str]) -> tuple[str, ...]:
    """What stands for the outcome of a study that compares no steps: where memory ends, and decoders beside LLaMA."""
    return () if {"say_time", "say_baseline"} & said.keys() else ("say_edges", "say_decoders_beside")
