"""A model behind an address: what is sent, how it is timed, what counts, and what a failure says."""

import json

import pytest

from bench.adapters.server import ServerAdapter
from bench.adapters.stream import Answer
from bench.data import served as data
from bench.data.prompt import Prompt
from bench.measure import calls, worker
from bench.records import merge, metrics, served, trust, types
from bench.records.types import Round
from bench.spec.cell import Cell
from bench.spec.work import Work
from tests.support.fake_server import TOKENIZER, Behaviour, cell_of, serving

TEXTS = ("What is it?", "Why?", "Who was she, then?")
END = data.end_of(TOKENIZER)


def work_of(*cells: Cell) -> Work:
    from bench.data import tokenizers

    prompts = tuple(Prompt(text, None, {"llama": tokenizers.encode(TOKENIZER, text)}) for text in TEXTS)
    return Work("s", 1, 0, cells, {"h": prompts})


def measured(cell: Cell) -> Round:
    """A cell's round, as it is read from the record."""
    events: list[dict] = []
    worker.measure(ServerAdapter(), work_of(cell), cell, 1, events.append)
    return types.parse(json.loads(json.dumps(events[-1]["record"])))


def good(cell: Cell) -> Round:
    record = measured(cell)
    assert record.outcome == "ok", record.message
    return record


def tokens_of(behaviour: Behaviour) -> int:
    return len(data.ids_of(TOKENIZER, "".join(behaviour.pieces)))


def test_prompts_go_as_the_pairs_ids_and_answers_are_counted_by_its_tokenizer():
    with serving(pieces=("One two", " three four"), finish="stop") as does:
        record = good(cell_of(does, prompts=2, gen_length=16))
        asked = does.asked[-2:]
        assert [body["prompt"] for body in asked] == [prompt.ids["llama"] for prompt in work_of().prompts["h"][:2]]
        assert {body["max_tokens"] for body in asked} == {16}
        assert {body["temperature"] for body in asked} == {0.0}
        assert all("ignore_eos" not in body for body in does.asked)
        own = tokens_of(does)
    assert [call.kept for call in record.calls] == [[own + 1]] * 2  # the end token was generated as well
    assert record.sequences == [[*data.ids_of(TOKENIZER, "One two three four"), END]] * 2


def test_text_is_sent_to_a_server_that_takes_no_ids_and_has_the_same_ids():
    with serving(takes_ids=False) as does:
        record = good(cell_of(does, prompts=3, gen_length=16))
        ids = [prompt.ids["llama"] for prompt in work_of().prompts["h"]]
        from bench.data import tokenizers

        tok = tokenizers.tokenizer(TOKENIZER)
        assert [tok(body["prompt"])["input_ids"] for body in does.asked[-3:]] == ids
    assert [call.counted.other_text for call in record.calls] == [[False]] * 3


def test_nothing_is_claimed_that_nobody_sees():
    with serving() as does:
        record = good(cell_of(does, gen_length=16))
        entry = merge.group([record])[record.cell_id]
        values = metrics.round_metrics(entry)[1]
        assert record.environment.server["model"] == "fake"
        assert record.environment.device == f"fake at {does.address} (tests fp)"
    assert (record.environment.verdict, record.shape, record.nvml) == ("unknown", None, None)
    assert record.memory_gib.to_json() == {}
    assert all(call.nfe is None and call.positions is None for call in record.calls)
    assert {name.split("/")[0] for name in values} == {"latency", "throughput"}
    assert "latency/step_ms" not in values
    assert not {"nfe", "positions", "first_step"} & {
        key for call in record.calls for key in call.to_json() if call.to_json()[key]
    }


def test_the_first_text_and_the_end_are_timed_by_the_stream():
    with serving(pieces=("a", " b", " c"), wait_s=0.15, gap_s=0.05, finish="length") as does:
        record = good(cell_of(does, prompts=1, gen_length=3))
    call = record.calls[0]
    found = metrics.call_latencies(call, has_steps=False)
    assert found["ttft"] == pytest.approx(150, abs=40)
    assert found["latency"] == pytest.approx(300, abs=60)
    assert call.latency_ms == call.marks["end.0"][0]
    assert found["tpot"] == pytest.approx((found["latency"] - found["ttft"]) / (call.kept[0] - 1))


