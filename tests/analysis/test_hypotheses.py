"""The hypotheses as committed: their numbers are the cost model's, and runs score them as they should."""

import pandas as pd
import pytest

from bench.analysis import hypotheses
from bench.analysis.hypotheses import Claim, Result, Score
from bench.analysis.noise import judge
from bench.analysis.scaling import Scaling, scalings
from bench.analysis.study import Study
from bench.common.errors import BadInput
from bench.cost.predictions import Models, Place
from bench.render.hypotheses import claim_text
from bench.spec import pair

ABOUT = hypotheses.read()
MODELS = Models.of(pair.read_pair(ABOUT.pair))
CLAIMS = [(name, claim) for name, hypothesis in ABOUT.hypotheses.items() for claim in hypothesis.claims]


def test_there_are_the_four_that_were_promised():
    assert {"H1", "H2", "H3", "H4"} <= set(ABOUT.hypotheses)


@pytest.mark.parametrize(("name", "claim"), CLAIMS, ids=[f"{name}: {claim_text(claim)}" for name, claim in CLAIMS])
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


def groups(frame: pd.DataFrame) -> list[Scaling]:
    return scalings(judge(Study("made up", frame)))


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

    def turning(**changes) -> float | None:
        return hypotheses.measured(claim, "captured", ABOUT, hypotheses.groups_of(groups(study(**changes)), ABOUT))

    assert turning() == pytest.approx(claim.value, rel=0.1)
    assert turning(slower=1e-3) == float("inf")
    assert turning(slower=1e3) == 1


def test_one_failed_claim_refutes_and_a_missing_one_does_not_confirm():
    claim = Claim(quantity="break_even_steps", gen_length=128, value=100, factor=1.5)
    met, failed, missing = Result(claim, 66.7), Result(claim, 151), Result(claim, None)
    assert Score("H", "", [met]).verdict == "confirmed"
    assert Score("H", "", [met, missing]).verdict == "not measured"
    assert Score("H", "", [failed, missing]).verdict == "refuted"


def test_a_broken_file_is_refused_in_one_line(tmp_path):
    file = tmp_path / "hypotheses.yaml"
    file.write_text("pair: 8b\n")
    with pytest.raises(BadInput, match="card"):
        hypotheses.read(file)
