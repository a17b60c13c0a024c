"""The answers to the question that the study began with, in sentences."""

from bench.analysis.comparison import Comparison
from bench.analysis.doubt import is_untold
from bench.analysis.hundred_steps import STEPS, Latency
from bench.analysis.noise import floor_of
from bench.analysis.runs import lead, temperature_of
from bench.render.comparison import METRIC_NAMES, steps_text
from bench.render.doubt import equal_words, no_interval_words
from bench.render.wording import engine_and_head, interval, weights_label
from bench.spec.cell import STOPS


def lines(comparisons: list[Comparison], latencies: list[Latency]) -> list[str]:
    """The question, the steps that quality needs, and the latency at 100 steps for each place; empty where neither
    was measured."""
    quality = quality_answers(comparisons)
    if not quality and not latencies:
        return []
    question = f"Does LLaDA need {STEPS} steps to match LLaMA, and is its latency at {STEPS} steps higher or lower?"
    steps = "; ".join(quality) or "not measured (no scored texts of both models)"
    no_latency = [
        f"  Latency at {STEPS} steps: not known (no answer of so many tokens whose time grows with the steps)."
    ]
    return [
        question,
        f"  Steps for equal quality: {steps}.",
        *(map(latency_line, latencies) if latencies else no_latency),
    ]


def quality_answers(comparisons: list[Comparison]) -> list[str]:
    """The steps that each declared metric needs; that random weights have no quality."""
    answers = []
    for comparison in comparisons:
        if not comparison.has_both:
            continue
        if weights_label(comparison.every):
            answers.append("not measured (the weights are random)")
        for metric, match in comparison.matches.items():
            if match is not None:
                answers.append(f"{quality_answer(comparison, metric)} ({comparison.dtype})")
    return list(dict.fromkeys(answers))


def quality_answer(comparison: Comparison, metric: str) -> str:
    """ "30 [29, 30] for accuracy at 32 tokens", or that the measured steps did not suffice."""
    match = comparison.matches[metric]
    most = comparison.diffusion["steps"].max()
    what = metric_words(comparison, metric)
    if match.steps is None:
        return f"more than the {most:.0f} that were run, or not shown, for {what}"
    return f"{steps_text(match.cross_over, most)} for {what}"


def metric_words(comparison: Comparison, metric: str) -> str:
    """ "accuracy at 32 tokens and temperature 1": a declared metric, and of which answers."""
    words = f"{METRIC_NAMES[metric]} at {comparison.every['gen_length'].iloc[0]:.0f} tokens"
    temperature = temperature_of(lead(comparison.every))
    return f"{words} and temperature {temperature:g}" if temperature else words


def place_words(latency: Latency) -> str:
    """ "128 tokens, forced length, batch 1, prompts of 128, bfloat16, captured engine, lean head"."""
    prompts = [] if latency.prompt_tokens is None else [f"prompts of {latency.prompt_tokens}"]
    ends = [STOPS[latency.stop]] if latency.stop else []
    parts = [f"{latency.gen_length} tokens", *ends, f"batch {latency.batch_size}", *prompts, latency.dtype]
    return ", ".join([*parts, engine_and_head(latency.engine, [latency.head])])


def latency_line(latency: Latency) -> str:
    """The latency at 100 steps at one place: higher, lower, or too noisy to say."""
    doubt = equal_words(latency.ratio, latency.rounds, floor_of(latency.noise), "whether that is more or less")
    is_silent = doubt or is_untold(latency.ratio)
    direction = "" if is_silent else ", higher" if latency.ratio.value > 1 else ", lower"
    digits = 1 if latency.ratio.value >= 10 else 2
    no_interval = no_interval_words(latency.ratio)
    parts = f", extrapolated from {' and '.join(latency.parts)}" if latency.parts else ""
    words = f"{interval(latency.ratio, digits)} times LLaMA's latency{no_interval}{direction}{parts}{doubt}"
    return f"  At {STEPS} steps, {place_words(latency)}: {words}."