def test_a_piece_of_several_tokens_is_not_one():
    with serving(pieces=("one two three", " four five six"), gap_s=0.05) as does:
        record = good(cell_of(does, prompts=1, gen_length=32))
        own = tokens_of(does)
    call = record.calls[0]
    assert len(call.marks["chunk.0"]) == 2 < own == call.kept[0]
    found = metrics.call_latencies(call, has_steps=False)
    assert not {"itl_p50", "itl_p95"} & set(found)
    assert found["tpot"] == pytest.approx((call.latency_ms - call.marks["chunk.0"][0]) / (own - 1))


def test_pieces_of_one_token_have_gaps_of_tokens():
    words = tuple(one_token_words())
    with serving(pieces=words, gap_s=0.03, finish="stop") as does:
        record = good(cell_of(does, prompts=1, gen_length=32))
        assert tokens_of(does) == len(words)
    found = metrics.call_latencies(record.calls[0], has_steps=False)
    assert found["itl_p50"] == pytest.approx(30, abs=10)


def one_token_words() -> list[str]:
    """Words that are a token each, and stay so when they are joined."""
    candidates = ["the", " and", " of", " to", " in", " is", " that", " it"]
    ids = [data.ids_of(TOKENIZER, word) for word in candidates]
    words = [word for word, row in zip(candidates, ids, strict=True) if len(row) == 1]
    assert len(data.ids_of(TOKENIZER, "".join(words))) == len(words) >= 4
    return words


def test_a_batch_is_that_many_requests_at_the_same_moment():
    with serving(wait_s=0.2) as does:
        record = good(cell_of(does, prompts=3, batch_size=3, gen_length=16))
    [call] = record.calls
    assert call.latency_ms < 2 * 200
    assert {f"chunk.{row}" for row in range(3)} | {f"end.{row}" for row in range(3)} == set(call.marks)
    assert call.latency_ms == max(call.marks[f"end.{row}"][0] for row in range(3))


@pytest.mark.parametrize(("usage", "is_flagged"), [(0, False), (1, False), (None, False), (7, True), (-1, True)])
def test_counts_that_differ_are_both_kept_and_flagged(usage, is_flagged):
    """A server may count the end token or leave it out."""
    with serving(finish="stop") as does:
        own = tokens_of(does)
        does.usage = None if usage is None else own + usage
        record = good(cell_of(does, gen_length=64))
    assert [call.kept for call in record.calls] == [[own + 1]] * 2
    assert [call.counted.usage for call in record.calls] == [[None if usage is None else own + usage]] * 2
    assert ("two counts" in trust.flags(merge.group([record])[record.cell_id])) == is_flagged


def test_a_prompt_that_arrives_with_other_tokens_is_flagged():
    with serving(usage=3, prompt_usage=99) as does:
        record = good(cell_of(does, gen_length=64))
    assert "other prompts" in trust.flags(merge.group([record])[record.cell_id])


def test_a_forced_length_is_asked_for_and_a_server_that_does_not_heed_it_is_refused():
    with serving(usage=16) as does:
        record = good(cell_of(does, stop="length", gen_length=16, prompts=1))
        assert does.asked[-1]["ignore_eos"] is True
        assert record.calls[0].kept == [16]  # end tokens among them are no text
        assert record.calls[0].counted.tokens == [tokens_of(does)] != [16]
        assert "two counts" not in trust.flags(merge.group([record])[record.cell_id])
        does.usage, does.finish = 9, "stop"
        failed = measured(cell_of(does, stop="length", gen_length=16, prompts=1))
    assert failed.outcome == "error"
    assert "ended an answer after 9 of 16 tokens: it does not heed" in failed.message


def test_answers_as_long_as_references_are_forced_one_by_one():
    with serving(usage=3) as does:
        cell = cell_of(does, stop="references", answer_lengths="3 3 3", gen_length=16, prompts=3, batch_size=3)
        assert good(cell).calls[0].kept == [3, 3, 3]
        assert [body["max_tokens"] for body in does.asked[-3:]] == [3, 3, 3]


