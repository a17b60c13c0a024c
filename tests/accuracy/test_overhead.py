"""What the harness adds to the time of generation, with a model of known time and a vocabulary as large as LLaDA's."""

import time

import pytest

pytest.importorskip("lm_eval", reason="lm-eval is not installed (configs/requirements-accuracy.txt)")

from bench.accuracy import run
from bench.accuracy.run import Models
from tests.accuracy import local_tasks
from tests.accuracy.test_run import ask, fake

# The fastest answer of an 8B model that was measured: LLaMA, captured, 256 tokens at 6.2 ms on an H100
# (paper/recorded/engines.md). What the harness adds to an answer is to be at most 2 % of it.
FASTEST_ANSWER_S = 256 * 6.2e-3
SHARE = 0.02
QUESTIONS, TOKENS, CALL_S = 48, 256, 0.05


@pytest.mark.parametrize("batch_size", [1, 8])
def test_the_harness_adds_at_most_two_percent_at_8b_shapes(pocket, sink, tmp_path, batch_size):
    rows = [row | {"question": f"{row['question']} " * 40} for row in local_tasks.questions(QUESTIONS)]
    recipe = local_tasks.WORDS_RECIPE | {"models": local_tasks.MODELS | {"autoregressive": {"gen_length": TOKENS}}}
    local_tasks.write(tmp_path, "long", local_tasks.WORDS, recipe, rows)
    asked = ask(tmp_path, pocket, ["long"], batch_size=batch_size)[:1]
    model = fake(asked[0].texts, seconds=CALL_S)
    ids = asked[0].texts.encode("a b c d ", add_special_tokens=False)
    model.answer = lambda _: (ids * TOKENS)[: TOKENS - 1]
    start = time.process_time()  # of this process alone: the model sleeps, and other processes may be at work
    wall_start = time.perf_counter()
    list(run.run(asked, sink, Models(lambda kind: model)))
    added_s = (time.process_time() - start) / QUESTIONS
    waited_s = (time.perf_counter() - wall_start - model.slept_s) / QUESTIONS
    print(f"batch {batch_size}: {1e3 * added_s:.2f} ms of processor, {1e3 * waited_s:.2f} ms of wall time an answer")
    assert len(model.calls) == QUESTIONS // batch_size
    assert added_s <= SHARE * FASTEST_ANSWER_S
