"""Two studies side by side: what is called a change, and what is not."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.analysis.two_studies import Verdict, compare
from bench.common.stats import ratio_of_rounds
from tests.support.made_up_two_studies import LATENCY, QUIET, RATE, run, sentinel, study, two
from tests.support.refusals import refusal

MEMORY, SCORE = "memory/resident_gib", "quality/bertscore_f1"


def verdicts(*rows: dict, sentinels=QUIET, **of_first) -> dict[str, Verdict]:
    """What becomes of LLaMA's 100 ms in the second study."""
    before = study("a", [run("llama", [100.0, 101.0, 99.0], **of_first), *sentinels])
    found = compare(before, study("b", [*rows, *sentinels]))
    return {change.metric: change.verdict for change in found.pairs[0].changes}


@pytest.mark.parametrize(
    "rounds", [([4.0, 4.2], [2.0, 2.1, 1.9]), ([3.0, 9.0, 5.0], [7.0, 7.1, 7.2]), ([1.0] * 3, [2.0, 3.0])]
)
def test_a_ratio_of_unpaired_rounds_is_welchs(rounds):
    logs = [np.log(values) for values in rounds]
    ratio = ratio_of_rounds(*rounds)
    welch = scipy_stats.ttest_ind(*logs, equal_var=False).confidence_interval(0.95)
    assert ratio.value == pytest.approx(math.exp(logs[0].mean() - logs[1].mean()))
    assert (math.log(ratio.low), math.log(ratio.high)) == (pytest.approx(welch.low), pytest.approx(welch.high))


@pytest.mark.parametrize(("rounds", "spreads"), [((3, 3), (0.02, 0.02)), ((3, 3), (0.02, 0.2)), ((5, 3), (0.1, 0.1))])
def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says(rounds, spreads):
    """Of 2,000 made-up pairs of studies whose true ratio is 1; Welch's interval is somewhat wide for few rounds."""
    random = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        ratio = ratio_of_rounds(*(np.exp(random.normal(0, s, n)) for s, n in zip(spreads, rounds, strict=True)))
        held += ratio.low <= 1 <= ratio.high
    assert 0.93 <= held / 2000 <= 0.985


def test_one_round_gives_no_interval_and_rounds_that_do_not_move_one_of_no_width():
    assert ratio_of_rounds([4.0], [2.0, 2.1]).low is None
    still = ratio_of_rounds([4.0, 4.0], [2.0, 2.0])
    assert (still.value, still.low, still.high) == (pytest.approx(2.0),) * 3


def test_what_changed_beyond_noise_is_told_from_what_did_not():
    found = compare(*two())
    llama, llada = sorted(found.pairs, key=lambda pair: pair.match.before["model"], reverse=True)
    assert {change.metric: change.verdict for change in llama.changes} == {
        LATENCY: Verdict.BETTER, RATE: Verdict.BETTER, MEMORY: Verdict.WORSE, SCORE: Verdict.NOISE,
    }  # fmt: skip
    assert llama.change(LATENCY).ratio.value == pytest.approx(0.5)
    assert llama.change(RATE).ratio.value == pytest.approx(2.0)
    slower = llada.change(LATENCY)
    assert slower.ratio.low > 1.05  # by its rounds it is slower: its sentinel says that this is noise
    assert slower.verdict == Verdict.NOISE
    assert slower.is_checked
    assert llada.change(SCORE).ratio.value == pytest.approx(-0.11)
    assert llada.change(SCORE).verdict == Verdict.WORSE
    assert [len(runs) for runs in (found.only_before, found.only_after)] == [1, 1]


def test_noise_counts_in_whichever_study_it_was_seen():
    noisy = sentinel("llama", [100.0, 150.0, 90.0], [100.0, 100.0, 100.0])
    calm = sentinel("llama", [100.0, 101.0, 99.0], [100.0, 100.0, 100.0])
    rows = [run("llama", [100.0, 101.0, 99.0])], [run("llama", [112.0, 113.0, 111.0])]
    for sentinels, verdict in (
        ((calm, calm), Verdict.WORSE), ((noisy, calm), Verdict.NOISE), ((calm, noisy), Verdict.NOISE),
    ):  # fmt: skip
        studies = [study(name, [*own, *twins]) for name, own, twins in zip("ab", rows, sentinels, strict=True)]
        assert compare(*studies).pairs[0].change(LATENCY).verdict == verdict


def test_without_a_noise_check_in_both_a_change_is_marked():
    before, after = study("a", [run("llama", [100.0, 101.0]), *QUIET]), study("b", [run("llama", [50.0, 51.0])])
    change = compare(before, after).pairs[0].change(LATENCY)
    assert (change.verdict, change.is_checked) == (Verdict.BETTER, False)


def test_one_round_and_less_than_a_percent_are_no_change():
    assert verdicts(run("llama", [50.0]))[LATENCY] == Verdict.UNSURE
    assert verdicts(run("llama", [100.5, 100.6, 100.4]), sentinels=[])[LATENCY] == Verdict.NOISE
    assert verdicts(run("llama", [200.0, 200.0, 200.0]), sentinels=[])[LATENCY] == Verdict.WORSE


def test_scores_are_paired_by_prompt_and_not_compared_over_other_prompts():
    scores = {"scores": [0.5, 0.9, 0.1, 0.7]}
    lower = [0.4, 0.85, 0.0, 0.62]  # lower in every prompt, though prompts differ by more
    assert verdicts(run("llama", [100.0] * 3, lower), **scores)[SCORE] == Verdict.WORSE
    assert SCORE not in verdicts(run("llama", [100.0] * 3, lower, prompt_hash="other"), **scores)


def test_a_cell_that_failed_in_one_study_has_no_ratio():
    before = study("a", [run("llama", [1.0, 1.0]), run("llada", [1.0, 1.0])])
    after = study("b", [run("llama", [1.0, 1.0]), run("llada", [1.0, 1.0], outcome="oom", message="no room")])
    found = compare(before, after)
    assert [pair.match.before["model"] for pair in found.pairs] == ["llama"]
    assert [match.after["reason"] for match in found.failed] == ["oom: no room"]


def test_studies_with_nothing_in_common_are_refused_with_what_each_has():
    text = refusal(
        compare, study("a", [run("llama", [1.0])]), study("b", [run("llama", [1.0], kind="batch", pair="8b")])
    )
    assert text == "studies a and b have no cell in common: a has grids sweep of pair pocket, b has batch of pair 8b"
