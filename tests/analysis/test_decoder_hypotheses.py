"""The hypotheses on decoders as committed: their numbers are the cost model's, and runs score them as they should."""

import gzip
import json
from dataclasses import replace

import pandas as pd
import pytest

from bench.analysis import decoder_hypotheses, hypotheses
from bench.analysis.decoder_claims import DecoderClaim
from bench.analysis.findings import findings_of
from bench.analysis.noise import JudgedStudy, judge
from bench.analysis.study import Histories, Study
from bench.common.errors import BadInput
from bench.cost.decoder_predictions import Decoder, Decoding
from bench.cost.predictions import Models, Place
from bench.render import hypotheses as render
from bench.render.hypotheses import claim_text
from bench.spec.pair import read_pair
from paper.tables.cost import hypotheses_table
from tests.conftest import GOLDEN

ABOUT = decoder_hypotheses.read()
LLADA = Models.of(read_pair("8b-shapes"))
OF_LLAMA = LLADA.shapes["llama"]
MODELS = {  # iLLaDA's layers are LLaMA-3's; its vocabulary is its own, with a tied head (arXiv 2606.25331)
    "8b-shapes": LLADA,
    "8b-illada-shapes": replace(
        LLADA, shapes={"llama": OF_LLAMA, "llada": replace(OF_LLAMA, vocabulary=155_136, tied=True)}
    ),
}
CLAIMS = [(name, about.pair, claim) for name, about in ABOUT.hypotheses.items() for claim in about.claims]
OF_TIME = [entry for entry in CLAIMS if entry[2].is_of_time]
DECODING = Decoding(LLADA, ABOUT.ceilings, ABOUT.block_length)
CACHES = [
    Decoder("none"),
    *(Decoder(cache, refresh) for cache in ("prefix", "dual") for refresh in ("block", "answer")),
]


def names(claims: list) -> list[str]:
    return [f"{name}: {claim_text(claim, 'an')}" for name, _, claim in claims]


@pytest.mark.parametrize(("name", "pair", "claim"), OF_TIME, ids=names(OF_TIME))
def test_the_numbers_are_those_of_the_cost_model(name, pair, claim):
    assert claim.value == pytest.approx(decoder_hypotheses.predicted(claim, ABOUT, MODELS[pair]), rel=0.005)


def test_all_rest_on_the_ceilings_of_the_other_hypotheses():
    assert ABOUT.ceilings == hypotheses.read().ceilings
    numbers = json.loads(gzip.decompress((GOLDEN / f"{ABOUT.published.study}-results.json.gz").read_bytes()))
    assert ABOUT.published.tokens_per_s == numbers[ABOUT.published.number]["value"]


def test_a_full_refresh_never_reaches_llama_at_batch_32():
    place, full, answer = Place(32, 256, 128), Decoder("dual", "block"), Decoder("dual", "answer")
    own = DECODING.reference_s(place)
    assert DECODING.parity_tokens_per_step(place, full, own) == float("inf")
    at = DECODING.parity_tokens_per_step(place, answer, own)
    assert DECODING.throughput_ratio(place, replace(answer, tokens_per_step=8)) < 1
    assert DECODING.throughput_ratio(place, replace(answer, tokens_per_step=16)) > 1
    assert 8 < at < 16


def test_statements_show_the_claims_numbers():
    assert all("{" not in hypothesis.text for hypothesis in ABOUT.hypotheses.values())
    *_, at_floor, as_published = ABOUT.hypotheses["D1"].claims
    assert f"leave {at_floor.bounds[0]:.1f} to {as_published.bounds[1]:.1f}" in ABOUT.hypotheses["D1"].text
    assert "0.64 of it at 8 tokens a step" in ABOUT.hypotheses["D1"].text


def run(model: str, batch: int, prompt_tokens: int, latency_s: float, **more) -> dict:
    common = {
        "run_id": f"{model} {batch} {prompt_tokens} {more}", "pair": "8b-shapes", "kind": "decoders", "model": model,
        "batch_size": batch, "gen_length": 256, "prompt_tokens": str(prompt_tokens), "engine": "captured",
        "outcome": "ok", "device": "NVIDIA H100 80GB HBM3", "platform": "cuda", "verdict": "exclusive",
        "dtype": "bfloat16", "temperature": "0.0", "stop": "length", "cell_id": "c", "weights": "random",
        "latency/latency_ms": 1e3 * latency_s,
    }  # fmt: skip
    return common | more


