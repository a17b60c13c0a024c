"""The hypotheses as committed: their numbers are the cost model's, and runs score them as they should."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.analysis import hypotheses
from bench.analysis.bias import Bias
from bench.analysis.hypotheses import Result, Score
from bench.analysis.hypotheses_file import Claim
from bench.analysis.noise import judge
from bench.analysis.scaling import LATENCY, Scaling, scalings
from bench.analysis.study import Histories, Study
from bench.analysis.turning import BreakEven, turning_batch
from bench.common.errors import BadInput
from bench.common.stats import Estimate
from bench.cost.predictions import Models, Place
from bench.render.hypotheses import claim_text
from bench.spec import pair
from tests.conftest import GOLDEN

ABOUT = hypotheses.read()
MODELS = Models.of(pair.read_pair(ABOUT.pair))
TIMES = ("throughput_ratio", "latency_ratio", "break_even_steps")
CLAIMS = [(name, claim) for name, hypothesis in ABOUT.hypotheses.items() for claim in hypothesis.claims]


def test_there_are_the_four_that_were_promised():
    assert {"H1", "H2", "H3", "H4"} <= set(ABOUT.hypotheses)


@pytest.mark.parametrize(
    ("name", "claim"), CLAIMS, ids=[f"{name}: {claim_text(claim, 'an')}" for name, claim in CLAIMS]
)
def test_the_numbers_are_those_of_the_cost_model(name, claim):
    predicted = hypotheses.predicted(claim, ABOUT.hypotheses[name].engine, ABOUT, MODELS)
    assert claim.value == pytest.approx(predicted, rel=0.005)


def test_statements_show_the_claims_numbers():
    for hypothesis in ABOUT.hypotheses.values():
        assert "{" not in hypothesis.text
    assert "61" in ABOUT.hypotheses["H3"].text


def run(kind: str, model: str, batch: int, length: int, **more) -> dict:
    common = {
        "run_id": f"{kind} {model} {batch} {length} {more}", "pair": "8b-shapes", "kind": kind, "model": model,
        "batch_size": batch, "gen_length": length, "prompt_tokens": "128", "engine": "captured", "outcome": "ok",
        "device": "NVIDIA H100 80GB HBM3", "platform": "cuda", "verdict": "exclusive", "dtype": "bfloat16",
        "temperature": "0.0", "block_length": 32 if model == "llada" else None,
    }  # fmt: skip
    return common | more


def timed(batch: int, length: int, slower: float) -> list[dict]:
    """Both models at a place as the cost model has them, LLaDA slower by a factor."""
    place = Place(batch, length, 128)
    llama, step = (MODELS.seconds(model, place, ABOUT.ceilings) * 1e3 for model in ("llama", "llada"))
    steps = length // 4
    return [
        run("batch", "llama", batch, length, **{"latency/latency_ms": llama}),
        run("batch", "llada", batch, length, steps=steps, head="lean", **{"latency/latency_ms": slower * steps * step}),
    ]


def probes(model: str, length: int, fits: int, head: str | None = None) -> list[dict]:
    more = {"engine": "eager", "head": head, "steps": length if model == "llada" else None}
    return [
        run("frontier", model, fits, length, **more, **{"memory/allocated_gib": 77.0}),
        run("frontier", model, fits + 1, length, **more, outcome="oom"),
    ]


def study(slower: float = 1.0, more_memory: float = 1.0) -> pd.DataFrame:
    rows = [row for batch in (1, 4, 8, 32) for row in timed(batch, 128, slower)]
    rows += [row for length in (512, 1024, 2048) for row in timed(1, length, slower)]
    for claim in ABOUT.hypotheses["H3"].claims:
        fits = round(claim.value * more_memory)
        rows += probes(claim.model, claim.gen_length, fits, claim.head if claim.model == "llada" else None)
    return pd.DataFrame(rows)


def groups(frame: pd.DataFrame, spread: float = 1.0) -> list[Scaling]:
    """The scaling groups of some runs, each with two rounds; LLaDA's second one takes `spread` times as long."""
    values = {
        (row["run_id"], f"rounds/{LATENCY}"): {
            1: row[LATENCY],
            2: row[LATENCY] * (spread if row["model"] == "llada" else 1),
        }
        for _, row in frame.iterrows()
        if LATENCY in row and pd.notna(row[LATENCY])
    }
    return scalings(judge(Study("made up", frame, Histories(values))))


