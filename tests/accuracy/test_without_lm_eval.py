"""What of the harness needs no lm-eval is tested without it: records, scores, the plan, the table, chat texts."""

import ast
import subprocess
import sys
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from bench.accuracy import plan, report, run, score
from bench.accuracy.answers import Answer, key_of, key_of_item
from bench.accuracy.run import Recorder, Scored
from bench.accuracy.texts import Texts
from bench.records.items import Item
from bench.records.types import Scores
from bench.spec.pair import ModelFile
from bench.store import disk
from tests.conftest import REPO, make_cell

TOKENIZER = str(REPO / "bench/pocket/tokenizer")


@dataclass
class Request:
    """What of lm-eval's request is looked at."""

    doc_id: int
    idx: int
    doc: dict
    args: tuple = ("Why?", " Because.")
    resps: list = field(default_factory=list)
    filtered_resps: dict = field(default_factory=dict)


class Choices:
    """A task with two choices a question, as lm-eval's tasks behave: the likelier one counts."""

    OUTPUT_TYPE = "multiple_choice"

    def __init__(self, questions: int):
        self.instances = [Request(doc, choice, {"right": doc % 2}) for doc in range(questions) for choice in (0, 1)]
        self._filters = [self]
        self.name = "none"

    def apply(self, instances):
        for instance in instances:
            instance.filtered_resps[self.name] = instance.resps[0]

    def process_results(self, doc, results):
        likelihoods = [nats for nats, _ in results]
        return {"acc": likelihoods.index(max(likelihoods)) == doc["right"], "over_all": (doc, results)}


@dataclass(frozen=True)
class Asked:
    """What of a cell that is asked is looked at."""

    cell: object
    task: object
    recipe: object = None
    is_generated: bool = False

    @property
    def requests(self):
        return self.task.instances

    @property
    def keys(self):
        return {key_of(request) for request in self.requests}


def recorder(sink, questions=2):
    asked = Asked(make_cell("llama", kind="accuracy", task="words", template="own"), Choices(questions))
    return Recorder(asked, sink, {}, "a processor", "a commit", lambda done: None)


def answers(requests, *nats):
    return [(request, Answer(0.5, 2, log_likelihood=value)) for request, value in zip(requests, nats, strict=True)]


def test_nothing_here_needs_lm_eval():
    code = "import sys; sys.modules['lm_eval'] = None; import tests.accuracy.test_without_lm_eval"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_key_is_made_in_one_place():
    """Elsewhere the two numbers of a request, or of an item, never stand together in a pair."""
    pairs = {("doc_id", "idx"), ("index", "request")}
    for file in sorted((REPO / "bench/accuracy").glob("*.py")):
        made = [
            node for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Tuple) and tuple(getattr(part, "attr", "") for part in node.elts) in pairs
        ]  # fmt: skip
        assert len(made) == (2 if file.name == "answers.py" else 0), file


def test_answers_are_on_record_and_a_question_is_scored_with_its_last(sink):
    taking = recorder(sink)
    requests = taking.asked.requests
    taking.take(answers(requests[:1], -2.0))
    taking.take(answers(requests[1:], -1.0, -3.0, -4.0))
    on_record = [record for record in disk.read(sink.file) if isinstance(record, Item)]
    assert [key_of_item(item) for item in on_record] == [key_of(request) for request in requests]
    assert [item.outcome for item in on_record] == [{}, {"acc,none": 0.0}, {}, {"acc,none": 0.0}]
    assert [item.cell for item in on_record] == [taking.asked.cell, None, None, None]
    assert [replace(item, cell=None) for item in on_record] == [
        replace(item, cell=None) for item in taking.done.values()
    ]
    assert run.items_of(sink) == {taking.asked.cell.cell_id: {key_of_item(item): item for item in on_record}}


def test_of_two_answers_to_a_request_the_later_counts(sink):
    for nats in (-2.0, -7.0):
        taking = recorder(sink)
        taking.take(answers(taking.asked.requests[:1], nats))
    [of_cell] = run.items_of(sink).values()
    assert [item.log_likelihood for item in of_cell.values()] == [-7.0]


