"""What one answer takes and how good it is: time, quality, the question of 100 steps, the first token."""

from collections.abc import Mapping

from bench.analysis.comparison import Comparison, Match
from bench.analysis.doubt import is_too_wide, is_untold
from bench.analysis.hundred_steps import STEPS, Latency
from bench.analysis.noise import floor_of
from bench.analysis.runs import lead, temperature_of
from bench.common.plural import listed
from bench.models import kinds
from bench.render import wording
from bench.render.comparison import METRIC_NAMES, labels
from bench.render.doubt import NO_INTERVAL, no_interval_words
from bench.render.hundred_steps import metric_words
from paper.results import name_of, name_of_latency
from paper.tables.latex import escape
from paper.values import Numbers, direction, estimate, has, num, val

MAIN = ("", "tasks.")  # what the names of the main comparisons' numbers begin with
NOT_TOLD = "which of the two is faster cannot be told from noise"


SIDES = {"higher": "higher", "lower": "lower", "not told apart": "not_told_apart"}  # with their names in results.json


def time_sentence(comparison: Comparison, prefix: str) -> str:
    """At how many steps both models take equally long, and on which side of it each is faster; empty without both."""
    if not comparison.has_both:
        return ""
    llama, llada = labels(comparison)
    answers = f"{place(comparison)} {llama} answers in {val(f'{prefix}llama.latency_ms')} ms"
    answers += wording.server_words(comparison.autoregressive)
    steps = comparison.break_even_steps
    if steps is None:
        return (
            f"{answers}; one number of steps of {llada} was run, so the steps at which time breaks even are not known."
        )
    if is_too_wide(steps) or is_too_wide(floor_of(comparison.noise)):
        return (
            f"{answers}. At how many steps {llada} takes as long cannot be said from these rounds: the estimate is"
            f" {val(f'{prefix}break_even_steps')} steps."
        )
    if steps.value < 1:
        return f"{answers}, which is less than one step of {llada} takes: {llada} is slower at every number of steps."
    at = f"{val(f'{prefix}break_even_steps')} steps{no_interval_words(steps)}"
    is_silent = is_untold(steps)
    return f"{answers}; {llada} takes as long at {at}." + ("" if is_silent else f" {sides(comparison, llada)}")


def place(comparison: Comparison) -> str:
    """ "With 128 tokens at batch 1": where the answers of a comparison stand."""
    run = comparison.every.iloc[0]
    begin = f"{about(comparison).removesuffix(',')}, with" if comparison.is_checked else "With"
    return f"{begin} {run['gen_length']:.0f} tokens at batch {run['batch_size']:.0f}"


def sides(comparison: Comparison, llada: str) -> str:
    """Which numbers of steps that were run lie on which side of the break-even."""
    counts = comparison.diffusion["steps"]
    steps = comparison.break_even_steps
    low, high = (steps.value, steps.value) if steps.low is None else (steps.low, steps.high)
    if low > counts.max():
        return f"That is beyond the {counts.max():.0f} steps that were run at most: {llada} was faster at every number."
    if high < counts.min():
        return f"That is below the {counts.min():.0f} steps that were run at least: {llada} was slower at every number."
    return f"With fewer steps {llada} is faster, with more it is slower."


def quality_sentences(comparison: Comparison, prefix: str) -> list[str]:
    """The steps at which each declared metric comes within its margin, and what they cost."""
    if not comparison.has_both:
        return []
    if not comparison.margins:
        return ["Quality was not measured: the weights are random, the shapes real."]
    return [quality_sentence(comparison, prefix, metric) for metric in comparison.declared]


def quality_sentence(comparison: Comparison, prefix: str, metric: str) -> str:
    """One metric's cross-over, whatever the outcome."""
    match = comparison.matches[metric]
    name = METRIC_NAMES[metric]
    if match is None:
        return f"{name.capitalize() if name.islower() else name} was not scored for both models."
    return reached(comparison, prefix, match) if match.steps is not None else missed(comparison, prefix, match)


def about(comparison: Comparison) -> str:
    """Which answers a comparison is about."""
    temperature = temperature_of(lead(comparison.every))
    sampled = f" at temperature {temperature:g}" if temperature else ""
    if comparison.about == "problems":
        return f"On word problems{sampled}, in blocks of {comparison.diffusion['block_length'].iloc[0]:.0f},"
    return {"tasks": "On tasks checked by rule", "answers": "On open-ended answers"}[comparison.about] + sampled


def crossing(comparison: Comparison, prefix: str, metric: str) -> str:
    """What the names of a declared metric's cross-over begin with: the metric of a main comparison needs no prefix."""
    return metric if prefix in MAIN else f"{prefix}{metric}"


def reached(comparison: Comparison, prefix: str, match: Match) -> str:
    """Where quality is close enough, and what an answer costs there."""
    llama, llada = labels(comparison)
    cost = direction(
        match.latency_ratio, floor_of(comparison.noise), f": at like quality {llada} is slower",
        f": at like quality {llada} is faster", f", and {NOT_TOLD}",
    )  # fmt: skip
    metric = match.metric
    at = crossing(comparison, prefix, metric)
    fewest = ", the fewest that were run" if match.cross_over.steps == comparison.diffusion["steps"].min() else ""
    return (
        f"{about(comparison)} {llada} comes within the declared margin of {match.margin:g} of {llama}'s"
        f" {METRIC_NAMES[metric]} ({val(f'{prefix}llama.{metric}')}) at {val(f'{at}.cross_over_steps')}"
        f" steps{fewest}. There, at {num(f'{at}.admissible_steps')} steps, an answer takes"
        f" {val(f'{at}.latency_ratio')} times {llama}'s time{no_interval_words(match.latency_ratio)}{cost}."
    )