def verdicts(frame: pd.DataFrame) -> dict[str, str]:
    return {score.name: score.verdict for score in hypotheses.scores(ABOUT.pair, groups(frame), ABOUT)}


def test_a_study_as_predicted_confirms_all():
    assert set(verdicts(study()).values()) == {"confirmed"}


def test_a_slower_llada_refutes_what_is_about_time_alone():
    assert verdicts(study(slower=2)) == {"H1": "refuted", "H2": "refuted", "H3": "confirmed", "H4": "refuted"}


def test_a_smaller_card_refutes_memory():
    assert verdicts(study(more_memory=0.7))["H3"] == "refuted"


def test_nothing_is_confirmed_by_what_was_not_measured():
    frame = study()
    assert verdicts(frame[frame["kind"] == "frontier"])["H1"] == "not measured"
    assert verdicts(frame[frame["kind"] == "batch"])["H3"] == "not measured"
    assert set(verdicts(frame.assign(device="NVIDIA A100")).values()) == {"not measured"}
    assert verdicts(frame.assign(engine="other"))["H4"] == "not measured"
    unfinished = frame[frame["outcome"] == "ok"]  # nothing was seen not to fit
    assert verdicts(unfinished)["H3"] == "not measured"


def test_a_study_of_another_pair_has_no_scores():
    assert hypotheses.scores("pocket", groups(study()), ABOUT) == []


def test_the_turning_batch_lies_on_the_line_between_measured_ones():
    (claim,) = [c for _, c in CLAIMS if c.quantity == "turning_batch"]

    def turning(**changes) -> Estimate | None:
        return hypotheses.measured(claim, "captured", ABOUT, hypotheses.groups_of(groups(study(**changes)), ABOUT))

    assert turning().value == pytest.approx(claim.value, rel=0.1)
    assert turning().low is not None
    assert turning(slower=1e-3) == Estimate(float("inf"))
    assert turning(slower=1e3).value == pytest.approx(1)


def test_one_failed_claim_refutes_and_a_missing_one_does_not_confirm():
    claim = Claim(quantity="break_even_steps", gen_length=128, value=100, factor=1.5)
    met, failed, missing = (Result(claim, value) for value in (Estimate(66.7), Estimate(151), None))
    assert Score("H", "", [met]).verdict == "confirmed"
    assert Score("H", "", [met, missing]).verdict == "not measured"
    assert Score("H", "", [failed, missing]).verdict == "refuted"


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [
        (70, 140, "met"),
        (60, 140, "undecided"),
        (140, 160, "undecided"),
        (40, 200, "undecided"),
        (151, 200, "not met"),
        (20, 60, "not met"),
    ],
)
def test_a_claim_is_undecided_where_the_interval_reaches_across_the_tolerance(low, high, state):
    claim = Claim(quantity="break_even_steps", gen_length=128, value=100, factor=1.5)
    result = Result(claim, Estimate((low * high) ** 0.5, low, high))
    assert result.state == state
    error = result.log_error
    assert (error.low, error.high) == (pytest.approx(np.log(low / 100)), pytest.approx(np.log(high / 100)))
    assert Score("H", "", [result]).verdict == {"met": "confirmed", "not met": "refuted"}.get(state, state)


def test_rounds_that_differ_leave_claims_about_time_undecided():
    scores = hypotheses.scores(ABOUT.pair, groups(study(), spread=1.2), ABOUT)
    assert {score.name: score.verdict for score in scores}["H4"] == "undecided"
    assert all(result.measured.low < result.measured.value for result in scores[3].results)


