"""Hypotheses and what became of them, in the terminal."""

from bench.analysis.hypotheses import Claim, Result, Score
from bench.models import kinds

QUANTITIES = {
    "throughput_ratio": "LLaDA's tokens/s over LLaMA's",
    "latency_ratio": "LLaDA's latency over LLaMA's",
    "turning_batch": "batch from which on LLaDA is slower",
    "largest_batch": "largest batch that fits",
    "break_even_steps": "steps at which time breaks even",
}
STATES = {None: "", True: ", as predicted", False: ", NOT as predicted"}  # by whether a claim was met


def claim_text(claim: Claim) -> str:
    """ "LLaDA's tokens/s over LLaMA's, 128 tokens, batch 1, 4 tokens a step": what the value is of."""
    parts = [QUANTITIES[claim.quantity], f"{claim.gen_length:,} tokens"]
    if claim.quantity == "largest_batch":
        label = kinds.label_of(claim.model)
        parts.insert(0, f"{label} {claim.head}" if kinds.has_steps(claim.model) else label)
    elif claim.quantity != "turning_batch":
        parts.append(f"batch {claim.batch}")
    if tokens := claim.tokens_per_step:
        parts.append(f"{tokens:g} token{'' if tokens == 1 else 's'} a step")
    return ", ".join(parts)


def lines(scores: list[Score]) -> list[str]:
    """Each hypothesis with its claims below it."""
    result = []
    for score in scores:
        result.append(f"{score.name} {score.verdict}: {score.text}")
        result += [result_line(part) for part in score.results]
    return result


def result_line(result: Result) -> str:
    """A claim beside what was measured."""
    claim = result.claim
    measured = "not measured" if result.measured is None else f"measured {result.measured:.3g}"
    return (
        f"   {claim_text(claim)}: predicted {claim.value:.3g} (within x{claim.factor:g}), {measured}"
        f"{STATES[result.is_met]}"
    )