def missed(comparison: Comparison, prefix: str, match: Match) -> str:
    """That quality was not shown to be close enough, and what the best costs."""
    llama, llada = labels(comparison)
    best = comparison.diffusion.loc[comparison.diffusion[f"quality/{match.metric}"].idxmax()]
    own = f"{prefix}{name_of(best)}"
    at = crossing(comparison, prefix, match.metric)
    return (
        f"{about(comparison)} {llada} is not shown to come within the declared margin of {match.margin:g} of {llama}'s"
        f" {METRIC_NAMES[match.metric]} ({val(f'{prefix}llama.{match.metric}')}) with up to"
        f" {comparison.diffusion['steps'].max():.0f} steps: it does in"
        f" {num(f'{at}.p_reached_percent')}\\,\\% of the bootstrap replicates. Its best is"
        f" {val(f'{own}.{match.metric}')} at {best['steps']:.0f} steps, at {val(f'{own}.latency_ratio')} times the"
        " time."
    )


def first_token(comparison: Comparison, prefix: str, numbers: Numbers) -> str:
    """When the first token, or the first block, can be read; empty where it was not measured."""
    if not comparison.has_both or not has(numbers, f"{prefix}llama.ttft_ms"):
        return ""
    llama, llada = labels(comparison)
    run = comparison.diffusion.iloc[-1]
    own = f"{prefix}{name_of(run)}"
    if not has(numbers, f"{own}.ttfb_ms"):
        return f"The first token of {llama} is final after {val(f'{prefix}llama.ttft_ms')} ms."
    return (
        f"The first token of {llama} is final after {val(f'{prefix}llama.ttft_ms')} ms, the first block of {llada} at"
        f" {run['steps']:.0f} steps after {val(f'{own}.ttfb_ms')} ms."
    )


def steps_needed(comparisons: Mapping[str, Comparison]) -> str:
    """How many steps quality needs: the first half of the question that the study began with.

    comparisons: by what the names of their numbers begin with.
    """
    parts = []
    for prefix, comparison in comparisons.items():
        for metric, match in comparison.matches.items():
            what = metric_words(comparison, metric)
            if comparison.about == "problems":
                what += f" on word problems in blocks of {comparison.diffusion['block_length'].iloc[0]:.0f}"
            if match is not None and match.steps is not None:
                parts.append(f"{val(f'{crossing(comparison, prefix, metric)}.cross_over_steps')} for {what}")
            elif match is not None:
                parts.append(f"more than were run, or not shown, for {what}")
    if not parts:
        return f"Whether {llada_name()} needs {STEPS} steps was not measured: no texts of both models were scored."
    return f"Steps that {llada_name()} needs: {'; '.join(dict.fromkeys(parts))}."


def llada_name() -> str:
    """The name of the first kind of model that has steps."""
    return next(kind.label for kind in kinds.KINDS.values() if kind.has_steps)


def latency_there(latencies: list[Latency]) -> str:
    """Whether latency at 100 steps is higher or lower, over all places that were measured: the other half."""
    if not latencies:
        why = "no answer has so many tokens and a time that grows with the steps"
        return f"{llada_name()}'s latency at {STEPS} steps is not known: {why}."
    by_ratio = sorted(latencies, key=lambda latency: latency.ratio.value)
    if len(by_ratio) == 1:
        [latency] = by_ratio
        return f"At {STEPS} steps {llada_name()}'s latency is {end(latency)} times LLaMA's: {side(latency)}."
    sides = [side(latency) for latency in latencies]
    counts = [f"{word} at {num(f'at_100_steps.{name}')}" for word, name in SIDES.items() if word in sides]
    return (
        f"At {STEPS} steps {llada_name()}'s latency is between {end(by_ratio[0])} and {end(by_ratio[-1])} times"
        f" LLaMA's: {listed(counts)} of the {num('at_100_steps.places')} places that were measured."
    )


def side(latency: Latency) -> str:
    """ "higher", "lower", or that the two cannot be told apart."""
    return direction(latency.ratio, floor_of(latency.noise), "higher", "lower", "not told apart")


def end(latency: Latency) -> str:
    """A ratio and where it stands."""
    prompts = f", prompts of {latency.prompt_tokens}" if latency.prompt_tokens else ""
    both = wording.engine_and_head(latency.engine, [latency.head])
    place = f"{latency.gen_length} tokens, batch {latency.batch_size}{prompts}, {both}"
    no_interval = f", {NO_INTERVAL}" if latency.ratio.low is None else ""
    return f"{val(name_of_latency(latency))} ({escape(place)}{no_interval})"


def equal_quality(comparisons: list[Comparison], numbers: Numbers) -> str:
    """Who is faster where quality is alike, in a line for the conclusion; empty where that was not measured."""
    parts = []
    for comparison in comparisons:
        for metric, match in comparison.matches.items():
            if match is not None and match.latency_ratio is not None:
                ratio = estimate(numbers, f"{metric}.latency_ratio")
                word = direction(ratio, floor_of(comparison.noise), "slower", "faster", "not told apart from LLaMA")
                no_interval = f", {NO_INTERVAL}" if ratio.low is None else ""
                time = f"{val(f'{metric}.latency_ratio')} times the time{no_interval}"
                parts.append(f"by {METRIC_NAMES[metric]} it is {word} ({time})")
            elif match is not None:
                parts.append(f"by {METRIC_NAMES[metric]} like quality was not shown")
    return (
        f"Where {llada_name()} is as good as LLaMA within the margin: {'; '.join(dict.fromkeys(parts))}."
        if parts
        else ""
    )