def test_an_item_is_read_as_it_was_written():
    whole = Item("s", "c", 3, 1, "h", 0.25, 4, make_cell("llada"), "text", 9, 16, -1.5, 0.1, True, {"acc,none": 1.0})
    assert Item.from_json(whole.to_json()).to_json() == whole.to_json()
    assert "log_likelihood" not in replace(whole, log_likelihood=None).to_json()


def test_a_plan_takes_a_cells_own_pace_once_it_is_known(sink):
    taking = recorder(sink, questions=10)
    requests = taking.asked.requests
    taking.take(answers(requests[:8], *[-1.0] * 8))
    [estimate] = plan.estimates([taking.asked], run.items_of(sink), {})
    assert (estimate.done, estimate.seconds) == (8, 12 * 0.5)
    taking.take(answers(requests[8:], *[-1.0] * 12))
    [estimate] = plan.estimates([taking.asked], run.items_of(sink), {})
    assert (estimate.done, estimate.seconds) == (20, 0.0)
    *_, row, last = plan.lines([estimate], "s")
    assert "20 of 20" in row
    assert last.startswith("study s: 1 cells on cpu, about 0.0 min to go")


def scored(template, right, unmatched=None):
    cell = make_cell("llada", kind="accuracy", task="words", template=template)
    recipe = SimpleNamespace(score=SimpleNamespace(metric="acc", filter="none"))
    values = {"accuracy": right, "seconds_an_item": [0.5] * len(right)}
    values |= {"unmatched_answers": unmatched} if unmatched else {}
    return Scored(Asked(cell, None, recipe), Scores("s", "c", score.SCORER, values), {"acc,none": 1.0, "f1,none": 0.25})


def test_the_table_has_a_row_a_cell_and_what_belongs_beside_it():
    cells = [scored("own", [1.0, 1.0, 0.0, 1.0]), scored("asked", [1.0, 0.0, 0.0, 0.0])]
    cells.append(scored("broken", [0.0, 0.0], unmatched=[1.0, 1.0]))
    heading, own, asked, broken, *notes = report.lines(cells)
    assert heading.split()[:4] == ["task", "template", "model", "accuracy"]
    assert own.split()[:6] == ["words", "own", "LLaDA,", "4", "steps", "0.750"]
    assert own.split()[-6:] == ["4", "-", "-", "-", "-", "0.500"]
    assert " 0.250 " in asked
    assert "NO MATCH" in broken
    assert sum("NO MATCH: the filter none found an answer in none of 2 texts" in note for note in notes) == 1
    assert sum(note.endswith("lm-eval's other scores: f1,none 0.250") for note in notes) == 3
    assert notes[-1].endswith("over 2 templates: 0.500, from 0.250 (asked) to 0.750 (own)")


@pytest.mark.parametrize(("given", "is_blank"), [("", True), (["", " \n"], True), (["", "a"], False), (0, False)])
def test_what_a_filter_made_nothing_of_is_blank(given, is_blank):
    assert score.is_blank(given) == is_blank


def test_scores_are_means_over_questions_and_only_of_numbers():
    samples = [
        {"filter": "none", "metrics": ["acc", "pair"], "acc": value, "pair": (1, 2)} for value in (True, False, 1.0, 1)
    ]
    assert score.all_scores(samples) == {"acc,none": 0.75}


def test_a_text_in_chat_form_begins_once():
    texts = Texts(ModelFile(weights=str(REPO / "bench/pocket/llama"), tokenizer=TOKENIZER))
    asked = texts.chat([{"role": "user", "content": "Hello"}])
    ids = texts.encode(asked)
    assert ids == texts.encode(asked, add_special_tokens=False)
    assert ids.count(ids[0]) == 1 or texts.tokenizer.bos_token is None
    assert "Hello" in texts.decode(ids)
    assert texts.prefix_id in (texts.tokenizer.bos_token_id, texts.tokenizer.eos_token_id)
