"""The primary endpoints of a study, in sentences."""

from itertools import groupby

from bench.analysis.endpoints import Outcome
from bench.analysis.findings import Findings
from bench.render import endpoints as render_endpoints
from paper.sentences.counts import name_of_endpoint
from paper.tables.latex import escape
from paper.values import num, val


def sentences(findings: Findings) -> str:
    """What was declared to be primary, and what became of it; where nothing was, that all numbers are descriptive."""
    head, *_ = render_endpoints.lines(findings.study, findings.declared, findings.endpoints)
    return r"\par ".join([escape(head), *map(sentence, findings.endpoints)])


def short(outcomes: list[Outcome]) -> str:
    """The same for the abstract: each quantity once, then every endpoint's name, number and verdict; empty where none
    was measured."""
    if all(outcome.measured is None for outcome in outcomes):
        return ""
    quantities = [
        f"{escape(quantity)}: {'; '.join(map(in_short, of_quantity))}"
        for quantity, of_quantity in groupby(outcomes, lambda outcome: render_endpoints.quantity(outcome.endpoint))
    ]
    return f"Declared before the study ran: {'; '.join(quantities)}."


def in_short(outcome: Outcome) -> str:
    """ "one answer, 256 tokens, 0.94 [0.92, 0.95], shown to be less than 1"."""
    name = escape(outcome.name)
    if outcome.undecided:
        return f"{name}, not decided"
    if outcome.endpoint.quantity == "quality":
        return f"{name}, {verdict(outcome)}"
    than = f" than {outcome.endpoint.against:g}" if outcome.is_shown else ""
    return f"{name}, {val(f'{name_of_endpoint(outcome)}.measured')}, {verdict(outcome)}{than}"


def sentence(outcome: Outcome) -> str:
    """An endpoint, its number, its p, and whether it was shown."""
    begin = f"{escape(outcome.name.capitalize())}: {escape(render_endpoints.question(outcome.endpoint))}"
    if outcome.measured is None:
        return f"{begin}: {escape(outcome.missing)}."
    name = name_of_endpoint(outcome)
    if outcome.endpoint.quantity == "quality":
        number = f"a share of {val(f'{name}.measured')} of the bootstrap replicates"
    else:
        extrapolated = ", extrapolated" if outcome.is_extrapolated else ""
        number = (
            f"{val(f'{name}.measured')} against {outcome.endpoint.against:g} (rounds: {num(f'{name}.rounds')}; cards:"
        )
        number += f" {num(f'{name}.cards')}{extrapolated})"
    if outcome.undecided:
        return f"{begin}: {number}; not decided: {escape(outcome.undecided)}."
    return f"{begin}: {number}, $p$ {num(f'{name}.p')}, adjusted {num(f'{name}.adjusted')}: {verdict(outcome)}."


def verdict(outcome: Outcome) -> str:
    """Whether an endpoint that was decided was shown, and to which side."""
    if not outcome.is_shown:
        return "not shown"
    if outcome.endpoint.quantity == "quality":
        return "shown"
    return f"shown to be {'more' if outcome.measured.value > outcome.endpoint.against else 'less'}"
