"""Words and numbers that several tables share: names of models, titles, notes, noise, what was left out."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from bench.analysis.comparison import Comparison
from bench.analysis.lines import DEFAULTS
from bench.analysis.runs import are_served, lead, part_of, setting_of, temperature_of
from bench.analysis.scaling import PLACE, Line, Scaling
from bench.common import stats
from bench.common.plural import counted
from bench.models import kinds
from bench.models.engines import label_of
from bench.spec.cell import STOPS

MISSING = "-"  # where there is no number
NOTE_LENGTH = 80  # characters of a part of a note
RANDOM_WEIGHTS = "random weights, real shapes"
USUAL_JUDGE = "smollm2"  # SmolLM2-135M-Instruct, the judge where nobody asked for another
PLACE_SETTINGS = ("engine", "head", "attention")  # stand beside a place where they differ
PLACES = {"batch_size": "batch {:.0f}", "gen_length": "{:.0f} tokens", "prompt_tokens": "prompts of {:.0f}"}


def label_of_models(runs: pd.DataFrame, with_steps: bool) -> str:
    """The name of the model of some runs; where there are none, of the first kind that has steps, or has none."""
    if not runs.empty:
        return kinds.label_of(runs["model"].iloc[0])
    return next(kind.label for kind in kinds.KINDS.values() if kind.has_steps == with_steps)


def weights_label(runs: pd.DataFrame) -> str:
    """What every table and figure must say of the runs' weights; empty where there is nothing to say."""
    made_up = not runs.empty and "weights" in runs and (runs["weights"] == "random").any()
    return f"{RANDOM_WEIGHTS}: no quality" if made_up else ""


def machine_of(runs: pd.DataFrame) -> str:
    """The device of some runs; of a CPU, that nothing vouches for it. Behind it the servers that were asked."""
    first = lead(runs)
    doubt = " (a CPU: nothing vouches that it was ours alone)" if first.get("platform") == "cpu" else ""
    own = "" if are_served(runs).all() else f"{first['device']}{doubt}"
    return "; ".join(filter(None, [own, *servers_of(runs)]))


def servers_of(runs: pd.DataFrame) -> list[str]:
    """The servers of some runs, by what they say of themselves: nobody knows their machines."""
    places = {(kinds.label_of(run["model"]), run["device"]) for _, run in runs[are_served(runs)].iterrows()}
    return [
        f"{model} by the server of {device} (nothing vouches that it was ours alone)"
        for model, device in sorted(places)
    ]


def server_words(runs: pd.DataFrame) -> str:
    """What must be said beside a time of some runs that is a server's; empty where it is ours."""
    return " from its server, whose queue and the way there are part of that" if are_served(runs).any() else ""


def by_a_server(runs: pd.DataFrame) -> str:
    """ "LLaMA by a server", where only some of the runs are a server's; else empty."""
    served = are_served(runs)
    return f"{label_of_models(runs[served], with_steps=False)} by a server" if served.any() and not served.all() else ""


def stop_words(runs: pd.DataFrame) -> str:
    """How the answers of some runs end, which all of them share; empty where the runs do not say it."""
    return "" if runs.empty else STOPS.get(setting_of(runs.iloc[0], "stop", ""), "")


def engine_and_head(engine: str, heads: Iterable[str] = (), is_short: bool = False) -> str:
    """ "captured engine, lean head": how forwards are run, and how LLaDA's logits become tokens. These are two axes, so
    what names one names the other.

    heads: of the runs with steps that are spoken of; none where there is no such run. is_short: "captured, lean head",
    for the lines of tables and figures.
    """
    names = list(dict.fromkeys(heads))
    name = engine if is_short else f"{engine} engine"
    return f"{name}, {' and '.join(names)} {'head' if len(names) == 1 else 'heads'}" if names else name


def heads_of(runs: pd.DataFrame) -> list[str]:
    """The heads of those of some runs that have steps, each once."""
    diffusion = runs[runs["model"].map(kinds.has_steps).astype(bool)]
    return list(dict.fromkeys(setting_of(run, "head", DEFAULTS["head"]) for _, run in diffusion.iterrows()))


def engine_of(run: pd.Series) -> str:
    """A run's engine, as it stands beside its numbers."""
    return label_of(setting_of(run, "engine", "eager"), setting_of(run, "platform", ""))


def setting_text(run: pd.Series, name: str, default: str) -> str | None:
    """A setting of a run, as it stands in a column of its own; None for the head of a model that computes its logits in
    one way only."""
    if name == "head" and not kinds.has_steps(run["model"]):
        return None
    return engine_of(run) if name == "engine" else setting_of(run, name, default)