def rows(slower: float = 1.0) -> list[dict]:
    """Both models as the cost model has them, the partial and full forwards of every cache slower by a factor."""
    result = []
    for batch in (1, 8, 32):
        for prompt_tokens in (128, 896):
            place = Place(batch, 256, prompt_tokens)
            result.append(run("llama", batch, prompt_tokens, DECODING.reference_s(place)))
            for cache in CACHES:
                for tokens in (1, 2, 4, 8, 32):
                    decoder = replace(cache, tokens_per_step=tokens)
                    seconds = DECODING.seconds(place, decoder) * (slower if cache.cache != "none" else 1)
                    settings = {"cache": cache.cache, "refresh": cache.refresh, "tokens_per_step": str(tokens)}
                    settings |= {"sampler": "imposed", "steps": 256, "block_length": 32, "head": "lean"}
                    result.append(run("llada", batch, prompt_tokens, seconds, **settings))
    return result


def judged(frame: list[dict], spread: float = 1.0) -> JudgedStudy:
    """Each run with two rounds; in the second one LLaDA's take `spread` times as long."""
    latency = "latency/latency_ms"
    values = {
        (row["run_id"], f"rounds/{latency}"): {
            1: row[latency], 2: row[latency] * (spread if row["model"] == "llada" else 1)
        }
        for row in frame
        if latency in row
    }  # fmt: skip
    return judge(Study("made up", pd.DataFrame(frame), Histories(values)))


def states(frame: list[dict], pair: str = "8b-shapes", spread: float = 1.0) -> dict[str, str]:
    return {score.name: score.verdict for score in decoder_hypotheses.scores(pair, judged(frame, spread), ABOUT)}


def test_a_study_as_predicted_confirms_all_but_the_other_prediction_of_a_parity():
    """The parity that rests on LLaMA as published is another one than that of equal distance from the floors."""
    scores = decoder_hypotheses.scores("8b-shapes", judged(rows()), ABOUT)
    assert {score.name: score.verdict for score in scores} == {
        "D1": "refuted", "D2": "confirmed", "D3": "confirmed", "D4": "confirmed", "D5": "confirmed"
    }  # fmt: skip
    *_, at_floor, as_published = scores[0].results
    assert all(result.state == "met" for result in scores[0].results[:-1])
    assert at_floor.measured.value == as_published.measured.value == pytest.approx(15.0, rel=0.01)
    assert as_published.same_as == "D1"
    for score in scores:
        for result in score.results[:-1]:
            assert result.measured.value == pytest.approx(result.claim.value, rel=0.01)


def test_slower_caches_refute_what_compares_them_with_others():
    found = states(rows(slower=2))
    assert found == {"D1": "refuted", "D2": "refuted", "D3": "confirmed", "D4": "confirmed", "D5": "confirmed"}


def test_rounds_that_differ_leave_claims_undecided():
    assert states(rows(), spread=1.2)["D2"] == "undecided"


@pytest.mark.parametrize("changes", [
    {"device": "NVIDIA A100"}, {"engine": "eager"}, {"kind": "batch"}, {"dtype": "float16"}, {"gen_length": 128},
    {"verdict": "shared"}, {"outcome": "oom"}, {"stop": "eos"},
], ids=str)  # fmt: skip
def test_nothing_is_scored_from_other_runs(changes):
    assert set(states([row | changes for row in rows()]).values()) == {"not measured"}


@pytest.mark.parametrize("changes", [
    {"sampler": "threshold"}, {"head": "official"}, {"block_length": 64}, {"early_stop": "True"}, {"refresh": "never"},
], ids=str)  # fmt: skip
def test_nothing_is_scored_from_other_decoders(changes):
    scores = decoder_hypotheses.scores(
        "8b-shapes", judged([row | changes if row["model"] == "llada" else row for row in rows()]), ABOUT
    )
    caches = [r for score in scores for r in score.results if r.claim.decoder.refresh or r.claim.quantity == "speedup"]
    assert caches
    assert all(result.measured is None for result in caches)


