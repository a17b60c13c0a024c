"""Hypotheses and what became of them, in the terminal."""

from collections import Counter

from bench.analysis.decoder_claims import DecoderClaim
from bench.analysis.decoder_hypotheses import HEAD
from bench.analysis.hypotheses import Result, Score, independent, measured_ones
from bench.analysis.hypotheses_file import Claim
from bench.common.stats import Estimate
from bench.diffusion import choices
from bench.models import kinds
from bench.render.wording import engine_and_head

QUANTITIES = {
    "throughput_ratio": "LLaDA's tokens/s over LLaMA's",
    "latency_ratio": "LLaDA's latency over LLaMA's",
    "turning_batch": "batch from which on LLaDA is slower",
    "largest_batch": "largest batch that fits",
    "break_even_steps": "steps at which time breaks even",
    "speedup": "tokens/s",
    "step_ratio": "a later step of a block over its time at batch 1",
    "parity_tokens_per_step": "tokens a step at which LLaDA's tokens/s are LLaMA's",
    "accuracy_difference": "accuracy on tasks with many right answers",
}
STATES = {  # by what became of a claim
    "met": ", as predicted",
    "not met": ", NOT as predicted",
    "undecided": ", UNDECIDED: the interval reaches across the tolerance",
    "not measured": "",
}


def decoder_claim_text(claim: DecoderClaim) -> str:
    """ "tokens/s of dual cache (block), 4 tokens a step (imposed) over that of no cache, 4 tokens a step (imposed),
    batch 1, 896 prompt tokens": of what the value is, but for engine and head, which all of these claims share."""
    sampler = "imposed" if claim.is_of_time else "fixed"
    decoders = []
    for setting in filter(None, (claim.decoder, claim.over)):
        has_steps = claim.quantity not in ("step_ratio", "parity_tokens_per_step")
        words = choices.label({"cache": setting.cache, "refresh": setting.refresh}) or "no cache"
        tokens = f"{setting.tokens_per_step} token{'' if setting.tokens_per_step == 1 else 's'} a step"
        decoders.append(f"{words}, {tokens} ({sampler})" if has_steps else words)
    if claim.quantity == "throughput_ratio" or len(decoders) == 1:
        what = f"{QUANTITIES[claim.quantity]}, {decoders[0]}"
    else:
        joint = " over that of " if claim.is_of_time else " less that of "
        what = f"{QUANTITIES[claim.quantity]} of {joint.join(decoders)}"
    if not claim.is_of_time:
        return what
    known = " (LLaMA as published)" if claim.reference == "published" else ""
    place = f"batch {claim.batch}, {claim.prompt_tokens:,} prompt tokens"
    return f"{what}, {place}{known}"


def claim_text(claim: Claim | DecoderClaim, engine: str) -> str:
    """ "LLaDA's tokens/s over LLaMA's, 128 tokens, batch 1, 4 tokens a step, captured engine, lean head": of what the
    value is."""
    if isinstance(claim, DecoderClaim):
        where = f", {engine_and_head(engine, [HEAD])}" if claim.is_of_time else ""
        return decoder_claim_text(claim) + where
    parts = [QUANTITIES[claim.quantity], f"{claim.gen_length:,} tokens"]
    if claim.quantity == "largest_batch":
        parts.insert(0, kinds.label_of(claim.model))
    elif claim.quantity != "turning_batch":
        parts.append(f"batch {claim.batch}")
    if tokens := claim.tokens_per_step:
        parts.append(f"{tokens:g} token{'' if tokens == 1 else 's'} a step")
    has_head = claim.quantity != "largest_batch" or kinds.has_steps(claim.model)
    return ", ".join([*parts, engine_and_head(engine, [claim.head] if has_head else [])])


def lines(scores: list[Score], tolerances: str = "", title: str = "Hypotheses") -> list[str]:
    """How many numbers the claims rest on and what became of these, then each hypothesis with its claims below it, and
    the names of those of which none is scored, since they are about another card or other cells.

    tolerances: when, and from what, the tolerances were chosen. title: what these hypotheses are called.
    """
    measured = measured_ones(scores)
    result = []
    for score in measured:
        result.append(f"{score.name} {score.verdict}: {score.text}")
        result += [result_line(part) for part in score.results]
    rest = [score.name for score in scores if score not in measured]
    none_of = [f"No claim of {', '.join(rest)} is scored by this study."] if rest and measured else []
    return [*summary(scores, tolerances, title), *result, *none_of]


def summary(scores: list[Score], tolerances: str = "", title: str = "Hypotheses") -> list[str]:
    """Claims that are functions of one measured number, counted once; empty where nothing was predicted."""
    if not scores:
        return []
    numbers = independent(scores)
    counts = Counter(result.state for result in numbers)
    if set(counts) == {"not measured"}:
        return [f"{title}: no claim of {', '.join(score.name for score in scores)} is scored by this study."]
    names = {
        "met": "as predicted",
        "not met": "not as predicted",
        "undecided": "undecided",
        "not measured": "not measured",
    }
    parts = ", ".join(f"{counts[state]} {words}" for state, words in names.items() if counts[state])
    claims = sum(len(score.results) for score in scores)
    count = f"{title}: {claims} claims about {len(numbers)} numbers, of which {parts}."
    return [f"{count} {' '.join(tolerances.split())}".strip()]


def short(estimate: Estimate) -> str:
    """ "92.1 [88.2, 96.1]": three digits, with the interval where there is one."""
    words = f"{estimate.value:.3g}"
    return words if estimate.low is None else f"{words} [{estimate.low:.3g}, {estimate.high:.3g}]"


def result_line(result: Result) -> str:
    """A claim beside what was measured."""
    claim = result.claim
    measured = "not measured" if result.measured is None else f"measured {short(result.measured)}"
    measured += ", extrapolated" if result.is_extrapolated else ""
    error = "" if result.log_error is None else f", log error {result.log_error.text(2)}"
    same = f" (the number of {result.same_as} again)" if result.same_as else ""
    about = claim_text(claim, result.engine)
    prediction = f"predicted above {claim.bounds[0]:g}"
    if claim.value is not None:
        prediction = f"predicted {claim.value:.3g} (within x{claim.factor:g})"
    return f"   {about}: {prediction}, {measured}{error}{STATES[result.state]}{same}"