def own_engine_and_head(run: pd.Series, is_short: bool = False) -> str:
    """ "captured engine, lean head": of one run; of a model without steps the engine alone."""
    return engine_and_head(engine_of(run), heads_of(run.to_frame().T), is_short)


def differing_settings(runs: Sequence[pd.Series], names: Iterable[str]) -> list[str]:
    """In words, for each of some runs with steps, those of its settings that differ between them; engine and head stand
    together where either differs."""
    both = {"engine", "head"}
    values = {name: [setting_of(run, name, DEFAULTS.get(name, "")) for run in runs] for name in names}
    differing = [name for name in values if len(set(values[name])) > 1]
    others = [name for name in differing if name not in both]
    texts = []
    for number, run in enumerate(runs):
        pair = [own_engine_and_head(run)] if both & set(differing) else []
        texts.append(", ".join([*pair, *(values[name][number] for name in others)]))
    return texts


def comparison_title(comparison: Comparison) -> str:
    """ "180 tasks, 32 tokens, natural end, batch 1, float32, greedy, eager engine, lean head": what the runs of a
    comparison have in common."""
    run = lead(comparison.every)
    temperature = temperature_of(run)
    parts = [
        prompts_counted(run, comparison.about if comparison.is_checked else "prompts"),
        f"{run['gen_length']:.0f} tokens",
        blocks_words(comparison) if comparison.about == "problems" else "",
        stop_words(comparison.every),
        f"batch {run['batch_size']:.0f}",
        run["dtype"],
        temperature_words(temperature),
        engine_and_head(engine_of(run), heads_of(comparison.every)),
        by_a_server(comparison.every),
    ]
    return ", ".join(filter(None, parts))


def prompts_counted(run: pd.Series, what: str = "prompts") -> str:
    """ "180 tasks", "1 prompt": how many prompts a run answered; empty where it does not say."""
    count = pd.to_numeric(run.get("prompts"))
    return "" if pd.isna(count) else counted(int(count), what.removesuffix("s"))


def blocks_words(comparison: Comparison) -> str:
    """ "blocks of 32": those that the runs of a comparison are written in; empty where none is."""
    return "" if comparison.diffusion.empty else f"blocks of {comparison.diffusion.iloc[0]['block_length']:.0f}"


def scaling_title(scaling: Scaling) -> str:
    """ "batch: 64 tokens, prompts of 32, forced length, float32, lean head": the kind, and what its runs have in
    common."""
    runs = scaling.every
    first = lead(runs)
    common = [name for name in PLACE if runs[name].nunique(dropna=False) == 1 and name != scaling.axis]
    parts = [PLACES[name].format(first[name]) for name in common if pd.notna(first[name])]
    parts += [words] if (words := stop_words(runs)) else []
    parts.append(first["dtype"])
    heads = heads_of(runs)
    if runs.loc[~are_served(runs), "engine"].nunique() == 1:
        parts.append(engine_and_head(engine_of(first), heads))
    elif len(heads) == 1:  # where both differ, each line names both
        parts.append(f"{heads[0]} head")
    parts.append(by_a_server(runs))
    parts.append(limit_words(first["limit_gib"]))
    return f"{scaling.kind}: {', '.join(filter(None, parts))}"


def place_words(scaling: Scaling, run: pd.Series) -> str:
    """ "batch 8, 512 tokens": where a run stands on the group's axis, and on every other that varies in the group."""
    varying = [name for name in PLACE if scaling.every[name].nunique(dropna=False) > 1 and name != scaling.axis]
    return ", ".join(PLACES[name].format(run[name]) for name in (scaling.axis, *varying) if pd.notna(run[name]))


def places_words(scaling: Scaling, runs: Sequence[pd.Series]) -> list[str]:
    """ "batch 8, captured engine, lean head": where each of some runs with steps stands, and those of its settings that
    differ between them."""
    stated = differing_settings(runs, PLACE_SETTINGS)
    return [
        ", ".join(filter(None, [place_words(scaling, run), settings]))
        for run, settings in zip(runs, stated, strict=True)
    ]


def line_name(line: Line) -> str:
    """ "LLaDA, 4 tokens a step, official head": the model, and of the rest what differs between its lines."""
    tokens = line.tokens_per_step
    parts = [
        kinds.label_of(line.model),
        f"{tokens:g} token{'' if tokens == 1 else 's'} a step" if tokens is not None else "",
        f"{line.head} head" if line.head else "",
        line.engine,
        f"{line.attention} attention" if line.attention else "",
        f"{line.fill} weights" if line.fill else "",
    ]
    return ", ".join(filter(None, parts))