@pytest.mark.parametrize(("rounds", "best"), [  # by round: which it has of the runs a to d here and x to z there
    ({1: "abcdx", 2: "abxy"}, "abxy"),
    ({1: "abxy", 2: "abcxy", 3: "ax"}, "abcxy"),
    ({5: "abxy", 3: "bcxy"}, "bcxy"),
    ({}, "abcdxyz"),
], ids=["smaller set first", "then both together", "then the first", "no rounds"])  # fmt: skip
def test_the_best_round_is_that_with_the_most_runs_of_the_smaller_set(rounds, best):
    values = {(name, "rounds/latency/latency_ms"): {n: 1.0 for n, names in rounds.items() if name in names}
              for name in "abcdxyz"}  # fmt: skip
    study = judge(Study("made up", pd.DataFrame(rows()), Histories(values)))
    timed = decoder_hypotheses.Timed(ABOUT, study, pd.DataFrame(), pd.DataFrame())
    own, other = timed.of_one_round(pd.DataFrame({"run_id": list("abcd")}), pd.DataFrame({"run_id": list("xyz")}))
    assert "".join([*own["run_id"], *other["run_id"]]) == best


@pytest.mark.parametrize("also_in_round_1", [[], ["4", "8"]], ids=str)
def test_a_claim_on_many_decoders_outlives_some_that_another_card_measured(also_in_round_1):
    """One and two tokens a step in round 1 with LLaMA, four and more in round 2 with LLaMA, or also in round 1."""
    frame = rows()
    values = {}
    for row in frame:
        tokens, latency = row.get("tokens_per_step"), row["latency/latency_ms"]
        rounds = {None: (1, 2), "1": (1,), "2": (1,), "4": (2,), "8": (2,), "32": (2,)}[tokens]
        rounds = (1, 2) if tokens in also_in_round_1 else rounds
        values[row["run_id"], "rounds/latency/latency_ms"] = dict.fromkeys(rounds, latency)
    study = judge(Study("made up", pd.DataFrame(frame), Histories(values)))
    scores = {score.name: score for score in decoder_hypotheses.scores("8b-shapes", study, ABOUT)}
    of_steps = scores["D5"].results
    parities = [result for result in scores["D1"].results if result.claim.quantity == "parity_tokens_per_step"]
    assert all(result.measured.value == pytest.approx(result.claim.value, rel=0.02) for result in of_steps)
    assert [result.measured.value for result in parities] == pytest.approx([15.0, 15.0], rel=0.02)


def test_a_parity_beyond_a_block_at_once_is_infinite():
    claim = DecoderClaim(
        quantity="parity_tokens_per_step", batch=32, prompt_tokens=128, value=15, factor=2,
        decoder={"cache": "dual", "refresh": "block"},
    )  # fmt: skip
    [score] = [
        decoder_hypotheses.score_of("D", about, decoder_hypotheses.Timed.of(judged(rows()), ABOUT), {})
        for about in [ABOUT.hypotheses["D1"].model_copy(update={"claims": [claim], "statement": ""})]
    ]
    assert score.results[0].measured.value == float("inf")
    assert score.verdict == "refuted"


def scored(run_id: str, accuracy: float, half: float, **more) -> dict:
    name = decoder_hypotheses.ACCURACY
    return run("llada", 1, 128, 1.0) | {
        "run_id": run_id, "pair": "pocket", "gen_length": 32, "block_length": 32, "prompt_hash": "p", name: accuracy,
        f"{name}_ci_low": accuracy - half, f"{name}_ci_high": accuracy + half,
    } | more  # fmt: skip


@pytest.mark.parametrize(("lost", "half", "verdict"), [
    (0.1, 0.05, "confirmed"), (0.1, 0.2, "undecided"), (-0.3, 0.1, "refuted"),
])  # fmt: skip
def test_a_direction_of_accuracy_is_tested_with_its_interval(lost, half, verdict):
    plain = [scored("4", 0.5, half, steps=8), scored("1", 0.9, half, steps=32)]
    cached = [
        scored(cache, 0.5 + lost, half, steps=32, cache=cache, refresh="block", sampler="fixed")
        for cache in ("prefix", "dual")
    ]
    assert states(plain + cached, "pocket") == {"D7": verdict}
    assert states(plain + [row | {"prompt_hash": "other"} for row in cached], "pocket") == {"D7": "not measured"}
    assert states(plain, "pocket") == {"D7": "not measured"}


@pytest.mark.parametrize("temperatures", [("1.0", "0.0"), ("0.0", "1.0"), ("1.0", None)])
def test_a_direction_of_accuracy_is_of_greedy_answers_where_there_are_such(temperatures):
    every = []
    for temperature in temperatures:
        lost = 0.4 if temperature == "1.0" else -0.1
        of_cache = {"steps": 32, "refresh": "block", "sampler": "fixed"}
        runs = [scored("4", 0.5, 0.05, steps=8)]
        runs += [scored(cache, 0.5 - lost, 0.05, cache=cache, **of_cache) for cache in ("prefix", "dual")]
        every += [row | {"run_id": f"{row['run_id']} {temperature}", "temperature": temperature} for row in runs]
    assert states(every, "pocket") == {"D7": "confirmed"}


