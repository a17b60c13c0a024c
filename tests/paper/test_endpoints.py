"""Primary endpoints in the text of the paper, whatever became of them."""

import re

import pytest

from bench.analysis.endpoints import Outcome
from bench.common.stats import Estimate
from bench.spec.study_file import Endpoint
from paper.sentences import counts, endpoints

AT_100 = Endpoint(quantity="latency_ratio", steps=100)
QUALITY = Endpoint(quantity="quality", metric="accuracy")
LESS = Estimate(0.7, 0.6, 0.8)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome("one", AT_100, LESS, 0.001, 0.002, 2, 6), "shown to be less"),
        (Outcome("one", AT_100, Estimate(1.4, 1.2, 1.6), 0.001, 0.002, 2, 6), "shown to be more"),
        (Outcome("one", AT_100, Estimate(1.1, 0.9, 1.4), 0.2, 0.4, 2, 6), "not shown"),
        (Outcome("one", AT_100, LESS, 0.001, None, 2, 3, missing="3 of 5 rounds"), "not decided: 3 of 5 rounds"),
        (Outcome("one", QUALITY, Estimate(0.99), 0.001, 0.002), "shown"),
        (Outcome("one", AT_100, missing="not measured"), "not measured"),
    ],
)
def test_what_became_of_an_endpoint_is_said_with_numbers_of_results_json(outcome, said):
    sentence = endpoints.sentence(outcome)
    assert sentence.endswith((f": {said}.", f"; {said}."))
    assert set(re.findall(r"\\(?:num|val)\{([^{}]+)\}", sentence)) <= set(counts.endpoint(outcome))
    settings = r"\{[^{}]*\}|100 steps|128 tokens|batch 1|against 1|3 of 5 rounds"
    assert not re.search(r"\d", re.sub(settings, "", sentence))


def test_the_abstract_says_each_quantity_once_and_what_became_of_every_endpoint():
    alone, eight = (
        Outcome("one answer", AT_100, LESS, 0.001, 0.002, 3, 15),
        Outcome("batch of 8", AT_100, Estimate(1.1, 0.9, 1.4), 0.2, 0.4, 3, 15),
    )
    unknown = Outcome("even", Endpoint(quantity="break_even_steps", against=128), missing="not measured")
    text = endpoints.short([alone, eight, unknown])
    assert text == (
        "Declared before the study ran: LLaDA's latency at 100 steps over LLaMA's: one answer,"
        r" \val{endpoint.one-answer.measured}, shown to be less than 1; batch of 8,"
        r" \val{endpoint.batch-of-8.measured}, not shown; steps at which LLaDA takes as long: even, not decided."
    )
    assert endpoints.short([unknown]) == endpoints.short([]) == ""
