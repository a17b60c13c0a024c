"""What an estimate counts of a warm-up is what a worker runs."""

from dataclasses import replace

import pytest

from bench.data.prompt import Prompt
from bench.measure import calls
from bench.runner import estimate, plan
from tests.conftest import make_cell


class Counting:
    """An adapter that counts the forwards that it is asked for."""

    def __init__(self):
        self.forwards = 0

    def load(self, cell):
        self.cell = cell

    def generate(self, prompts, mark):
        self.forwards += self.cell.forwards()


@pytest.mark.parametrize(
    "cell",
    [make_cell("llada", steps=16), make_cell("llama", gen_length=64), make_cell("llada", steps=12)],
)
def test_the_estimate_counts_the_forwards_of_the_warm_up(cell, monkeypatch):
    adapter = Counting()
    calls.warm_up(adapter, cell, [calls.Batch([0], [[1, 2]])])
    monkeypatch.setattr(
        estimate, "call_s", lambda cell, prompts, on_record: float(cell.forwards())
    )  # a second a forward
    prompts = (Prompt("p", None, {cell.model: [1, 2]}),)
    seconds_of_calls = estimate.calls(cell, 1) * cell.forwards()
    assert estimate.round_s(cell, 1, prompts, {}) - seconds_of_calls == adapter.forwards


@pytest.mark.parametrize("engine", ["eager", "captured"])
def test_a_cell_for_scores_alone_is_expected_to_take_no_time_for_energy_and_kernels(engine):
    cell = make_cell("llada", device="cuda", engine=engine)
    prompts = (Prompt("p", None, {"llada": [1, 2]}),)
    seconds = [estimate.round_s(each, 1, prompts, {}) for each in (cell, replace(cell, calls_only=True))]
    trace_s = estimate.CAPTURE_AGAIN_S[False] if engine == "captured" else 0.0
    assert seconds[0] - seconds[1] == pytest.approx(estimate.ENERGY_S + trace_s)


def test_a_call_whose_answers_have_stated_lengths_is_expected_to_end_with_its_longest_row():
    cell = make_cell("llama", gen_length=64, stop="references", answer_lengths="10 30 5 20", prompts=4)
    assert estimate.expected_forwards(cell) == (10 + 30 + 5 + 20) / 4
    assert estimate.expected_forwards(replace(cell, batch_size=2)) == (30 + 20) / 2
    assert estimate.expected_forwards(replace(cell, batch_size=4)) == 30
    assert estimate.expected_forwards(make_cell("llama", gen_length=64)) == 64  # where it ends by itself nobody knows
    llada = make_cell("llada", steps=16, stop="references", answer_lengths="10 30 5 20", prompts=4)
    assert estimate.expected_forwards(llada) == 16
    prompts = (Prompt("p", "a", {"llama": [1, 2]}),) * 4
    whole_s = estimate.call_s(replace(cell, stop="length", answer_lengths=None), prompts, {})
    assert estimate.call_s(cell, prompts, {}) == pytest.approx(whole_s * 16.25 / 64)


def test_a_sampler_that_does_not_know_its_steps_is_expected_to_make_a_share_of_the_most():
    cell = make_cell("llada", sampler="threshold", threshold=0.9, steps=16)
    assert estimate.expected_forwards(cell) == 16 * estimate.SHARE_OF_STEPS < 16
    prompts = (Prompt("p", None, {"llada": [1, 2]}),)
    whole_s = estimate.call_s(make_cell("llada", steps=16), prompts, {})
    assert estimate.call_s(cell, prompts, {}) == pytest.approx(whole_s * estimate.SHARE_OF_STEPS)
    assert estimate.expected_forwards(make_cell("llada", steps=16, early_stop=True)) == 16 * estimate.SHARE_OF_STEPS
    assert estimate.expected_forwards(make_cell("llada", steps=6, sampler="imposed", tokens_per_step=3)) == 6


@pytest.mark.parametrize(("changes", "steps"), [
    ({}, "16"), ({"sampler": "threshold", "threshold": 0.9}, "<=16"), ({"early_stop": True}, "<=16"),
])  # fmt: skip
def test_the_plan_says_where_steps_are_the_most(changes, steps):
    line = plan.line_of(make_cell("llada", steps=16, **changes), 60.0, "to do")

    assert steps in line.split()


def test_a_captured_step_of_a_gpu_does_not_wait_for_the_host():
    eager = make_cell("llama", device="cuda", gen_length=64)
    captured = replace(eager, engine="captured")
    prompts = (Prompt("p", None, {"llama": [1, 2]}),)
    host_s = estimate.SPEEDS["cuda"].host_s
    assert estimate.call_s(eager, prompts, {}) == pytest.approx(64 * host_s)  # a small model's, which hides behind it
    assert estimate.call_s(captured, prompts, {}) < host_s
