"""Agreement of caches and precisions: divergences by hand, the shipped pair, records, tables and refusals."""

import math

import pytest
import torch

from bench import agreement as door
from bench.checks import agreement, agreement_table, divergence
from bench.checks.agreement import Task
from bench.common.dtypes import EIGHT_BITS
from bench.common.errors import BadInput
from bench.records import metrics
from bench.records.catalogue import BY_NAME, plain_name
from bench.records.settings import Agreement, settings_of
from bench.records.types import Scores, parse
from bench.spec.pair import read_pair
from bench.store import mlflow_log
from bench.store.sink import Sink

# What eight bits keep along float32's own answer: the mean KL divergence at most, and the share of positions at least
# that have the same token first.
MOST_KL_NATS = {"int8": 0.01, "float8": 0.1}
LEAST_EQUAL = {"int8": 0.8, "float8": 0.6}
ABOUT = Agreement("pocket", "llada", "float32", "r", "no cache", "tasks", 2, "h", 8, "cpu", 4, "dual", 1)


def test_a_divergence_by_hand():
    own = torch.log(torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.5, 0.5]]))
    other = torch.log(torch.tensor([[0.25, 0.75], [0.9, 0.1], [0.6, 0.4]]))
    found = divergence.divergence(own, other)
    assert found.kl_nats.tolist() == pytest.approx(
        [0.5 * math.log(2) + 0.5 * math.log(2 / 3), 0, 0.5 * math.log(5 / 6) + 0.5 * math.log(5 / 4)], abs=1e-6
    )
    assert found.same_first.tolist() == [False, True, True]


def test_what_stands_behind_an_answers_end_does_not_count():
    """Two rows, two blocks of two; the first answer has one token, the second all four."""
    seen = divergence.Seen(2)
    masked = torch.ones(2, 2, dtype=torch.bool)
    first = divergence.Divergence(torch.tensor([1.0, 9.0, 2.0, 4.0]), torch.tensor([True, False, True, False]))
    seen.take(0, masked, first, 0)
    later = torch.tensor([[True, True], [False, True]])
    seen.take(1, later, divergence.Divergence(torch.tensor([9.0, 9.0, 6.0]), torch.tensor([False, False, True])), 5)
    values = seen.values([1, 4])
    assert values["kl_mean_nats"] == [1.0, 4.0]
    assert values["argmax_share"] == [1.0, pytest.approx(2 / 3)]
    assert values["kl_p95_nats"] == [1.0, pytest.approx(5.8)]
    assert (values["kl_mean_nats_after_0"], values["kl_mean_nats_after_4"]) == ([1.0, 3.0], [None, 6.0])


def test_tokens_are_compared_up_to_the_end():
    own, other = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 4]]), torch.tensor([[1, 2, 3, 9], [1, 9, 3, 9]])
    found = agreement.tokens_equal(own, other, [3, 4])
    assert found == {"token_share": [1.0, 0.5], "first_divergence": [None, 1.0]}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The shipped pair on one prompt, a few caches, and eight bits: (sink, what was found)."""
    folder = tmp_path_factory.mktemp("agreement")
    chosen = [
        options for options in agreement.CACHES
        if options.get("refresh") in (1, "never") or options.get("response_every") == 1
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agreement, "CACHES", chosen)
        patch.setattr(agreement, "SOURCES", {"sharegpt": (16, 8)})
        task = Task(read_pair("pocket"), "cpu", 1, tuple(EIGHT_BITS))
        agreement.check(task)
        sink = Sink("s", folder / "s.jsonl")
        found = list(agreement.measure(task, sink))
        patch.setattr(agreement.registry, "create", lambda kind: pytest.fail("measured twice"))
        assert list(agreement.measure(task, sink)) == found
    return sink, found


def test_a_refresh_at_every_step_agrees_and_a_cache_that_is_kept_moves_what_is_said(measured):
    _, found = measured
    assert agreement_table.proof(found).met
    by_name = {agreement_table.name_of(about): record.values for about, record in found}
    for name in ("prefix cache (1)", "dual cache (1)", "delayed cache (1)", "interval cache (1 1 0.25)"):
        assert by_name[name]["token_share"] == [1.0]
        assert by_name[name]["kl_mean_nats"] == [pytest.approx(0, abs=1e-6)]
    kept = by_name["dual cache (never)"]
    assert kept["kl_mean_nats"][0] > 1e-4
    assert kept["kl_mean_nats_after_0"] == [pytest.approx(0, abs=1e-6)]
    assert kept["kl_mean_nats_after_8"][0] > kept["kl_mean_nats_after_1"][0]


def test_both_models_are_compared_in_lower_precisions(measured):
    _, found = measured
    lower = {(about.model, about.dtype): record.values for about, record in found if not about.cache}
    assert list(lower) == [(model, dtype) for model in ("llama", "llada") for dtype in EIGHT_BITS]
    for (_, dtype), values in lower.items():
        assert 0 < values["kl_mean_nats"][0] < MOST_KL_NATS[dtype]
        assert values["argmax_share"][0] > LEAST_EQUAL[dtype]
    assert all(about.against == "float32" for about, _ in found if not about.cache)


def test_a_proof_that_fails_says_so():
    bad = Scores("s", "c", "agreement", {"token_share": [1.0, 0.9], "kl_mean_nats": [0.0, 0.0]})
    finding = agreement_table.proof([(ABOUT, bad)])
    assert not finding.met
    assert "0.900 of the tokens equal" in finding.line
    assert finding.line.endswith("MISSED")


def test_records_are_read_back_and_become_metrics(measured):
    sink, found = measured
    entries = sink.known()
    assert set(entries) == {about.cell_id for about, _ in found}
    for about, record in found:
        assert settings_of(about.settings()) == about
        assert parse(record.to_json()) == record
        tracked = metrics.quality_metrics(entries[about.cell_id])
        assert {
            "agreement/token_share",
            "agreement/kl_mean_nats",
            "agreement/kl_p95_nats",
            "agreement/argmax_share",
        } <= (set(tracked))
        assert {plain_name(name) for name in tracked} <= set(BY_NAME)
        assert list(metrics.per_prompt(entries[about.cell_id])) == []
    assert mlflow_log.run_name(ABOUT) == "llada dual cache (1) against no cache, tasks"


def test_the_tables_have_a_line_for_each(measured):
    _, found = measured
    text = "\n".join(agreement_table.lines(found))
    assert "pocket, sharegpt, 1 prompts, 16 tokens in blocks of 8, float32, on cpu: each cache against no cache" in text
    assert "sharegpt: precisions against float32" in text
    for name in ("dual cache (never)", "interval cache (1 1 0.25)", "LLaMA int8", "LLaDA int8"):
        assert name in text


@pytest.mark.parametrize(("dtypes", "words"), [
    (["float99"], "DTYPE=float99: there is no such precision"), (["float32"], "it must need less memory"),
])  # fmt: skip
def test_precisions_that_cannot_be_compared_are_refused(dtypes, words):
    with pytest.raises(BadInput, match=words):
        door.dtypes_of(read_pair("pocket"), dtypes, "cpu")


def test_the_precisions_are_those_below_the_pairs_own():
    pocket, shapes = read_pair("pocket"), read_pair("8b-shapes")
    assert {"bfloat16", "int8", "float8"} <= set(door.dtypes_of(pocket, [], "cpu"))
    assert not {"float32", "float16"} & set(door.dtypes_of(pocket, [], "cpu"))
    assert "float16" in door.dtypes_of(pocket, [], "cuda")
    assert not {"float32", "bfloat16", "float16"} & set(door.dtypes_of(shapes, [], "cuda"))