def note(run: pd.Series) -> str:
    """What stands beside a run's numbers, or in their place."""
    parts = (run.get("reason"), run.get("flags"), part_words(run))
    return " ".join(str(part)[:NOTE_LENGTH] for part in parts if part and not pd.isna(part))


def with_metrics(table: pd.DataFrame, runs: pd.DataFrame, metrics: Mapping[str, tuple[str, int]]) -> pd.DataFrame:
    """A table of some runs, a line a run, with a column for each metric that a run has. metrics: (heading, digits) by
    metric."""
    there = {metric: shown for metric, shown in metrics.items() if metric in runs and runs[metric].notna().any()}
    columns = {
        heading: [format_value(value, digits) for value in runs[metric]] for metric, (heading, digits) in there.items()
    }
    return table.assign(**columns)


def with_notes(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """A table of some runs with what there is to say beside each; as it is where there is nothing."""
    notes = [note(run) for _, run in runs.iterrows()]
    return table.assign(note=notes) if any(notes) else table


def part_words(run: pd.Series) -> str:
    """From what a run's times are extrapolated; empty where all forwards were made, or the run has no time."""
    part = part_of(run) if pd.notna(run.get("latency/latency_ms")) else ""
    return f"extrapolated from {part}" if part else ""


def format_value(value: float, digits: int) -> str:
    """A number with so many digits behind the point, a dash where it is missing."""
    return MISSING if pd.isna(value) else f"{value:.{digits}f}"


def temperature_words(temperature: float) -> str:
    """ "greedy" or "temperature 1": how tokens were chosen."""
    return f"temperature {temperature:g}" if temperature else "greedy"


def interval(estimate: stats.Estimate, digits: int, unit: str = "") -> str:
    """ "0.41 [0.38, 0.44]": a value, with its interval where there is any."""
    return estimate.text(digits, unit)


def left_out_sentence(group: Comparison | Scaling) -> str:
    """How many runs stand in the table without numbers; empty where none does."""
    if group.left_out.empty:
        return ""
    outcomes = group.left_out["outcome"].where(group.left_out["outcome"] != "ok", "excluded").value_counts()
    counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    return f"Left out: {len(group.left_out)} of {len(group.every)} runs ({counts})."


def retry_sentence(comparison: Comparison) -> str:
    """How to measure again what was left out."""
    left_out = comparison.left_out
    if left_out.empty:
        return ""
    words = left_out["outcome"].where(left_out["outcome"] != "ok", left_out["verdict"])
    return f'To measure again what was left out: RETRY="{" ".join(sorted(set(words)))}" with the same settings.'


def capitalised(text: str) -> str:
    """A text with a capital letter in front, the rest as it is."""
    return text[:1].upper() + text[1:]


def scoring_sentences(runs: pd.DataFrame) -> list[str]:
    """What a reader must know of some runs' scores: what has none and why, and whose judge perplexity it is. Runs of
    which the same is to be said share a sentence."""
    runs_by_words: dict[str, list[str]] = {}
    for _, run in runs.iterrows():
        if words := setting_of(run, "not_scored", ""):
            steps = "" if pd.isna(run.get("steps")) else f" {run['steps']:.0f} steps"
            runs_by_words.setdefault(words, []).append(f"{run['model']}{steps}")
    sentences = [f"Not scored of {', '.join(names)}: {words}." for words, names in runs_by_words.items()]
    if "judge" in runs and "quality/judge_perplexity" in runs:
        judged = runs[runs["quality/judge_perplexity"].notna()]
        others = sorted({setting_of(run, "judge", USUAL_JUDGE) for _, run in judged.iterrows()} - {USUAL_JUDGE})
        if others:
            sentences.append(f"Judge perplexity is by {' and '.join(others)}; it compares with no other judge's.")
    return sentences


def limit_words(limit_gib: float | None) -> str:
    """ "within 24 GiB": the memory that runs were allowed; empty where it was all that the device has."""
    return "" if pd.isna(limit_gib) else f"within {float(limit_gib):g} GiB"


def allocator_words(runs: pd.DataFrame) -> str:
    """ "allocator expandable_segments:True": the settings of torch's allocator on the GPU of some runs; empty where no
    run tells them: one that failed may not have come so far."""
    told = runs[(runs["platform"] == "cuda") & (runs["outcome"] == "ok")]
    settings = sorted({setting_of(run, "env.allocator", "at its defaults") for _, run in told.iterrows()})
    return f"allocator {' and '.join(settings)}" if settings else ""