def test_claims_that_are_functions_of_one_number_share_it():
    scores = hypotheses.scores(ABOUT.pair, groups(study()), ABOUT)
    by_number: dict[tuple, set[float]] = {}
    for score in scores:
        for result in score.results:
            by_number.setdefault(result.number, set()).add(round(abs(result.log_error.value), 2))
    assert all(len(errors) == 1 for errors in by_number.values())
    claims = [result for score in scores for result in score.results]
    assert (len(claims), len(by_number)) == (16, 12)
    assert len(hypotheses.independent(scores)) == len(by_number)
    assert [result.same_as for result in scores[3].results] == ["H1", "", "H2"]


def test_the_models_error_is_that_of_break_even_steps_whatever_the_claim_speaks_of():
    """A twice as slow LLaDA halves the steps, the rate and doubles the latency: one error."""
    scores = hypotheses.scores(ABOUT.pair, groups(study(slower=2)), ABOUT)
    errors = [hypotheses.break_even_error(result) for result in hypotheses.tested_break_evens(scores)]
    assert errors == [pytest.approx(0.5, rel=0.01)] * 5


def test_the_error_that_is_stated_of_published_cards_is_that_of_the_published_study():
    numbers = json.loads(gzip.decompress((GOLDEN / f"{ABOUT.tested.study}-results.json.gz").read_bytes()))
    errors = []
    for batch, length in dict.fromkeys(
        (claim.batch, claim.gen_length) for _, claim in CLAIMS if claim.quantity in TIMES
    ):
        names = (f"{kind}.llada.lean.captured.b{batch}.l{length}.p128.break_even_steps" for kind in ("batch", "length"))
        measured = next(numbers[name]["value"] for name in names if name in numbers)
        errors.append(measured / MODELS.break_even_steps(Place(batch, length, 128), ABOUT.ceilings))
    tested = ABOUT.tested
    assert tested.places == len(errors)
    expected = (min(errors), float(np.median(errors)), max(errors))
    assert (tested.least, tested.median, tested.most) == pytest.approx(expected, rel=0.005)


def test_a_study_that_tests_the_model_states_its_own_error():
    scores = hypotheses.scores(ABOUT.pair, groups(study(slower=2)), ABOUT)
    tested = hypotheses.tested_in("mine", scores)
    assert (tested.study, tested.places, tested.median) == ("mine", 5, pytest.approx(0.5, rel=0.01))
    assert "(mine, 5 places), the measured steps were 0.50 times the predicted ones" in tested.text
    assert hypotheses.tested_in("mine", []) is None


def test_a_broken_file_is_refused_in_one_line(tmp_path):
    file = tmp_path / "hypotheses.yaml"
    file.write_text("pair: 8b\n")
    with pytest.raises(BadInput, match="card"):
        hypotheses.read(file)


def test_the_turning_batch_is_widened_by_what_extrapolating_may_be_off():
    """Steps of 20 at batch 2 and 5 at batch 8, and a claim of 10: time turns at batch 4. If the steps at batch 8 may be
    2.5, the line falls faster."""
    claim = Claim(quantity="turning_batch", gen_length=40, head="lean", tokens_per_step=4, value=4.0, factor=1.3)
    exact = {batch: BreakEven(Estimate(steps), {1: steps, 2: steps}) for batch, steps in ((2, 20.0), (8, 5.0))}
    assert turning_batch(exact, claim) == Estimate(*[pytest.approx(4)] * 3)
    biased = exact | {8: replace(exact[8], off=Bias(0.5, 1.0))}
    turned = turning_batch(biased, claim)
    assert (turned.value, turned.high) == (pytest.approx(4), pytest.approx(4))
    assert turned.low == pytest.approx(2 * 4 ** (1 / 3))
    assert turning_batch({2: exact[2]}, claim) is None


def test_a_tested_study_counts_the_places_that_were_extrapolated():
    frame = study().assign(steps_timed=None)
    frame.loc[(frame["model"] == "llada") & (frame["batch_size"] == 32), "steps_timed"] = 8.0
    tested = hypotheses.tested_in("mine", hypotheses.scores(ABOUT.pair, groups(frame), ABOUT))
    assert tested.extrapolated == 1
    assert "(mine, 5 places, 1 of them extrapolated)" in tested.text
    assert ABOUT.tested.extrapolated == 4
