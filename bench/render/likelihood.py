"""Bits per byte of held-out text, in the terminal."""

from bench.analysis.likelihood import Likelihood
from bench.models import kinds
from bench.render.wording import interval


def lines(likelihoods: list[Likelihood]) -> list[str]:
    """A line a model and text. A causal model's likelihood is exact, the other kind's is bounded from above."""
    result = []
    for likelihood in likelihoods:
        kind = "exact" if kinds.KINDS[likelihood.model].causal else "upper bound"
        bits = interval(likelihood.bits_per_byte, 3)
        result.append(f"Likelihood: {likelihood.model} {bits} bits per byte of {likelihood.text} ({kind}).")
    return result
