"""A real server with the pocket LLaMA gives the very tokens of our engines, and what it adds to their times."""

import statistics
import time

import pytest

from bench.adapters.llama import LlamaAdapter
from bench.adapters.server import ServerAdapter
from bench.data import served, tokenizers
from bench.data.prompt import Prompt
from bench.data.prompts import select
from bench.measure import calls
from bench.measure.clock import Stopwatch
from bench.models import server
from bench.models.server import Asked
from bench.records import metrics
from bench.records import served as records
from bench.records.types import Call
from bench.spec.cell import Cell
from bench.spec.work import Work
from tests.conftest import REPO, make_cell
from tests.support import real_server

pytestmark = [pytest.mark.slow, real_server.needs_server]
TOKENIZER = str(REPO / "bench/pocket/tokenizer")
PROMPTS = 8
LENGTH = 64


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    with real_server.serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def prompts(tmp_path_factory) -> tuple[Prompt, ...]:
    """Tasks, and questions where they are there to be read."""
    encoders = {"llama": lambda text: tokenizers.encode(TOKENIZER, text)}
    return select("tasks", PROMPTS // 2, None, 0, encoders) + select("sharegpt", PROMPTS // 2, 64, 200, encoders)


def cell_of(asked: Asked, **changes) -> Cell:
    said = served.look(asked, TOKENIZER)
    settings = {"gen_length": LENGTH, "prompts": PROMPTS, "engine": "server", "device": "server", "dtype": "unstated",
                "weights": asked.address, "server": server.to_json(asked, said),
                "revision": served.revision(said, TOKENIZER)}  # fmt: skip
    return make_cell("llama", **settings | changes)


def timed(adapter, cell: Cell, prompts: tuple[Prompt, ...]) -> tuple[list[Call], list[list[int]]]:
    """Calls behind a warm-up, and the kept tokens of each answer."""
    work = Work("s", 1, 0, (cell,), {"h": prompts})
    batches = calls.batches_of(work, cell, 1)
    adapter.load(cell)
    calls.capture(adapter, cell, batches)
    calls.warm_up(adapter, cell, batches)
    found, sequences = calls.timed_calls(adapter, cell, batches)
    kept = [count for call in found for count in call.kept]
    return found, [row[:count] for row, count in zip(sequences, kept, strict=True)]


@pytest.mark.parametrize("stop", ["eos", "length"])
def test_its_text_is_ours_token_for_token(asked, prompts, stop):
    _, ours = timed(LlamaAdapter(), make_cell("llama", gen_length=LENGTH, prompts=PROMPTS, stop=stop), prompts)
    found, theirs = timed(ServerAdapter(), cell_of(asked, stop=stop), prompts)
    if stop == "eos":
        assert theirs == ours
        assert [call.kept[0] for call in found] == [len(row) for row in ours]
        assert any(len(row) < LENGTH for row in ours)  # some end by themselves
    else:
        texts = [[tokenizers.tokenizer(TOKENIZER).decode(row, skip_special_tokens=True) for row in rows] for rows in
                 (ours, theirs)]  # fmt: skip
        assert texts[0] == texts[1]
        assert [call.kept for call in found] == [[LENGTH]] * PROMPTS
        assert [call.counted.usage for call in found] == [[LENGTH]] * PROMPTS
    assert not any(records.prompts_differ(call.counted) for call in found)


def test_answers_at_the_same_moment_are_the_same(asked, prompts):
    _, alone = timed(ServerAdapter(), cell_of(asked), prompts)
    found, together = timed(ServerAdapter(), cell_of(asked, batch_size=4), prompts)
    assert together == alone
    assert len(found) == PROMPTS // 4


def test_what_a_server_adds_to_the_time_of_a_token(asked, prompts, capsys):
    """Printed, not judged: it is this machine's."""
    cells = {
        "eager": (LlamaAdapter(), make_cell("llama", gen_length=LENGTH, prompts=PROMPTS)),
        "generate": (LlamaAdapter(), make_cell("llama", gen_length=LENGTH, prompts=PROMPTS, engine="generate")),
        "server": (ServerAdapter(), cell_of(asked)),
    }
    times = {name: [] for name in cells}
    for _ in range(3):
        for name, (adapter, cell) in cells.items():
            found, _ = timed(adapter, cell, prompts)
            times[name] += [metrics.call_latencies(call, has_steps=False) for call in found]
    medians = {
        name: {
            key: statistics.median(each[key] for each in values if key in each) for key in ("ttft", "tpot", "latency")
        }
        for name, values in times.items()
    }
    with capsys.disabled():
        for name, values in medians.items():
            print(f"\n{name:9} " + ", ".join(f"{key} {value:.2f} ms" for key, value in values.items()), end="")
    assert all(value > 0 for values in medians.values() for value in values.values())


def test_a_stopwatch_of_ours_and_the_streams_end_agree(asked, prompts):
    adapter, cell = ServerAdapter(), cell_of(asked)
    adapter.load(cell)
    start = time.perf_counter()
    output, timing = Stopwatch("server").time(lambda mark: adapter.generate([prompts[0].ids["llama"]], mark))
    seconds = time.perf_counter() - start
    assert timing.marks["chunk.0"][0] <= timing.marks["end.0"][0] <= 1e3 * seconds
    assert timing.latency_ms - timing.marks["end.0"][0] < 50
    assert output.counted.usage[0] is not None