def test_a_study_of_another_pair_has_no_scores():
    assert states(rows(), "8b") == {}


@pytest.mark.parametrize(("text", "words"), [
    ("quantity: speedup, batch: 1, prompt_tokens: 8, decoder: {}, value: 1.0, factor: 2.0", "`over` belongs"),
    ("quantity: step_ratio, decoder: {}, value: 1.0, factor: 2.0", "needs `batch` and `prompt_tokens`"),
    ("quantity: step_ratio, batch: 1, prompt_tokens: 8, decoder: {}, value: 1.0", "`value` and `factor`"),
])  # fmt: skip
def test_a_claim_that_cannot_be_tested_is_refused_in_one_line(tmp_path, text, words):
    whole = decoder_hypotheses.FILE.read_text()
    file = tmp_path / "hypotheses.yaml"
    file.write_text(f"{whole}  D8: {{pair: a, statement: s, claims: [{{{text}}}]}}\n")
    with pytest.raises(BadInput, match=words) as caught:
        decoder_hypotheses.read(file)
    assert "\n" not in str(caught.value)


def test_what_became_of_them_is_shown_in_terminal_and_paper():
    scores = decoder_hypotheses.scores("8b-shapes", judged(rows()), ABOUT)
    head, first, claim, *_ = render.lines(scores, ABOUT.timed_before, "Hypotheses on decoders")
    assert head.startswith("Hypotheses on decoders: 35 claims about 34 numbers, of which 34 as predicted. Single proc")
    assert first.startswith("D1 refuted: At batch 32")
    assert claim == (
        "   LLaDA's tokens/s over LLaMA's, dual cache (block), 8 tokens a step (imposed), batch 32, 128 prompt tokens,"
        " captured engine, lean head: predicted 0.639 (within x1.3), measured 0.639 [0.639, 0.639], log error 0.00"
        " [0.00, 0.00], as predicted"
    )
    table = hypotheses_table(scores)
    assert table["met"].tolist().count("yes") == 34
    [quality] = decoder_hypotheses.scores("pocket", judged([scored("4", 0.5, 0.1, steps=8)]), ABOUT)
    assert hypotheses_table([quality])["predicted"].tolist() == ["above 0", "above 0"]
    assert render.result_line(quality.results[-1]) == (
        "   accuracy on tasks with many right answers of dual cache (block), 1 token a step (fixed) less that of no"
        " cache, 4 tokens a step (fixed): predicted above 0, not measured"
    )


def test_findings_have_them_beside_the_others():
    study = Study("made up", pd.DataFrame([run("llama", 1, 128, 1.0)]), Histories())
    findings = findings_of(study)
    assert [score.name for score in findings.scores] == ["H1", "H2", "H3", "H4"]
    assert [score.name for score in findings.decoder_scores] == ["D1", "D2", "D3", "D4", "D5"]
    assert findings.timed_before == ABOUT.timed_before


def test_a_study_of_agreements_alone_has_findings():
    rows = [{"run_id": "a", "pair": "pocket", "kind": "agreement", "model": "llada", "cache": "dual", "outcome": "ok"}]
    findings = findings_of(Study("made up", pd.DataFrame(rows), Histories()))
    assert [score.name for score in findings.decoder_scores] == ["D7"]
    assert findings.timed_before == ""
    assert findings.decoders.every.empty


def test_a_whole_run_counts_in_place_of_its_part_and_a_part_alone_is_said_to_be_one():
    frame = rows()
    parts = [
        row | {"run_id": row["run_id"] + "part", "steps_timed": 8, "latency/latency_ms": 9 * row["latency/latency_ms"]}
        for row in frame
        if row.get("cache") == "none"
    ]
    both = decoder_hypotheses.scores("8b-shapes", judged(parts + frame), ABOUT)
    assert [score.verdict for score in both][1] == "confirmed"
    assert not any(result.is_extrapolated for result in both[1].results)
    alone = decoder_hypotheses.scores(
        "8b-shapes", judged([row for row in parts + frame if row.get("cache") != "none" or "steps_timed" in row]), ABOUT
    )
    assert [result.is_extrapolated for result in alone[1].results] == [True] * 8 + [False] * 8 + [True]
