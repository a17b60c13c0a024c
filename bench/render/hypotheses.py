"""Hypotheses and what became of them, in the terminal."""

from bench.analysis.hypotheses import Score


def lines(found: list[Score]) -> list[str]:
    """The scores in the terminal."""
    result = []
    for score in found:
        result.append(f"{score.name} {score.verdict}: {score.text}")
        for part in score.results:
            known = "not measured" if part.measured is None else f"measured {part.measured:.3g}"
            state = {None: "", True: ", as predicted", False: ", NOT as predicted"}[part.is_met]
            claim = part.claim
            result.append(f"   {claim.text}: predicted {claim.value:.3g} (within x{claim.factor:g}), {known}{state}")
    return result
