"""The primary endpoints of a study, in sentences."""

from bench.analysis.endpoints import Outcome
from bench.render.comparison import METRIC_NAMES
from bench.render.wording import engine_and_head
from bench.spec.study_file import STUDIES, Endpoint, StudyFile


def lines(study: str, declared: StudyFile | None, outcomes: list[Outcome]) -> list[str]:
    """What was declared and what became of it; where nothing was, that all numbers are descriptive."""
    if declared is None:
        return [
            f"No primary endpoint was declared for this study ({STUDIES}/{study}.yaml): its numbers are descriptive."
        ]
    several = f", p values adjusted for being {len(outcomes)} (Holm)" if len(outcomes) > 1 else ""
    head = f"Primary endpoints, declared {declared.declared:%Y-%m-%d %H:%M} UTC{several}; the rest is descriptive:"
    return [head, *map(outcome_line, outcomes)]


def question(endpoint: Endpoint) -> str:
    """ "latency at 100 steps over LLaMA's, 128 tokens, batch 1, captured engine, lean head": what is asked."""
    prompts = f", prompts of {endpoint.prompt_tokens}" if endpoint.prompt_tokens else ""
    place = f"{endpoint.gen_length} tokens{prompts}, batch {endpoint.batch}"
    return f"{quantity(endpoint)}, {place}, {engine_and_head(endpoint.engine, [endpoint.head])}"


def quantity(endpoint: Endpoint) -> str:
    """ "LLaDA's latency at 100 steps over LLaMA's": what is asked, wherever that is."""
    if endpoint.quantity == "quality":
        return f"{METRIC_NAMES[endpoint.metric]} within the margin of LLaMA's at the most steps"
    if endpoint.quantity == "latency_ratio":
        return f"LLaDA's latency at {endpoint.steps} steps over LLaMA's"
    return "steps at which LLaDA takes as long"


def outcome_line(outcome: Outcome) -> str:
    """An endpoint, its number and its p, and whether it was shown."""
    begin = f"  {outcome.name}: {question(outcome.endpoint)}"
    if outcome.measured is None:
        return f"{begin}: {outcome.missing}."
    if outcome.endpoint.quantity == "quality":
        number = f"in {outcome.measured.value:.1%} of the bootstrap replicates"
    else:
        units = "card" if outcome.cards == 1 else "cards"
        extrapolated = ", extrapolated" if outcome.is_extrapolated else ""
        number = f"{outcome.measured.text(2)} against {outcome.endpoint.against:g}"
        number += f" ({outcome.rounds} rounds on {outcome.cards} {units}{extrapolated})"
    if outcome.undecided:
        return f"{begin}: {number}; NOT DECIDED: {outcome.undecided}."
    verdict = "not shown"
    if outcome.is_shown:
        is_more = outcome.measured.value > outcome.endpoint.against
        verdict = "SHOWN" if outcome.endpoint.quantity == "quality" else f"SHOWN to be {'more' if is_more else 'less'}"
    return f"{begin}: {number}, p {outcome.p:.2g}, adjusted {outcome.adjusted:.2g}: {verdict}."
