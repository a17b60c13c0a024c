"""LLaDA's latency at 100 steps over LLaMA's, and the steps that quality needs, on made-up studies."""

import pytest

from bench.analysis import hundred_steps
from bench.render import hundred_steps as render
from paper import results
from tests.support.made_up_comparison import MadeUp
from tests.support.made_up_scaling import groups_of, run


def lines(comparisons: list, scalings: list = ()) -> list[str]:
    return render.lines(comparisons, hundred_steps.latencies(list(comparisons), list(scalings)))


@pytest.mark.parametrize(
    ("llama_ms", "words"),
    [
        (1000.0, "2.00 [2.00, 2.00] times LLaMA's latency, higher."),
        (4000.0, "0.50 [0.50, 0.50] times LLaMA's latency, lower."),
        (100.0, "20.0 [20.0, 20.0] times LLaMA's latency, higher."),
    ],
)
def test_a_sweep_says_it_by_its_line_beyond_its_steps_too(llama_ms, words):
    comparison = MadeUp().comparison((llama_ms, 0.45), {4: (80, 0.2), 64: (1280, 0.5)})
    question, steps, latency = lines([comparison])
    assert question == ("Does LLaDA need 100 steps to match LLaMA, and is its latency at 100 steps higher or lower?")
    assert steps.startswith("  Steps for equal quality: ")
    assert "for BERTScore F1 at 128 tokens (float32)" in steps
    assert latency == f"  At 100 steps, 128 tokens, batch 1, float32, eager engine, official head: {words}"


def test_quality_that_was_not_reached_or_not_measured_is_said():
    short = MadeUp().comparison((500, 0.6), {4: (80, 0.2), 64: (1280, 0.5)})
    assert "more than the 64 that were run, or not shown, for BERTScore F1" in lines([short])[1]
    random = MadeUp().comparison((500, 0.6), {4: (80, 0.2), 64: (1280, 0.5)}, margins={}, weights="random")
    assert lines([random])[1] == "  Steps for equal quality: not measured (the weights are random)."


def test_every_place_of_a_scaling_grid_says_it_once():
    rows = []
    for kind in ("batch", "length"):
        for batch in (1, 8):
            rows.append(run(kind, "llama", 1000.0, batch_size=batch, gen_length=128))
            rows.append(run(kind, "llada", 320.0 * batch, batch_size=batch, gen_length=128, steps=32, head="lean"))
    groups = groups_of(rows)
    found = hundred_steps.latencies([], list(groups.values()))
    assert [(ratio.batch_size, ratio.ratio.value) for ratio in found] == [(1, pytest.approx(1)), (8, pytest.approx(8))]
    first, *_, last = render.lines([], found)[1:]
    assert first == "  Steps for equal quality: not measured (no scored texts of both models)."
    assert last.startswith(
        "  At 100 steps, 128 tokens, batch 8, prompts of 32, float32, eager engine, lean head: 8.00 ["
    )


def test_an_answer_of_fewer_tokens_than_steps_has_no_line():
    comparison = MadeUp().comparison((500, 0.45), {4: (80, 0.2), 32: (640, 0.5)}, gen_length=64)
    assert hundred_steps.latencies([comparison], []) == []
    assert (
        lines([comparison])[-1]
        == "  Latency at 100 steps: not known (no answer of so many tokens whose time grows with the steps)."
    )


def test_a_line_that_falls_leads_nowhere():
    """More steps that took less: noise. The line beyond them would come to 0.3 times LLaMA's time and call it lower."""
    comparison = MadeUp().comparison((1024, 0.45), {16: (1736, 0.3), 32: (1464, 0.35)})
    assert hundred_steps.latencies([comparison], []) == []


def test_an_interval_that_holds_1_is_too_noisy_to_say():
    made_up = MadeUp()
    comparison = made_up.comparison((2000.0, 0.45), {4: (80, 0.2), 64: (1280, 0.5)})
    made_up.histories["run-None", "rounds/latency/latency_ms"] = {1: 1500.0, 2: 2600.0, 3: 2000.0}
    [comparison] = made_up.comparisons(comparison.rows)
    latency = lines([comparison])[-1]
    assert "(too noisy to say whether that is more or less" in latency
    assert "higher" not in latency.split("times")[1]


def test_a_line_says_how_answers_end_and_other_ends_have_a_line_of_their_own():
    made_up = MadeUp()
    natural = made_up.comparison((1000.0, 0.45), {4: (80, 0.2), 64: (1280, 0.5)}, stop="eos")
    forced = made_up.comparison((2000.0, 0.45), {4: (80, 0.2), 64: (1280, 0.5)}, stop="length")
    ratios = hundred_steps.latencies([natural, forced], [])
    places = [line.split(", ")[1:3] for line in render.lines([], ratios)[2:]]
    assert places == [["128 tokens", "natural end"], ["128 tokens", "forced length"]]
    assert [name.split(".b1.")[1] for name in results.hundred_steps(ratios)] == [
        "l128.eos.latency_ratio", "l128.latency_ratio",
    ]  # fmt: skip
