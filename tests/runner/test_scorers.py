"""Scorers in processes of their own: proved before anything is measured, and a death costs one scorer alone."""

import contextlib
import json

import pytest

from bench.common.errors import BadInput
from bench.data import prompts
from bench.data.prompt import Prompt
from bench.devices import lock
from bench.quality import judge as judges
from bench.quality import proof, scoring
from bench.runner import scorers, scores
from bench.runner.progress import SCORING, Bar, Part
from bench.runner.request import Request
from bench.spec.pair import read_pair
from bench.spec.work import Work
from bench.store import disk
from bench.store.sink import Sink
from tests.conftest import REPO, make_cell
from tests.support import apart_functions, made_up_judges
from tests.support.records import llada_call, round_of

PAIR = read_pair(str(REPO / "configs/pairs/pocket.yaml"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory of its own, with its own locks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(lock.LOCKS, str(tmp_path))
    return tmp_path


def work_of(cell) -> Work:
    return Work("s", 1, 0, (cell,), {})


def score(pair, sink: Sink) -> int | None:
    """How many scorers failed; None where there was nothing to do."""
    with contextlib.closing(Bar({SCORING: Part(SCORING, 1.0)})) as bar:
        return scores.score("s", pair, sink, bar)


@pytest.fixture
def cell(folder):
    """A cell whose texts every scorer can score."""
    prompt_hash = prompts.keep((Prompt("Say it.", "It is said.", {"llada": [5], "llama": [5]}),))
    return make_cell("llada", kind="sweep", prompts=1, prompt_hash=prompt_hash)


def test_a_judge_that_cannot_judge_stops_a_run_before_anything_is_measured(cell, folder, capfd):
    pair = PAIR.model_copy(update={"judge": made_up_judges.quantised(folder / "judge")})
    sink = Sink("s")
    capfd.readouterr()  # what making it said
    with pytest.raises(BadInput, match="cannot judge: ImportError"):
        scorers.check(Request(), work_of(cell), pair, sink)
    assert not sink.file.exists()
    said = capfd.readouterr().err  # what libraries say is in a file
    assert said == "checking that the scorers can score (once, under a minute)\n"
    assert proof.LOG.is_file()


def test_a_judge_that_can_judge_is_called_once(cell, folder, monkeypatch):
    pair = PAIR.model_copy(update={"judge": made_up_judges.gpt2(folder / "judge")})
    scorers.check(Request(), work_of(cell), pair, Sink("s"))
    monkeypatch.setattr(scorers.apart, "run", lambda *arguments, **settings: pytest.fail("called again"))
    scorers.check(Request(), work_of(cell), pair, Sink("s"))


def test_a_check_that_dies_is_one_line(cell, folder, monkeypatch):
    monkeypatch.setattr(proof, "prove_apart", apart_functions.say_nothing)
    with pytest.raises(BadInput, match="cannot be checked: its process ended without a word"):
        scorers.check(Request(), work_of(cell), PAIR, Sink("s"))


@pytest.mark.parametrize("changes", [{"stop": "length"}, {"random_seed": 0}, {"kind": "tasks"}])
def test_nothing_is_called_for_cells_that_no_model_scores(changes, cell, monkeypatch):
    monkeypatch.setattr(scorers.apart, "run", lambda *arguments, **settings: pytest.fail("called"))
    other = make_cell("llada", **{"prompt_hash": cell.prompt_hash} | changes)
    scorers.check(Request(), work_of(other), PAIR, Sink("s"))


def test_a_process_that_dies_costs_the_scorer_that_it_was_at(cell, folder, monkeypatch, capfd):
    pair = PAIR.model_copy(update={"judge": made_up_judges.gpt2(folder / "judge")})
    sink = Sink("s")
    sink.take(round_of(cell, [llada_call(0, kept=[2])], sequences=[[5, 1]]))
    monkeypatch.setattr(scoring, "score_study", apart_functions.score_and_die_at_the_encoder)
    assert score(pair, sink) == 1
    on_record = disk.by_cell("s")["c"].scores
    assert on_record["bertscore-minilm"].failure == scores.DIED
    assert on_record["diversity"].failure is None
    assert on_record[judges.scorer_name(pair.judge)].failure is None
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("bertscore")]
    assert lines == [
        f"bertscore-minilm: 1 set of texts not scored ({scores.DIED}); generations are kept, `make score` tries again"
    ]
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert score(pair, sink) == 0
    assert disk.by_cell("s")["c"].scores["bertscore-minilm"].failure is None
    assert score(pair, sink) is None


def test_what_was_found_out_is_kept_as_json_and_a_broken_file_costs_nothing(folder):
    judges.keep("proofs", {"a": True})
    judges.keep("proofs", {"b": True})
    file = judges.CACHE / "proofs.json"
    assert json.loads(file.read_text()) == {"a": True, "b": True}
    file.write_text("{")
    assert judges.read_kept("proofs") == {}
