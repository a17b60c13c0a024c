"""Words and numbers that several tables share: names of models, titles, notes, noise, what was left out."""

import pandas as pd

from bench.analysis.comparison import Comparison
from bench.analysis.lines import DEFAULTS
from bench.analysis.runs import part_of, setting_of, temperature_of
from bench.analysis.scaling import PLACE, Line, Scaling
from bench.common import stats
from bench.models import kinds
from bench.spec.cell import STOPS

MISSING = "-"  # where there is no number
NOTE_LENGTH = 80  # characters of a part of a note
RANDOM_WEIGHTS = "random weights, real shapes"
USUAL_JUDGE = "smollm2"  # SmolLM2-135M-Instruct, the judge where nobody asked for another
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
    """The device of some runs; of a CPU, that nothing vouches for it."""
    first = runs.iloc[0]
    doubt = " (a CPU: nothing vouches that it was ours alone)" if first.get("platform") == "cpu" else ""
    return f"{first['device']}{doubt}"


def stop_words(runs: pd.DataFrame) -> str:
    """How the answers of some runs end, which all of them share; empty where the runs do not say it."""
    return "" if runs.empty else STOPS.get(setting_of(runs.iloc[0], "stop", ""), "")


def comparison_title(comparison: Comparison) -> str:
    """ "180 tasks, 32 tokens, natural end, batch 1, float32, greedy, eager engine, lean head": what the runs of a
    comparison have in common."""
    run = comparison.every.iloc[0]
    temperature = temperature_of(run)
    diffusion = comparison.every[comparison.every["model"].map(kinds.has_steps).astype(bool)]
    head = "" if diffusion.empty else setting_of(diffusion.iloc[0], "head", DEFAULTS["head"])
    parts = [
        f"{run['prompts']:.0f} {'tasks' if comparison.about == 'tasks' else 'prompts'}",
        f"{run['gen_length']:.0f} tokens",
        stop_words(comparison.every),
        f"batch {run['batch_size']:.0f}",
        run["dtype"],
        f"temperature {temperature:g}" if temperature else "greedy",
        f"{setting_of(run, 'engine', 'eager')} engine",
        f"{head} head" if head else "",
    ]
    return ", ".join(filter(None, parts))


def scaling_title(scaling: Scaling) -> str:
    """ "batch: 64 tokens, prompts of 32, forced length, float32, lean head": the kind, and what its runs have in
    common."""
    runs = scaling.every
    first = runs.iloc[0]
    common = [name for name in PLACE if runs[name].nunique(dropna=False) == 1 and name != scaling.axis]
    parts = [PLACES[name].format(first[name]) for name in common if pd.notna(first[name])]
    parts += [words] if (words := stop_words(runs)) else []
    parts.append(first["dtype"])
    if runs["engine"].nunique() == 1:
        parts.append(f"{first['engine']} engine")
    diffusion = runs[runs["model"].map(kinds.has_steps)]
    if diffusion["head"].nunique(dropna=False) == 1:
        parts.append(f"{setting_of(diffusion.iloc[0], 'head', DEFAULTS['head'])} head")
    if pd.notna(first["limit_gib"]):
        parts.append(f"within {float(first['limit_gib']):g} GiB")
    return f"{scaling.kind}: {', '.join(parts)}"


def place_words(scaling: Scaling, run: pd.Series) -> str:
    """ "batch 8, 512 tokens": where a run stands on the group's axis, and on every other that varies in the group."""
    varying = [name for name in PLACE if scaling.every[name].nunique(dropna=False) > 1 and name != scaling.axis]
    return ", ".join(PLACES[name].format(run[name]) for name in (scaling.axis, *varying) if pd.notna(run[name]))


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


def part_words(run: pd.Series) -> str:
    """From what a run's times are extrapolated; empty where all forwards were made, or the run has no time."""
    part = part_of(run) if pd.notna(run.get("latency/latency_ms")) else ""
    return f"extrapolated from {part}" if part else ""


def format_value(value: float, digits: int) -> str:
    """A number with so many digits behind the point, a dash where it is missing."""
    return MISSING if pd.isna(value) else f"{value:.{digits}f}"


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