def test_more_tokens_than_were_asked_for_are_refused():
    with serving(usage=30) as does:
        assert "wrote 30 tokens where 16 were asked for" in measured(cell_of(does, gen_length=16)).message


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ({"breaks_after": 2}, "the stream broke off after 2 pieces of text"),
        ({"breaks_after": 0}, "the server gave no answer"),
        ({"status": 400, "error": {"error": {"message": "maximum context length is 64"}}},
         "refused a request, status 400: maximum context length is 64"),
        ({"status": 503, "error": {"detail": "overloaded"}}, "refused a request, status 503: overloaded"),
        ({"status": 500, "error": b"<html>oh\nno</html>"}, "refused a request, status 500: <html>oh no</html>"),
        ({"instead": b'data: {"choices": [{"text": "a"}]}\n\n'}, "the stream broke off after 1 pieces of text"),
        ({"instead": b'data: {"error": "out of memory"}\n\n'}, "failed in the middle of an answer: out of memory"),
        ({"instead": b"data: hello\n\n"}, "an event that is no JSON object: hello"),
    ],
)  # fmt: skip
def test_a_failure_is_one_line(does, words):
    with serving() as behaviour:
        cell = cell_of(behaviour, gen_length=16)
        vars(behaviour).update(does)
        record = measured(cell)
    assert record.outcome == "error"
    assert words in record.message
    assert behaviour.address in record.message
    assert "\n" not in record.message


def test_a_stream_is_not_redirected():
    with serving() as elsewhere, serving() as does:
        cell = cell_of(does, gen_length=16)
        adapter = ServerAdapter()
        adapter.load(cell)
        does.redirects_to = elsewhere.address
        with pytest.raises(RuntimeError, match="refused a request, status 307"):
            adapter.generate([[1, 2]], lambda kind: None)
        assert elsewhere.headers == []


def test_a_server_that_dies_costs_the_cells_that_ask_it():
    with serving() as does:
        cell = cell_of(does, gen_length=16)
    record = measured(cell)
    assert record.outcome == "error"
    assert "no server answers there" in record.message


def test_a_server_that_became_another_one_is_not_measured_under_the_same_name():
    with serving() as does:
        cell = cell_of(does, gen_length=16)
        does.version = "2"
        from bench.models import server_look

        server_look.look.cache_clear()
        assert "is not what it was when this was planned" in measured(cell).message


@pytest.mark.parametrize("text", ["a\u2028b", "a\x85b", "a\x0bb", "tab\tand  blanks ", "é ß 日本 😀"])
def test_any_character_arrives(text):
    """Python takes several for the end of a line; a stream of events takes the line feed alone."""
    with serving(pieces=(text[:2], text[2:]), finish="stop") as does:
        record = good(cell_of(does, prompts=1, gen_length=64))
    assert record.sequences == [[*data.ids_of(TOKENIZER, text), END]]


def test_an_answer_without_text_has_a_time_and_no_first_token():
    with serving(pieces=(), finish="stop") as does:
        record = good(cell_of(does, gen_length=16))
    assert [call.kept for call in record.calls] == [[1], [1]]
    assert set(metrics.call_latencies(record.calls[0], has_steps=False)) == {"latency"}


def test_warm_up_asks_for_few_tokens_by_the_same_end():
    with serving() as does:
        cell = cell_of(does, stop="eos", gen_length=64)
        assert (calls.short_cell(cell, 4).gen_length, calls.short_cell(cell, 4).stop) == (4, "eos")
        good(cell)
        assert [body["max_tokens"] for body in does.asked] == [4, 4, 4, 64, 64]


KEY = "sk-do-not-tell"


def test_a_key_is_sent_and_written_nowhere(monkeypatch):
    monkeypatch.setenv("OWN_KEY", KEY)
    with serving(key=KEY) as does:
        cell = cell_of(does, gen_length=16, api_key_env="OWN_KEY")
        record = good(cell)
        assert {headers["Authorization"] for headers in does.headers} == {f"Bearer {KEY}"}
        assert KEY not in json.dumps(record.to_json())
        assert json.dumps(record.to_json()).count("OWN_KEY") == 1  # the variable is named
        does.status, does.error = 400, {"error": {"message": f"bad request by {KEY}"}}
        assert "bad request by ***" in measured(cell).message


def test_events_are_taken_in_as_they_come():
    marks: list[str] = []
    answer = Answer()
    answer.take({"choices": [{"text": ""}]}, 0, marks.append)
    answer.take({"choices": [{"text": "a", "finish_reason": "stop"}]}, 0, marks.append)
    answer.take({"choices": [], "usage": {"completion_tokens": 1}}, 0, marks.append)
    answer.end(0, marks.append)
    assert (answer.text, answer.finish, answer.usage, marks) == (
        "a",
        "stop",
        {"completion_tokens": 1},
        ["chunk.0", "end.0"],
    )


def test_counts_and_prompts_are_compared():
    from bench.models.server import Counted

    same = Counted([4, None], [4, 9], [False, True], [7, None], [7, 8], [False, False])
    assert not served.counts_differ(same)
    assert not served.prompts_differ(same)
