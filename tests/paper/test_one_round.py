"""What the report says of ratios that stand on a single round."""

from dataclasses import replace

from bench.common.stats import Estimate
from bench.render.doubt import NO_INTERVAL
from paper.sentences import outcome, resources
from tests.support import made_up_page
from tests.support.made_up_page import found


def test_a_ratio_of_one_round_says_that_it_has_no_interval():
    _, selection = found(made_up_page.tasks())
    match = selection.tasks.matches["accuracy"]
    single = replace(match, latency_ratio=Estimate(0.8))
    assert f"times LLaMA's time ({NO_INTERVAL})" in outcome.reached(selection.tasks, "tasks.", single)
    several = replace(match, latency_ratio=Estimate(0.8, 0.7, 0.9))
    assert NO_INTERVAL not in outcome.reached(selection.tasks, "tasks.", several)


def test_a_break_even_of_one_round_says_so(monkeypatch):
    _, selection = found(made_up_page.tasks())
    assert NO_INTERVAL not in outcome.time_sentence(selection.tasks, "tasks.")
    steps = Estimate(selection.tasks.break_even_steps.value)
    monkeypatch.setitem(vars(selection.tasks), "break_even_steps", steps)
    assert f"steps ({NO_INTERVAL})." in outcome.time_sentence(selection.tasks, "tasks.")


def test_energy_that_breaks_even_without_an_interval_says_so(monkeypatch):
    _, selection = found(made_up_page.tasks())
    for steps, is_said in ((Estimate(97.0), True), (Estimate(97.0, 90.0, 105.0), False)):
        monkeypatch.setitem(vars(selection.tasks), "energy_break_even_steps", steps)
        assert (f"steps ({NO_INTERVAL})." in resources.energy(selection.tasks, "tasks.")) is is_said
