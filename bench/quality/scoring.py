"""Which texts of a study have no scores yet, and the record of each scorer on each set of texts.

Scoring fails by text or by scorer, never by study. A text that cannot be scored has a reason in the record. A scorer
that fails leaves a record that says why, which counts in place of an earlier judge's, and is asked again by the next
`make score`.
"""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tqdm import tqdm

from bench.common.characters import half_character
from bench.data import tasks, tokenizers
from bench.data.prompts import Prompt, stored
from bench.quality import judge as judges
from bench.quality import models, text_scores
from bench.quality.rows import Row, each, reason_of
from bench.records.merge import CellRecords
from bench.records.not_scored import NOT_YET
from bench.records.settings import HumanReferences
from bench.records.types import Scores, is_judge
from bench.spec.cell import CHECKED, ENDS, Cell
from bench.store import disk, generations

BY_RULE = ("diversity", "tasks")  # scorers that need no model
DECODERS = "decoders"  # the kind of cells whose prompts are questions, or in another grid the generated tasks
Take = Callable[[Scores], None]  # what puts a record on disk
Scorer = Callable[[list[Row]], dict]  # from texts to fields of a record `Scores`


@dataclass(frozen=True)
class Texts:
    """What is scored together: one cell's generations, or the human references of a prompt set."""

    cell_id: str
    entry: CellRecords
    missing: list[str]  # scorers that have not scored it

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        return stored(self.entry.cell.prompt_hash)

    def reference(self, prompt: Prompt) -> str | None:
        """As long as an answer may be; uncut where no tokenizer takes it, which its scorers then say."""
        if prompt.reference is None or half_character(prompt.reference):
            return prompt.reference
        return tokenizers.cut(self.entry.cell.tokenizer, prompt.reference, self.entry.cell.gen_length)

    def rows(self) -> list[Row]:
        """Each text up to its end token, with its prompt and its reference."""
        references = [self.reference(prompt) for prompt in self.prompts]
        cell = self.entry.cell
        if isinstance(cell, HumanReferences):
            texts = references
            ids = [[] if half_character(text) else ids_of(cell.tokenizer, text) for text in texts]
        else:
            texts = generations.decode(cell.tokenizer, self.entry.rounds[1])
            ids = generations.kept_ids(self.entry.rounds[1])
        asked = [prompt.text for prompt in self.prompts]
        return [Row(*parts) for parts in zip(asked, references, texts, ids, strict=True)]


def ids_of(tokenizer: str, text: str) -> list[int]:
    return tokenizers.tokenizer(tokenizer)(text, add_special_tokens=False)["input_ids"]


def wanted(cell: Cell | HumanReferences, encoder: str, judge: str) -> list[str]:
    """The scorers that apply to a cell's texts; none where the text is noise or was not free to end, or the cell is
    about time alone."""
    prompts = stored(cell.prompt_hash)
    if not prompts:
        return []
    has_references = all(prompt.reference is not None for prompt in prompts)
    judge_names = [] if judge == judges.NOBODY else [judges.scorer_name(judge)]
    if isinstance(cell, HumanReferences):
        return ["diversity", *judge_names]
    if not can_be_scored(cell):
        return []
    if cell.kind in CHECKED or (cell.kind == DECODERS and all(tasks.is_task(prompt.text) for prompt in prompts)):
        return ["tasks"]
    return ["diversity", *([f"bertscore-{encoder}"] if has_references else []), *judge_names]


def unscored(study: str, encoder: str, judge: str, tried_since_s: float | None = None) -> list[Texts]:
    """The text sets of a study that some scorer has not scored yet.

    tried_since_s: a wall-clock moment; a scorer that has failed since then is not asked again.
    """
    recorded = disk.by_cell(study)
    entries: dict[str, CellRecords] = {}
    for cell_id, entry in recorded.items():
        if not has_texts(entry):
            continue  # nothing to score
        entries[cell_id] = entry
        if f"bertscore-{encoder}" in wanted(entry.cell, encoder, judge):
            human = HumanReferences.beside(entry.cell)
            entries.setdefault(human.cell_id, recorded.get(human.cell_id, CellRecords(human)))
    todo = []
    for cell_id, entry in entries.items():
        scorers = wanted(entry.cell, encoder, judge)
        todo.append(Texts(cell_id, entry, [name for name in scorers if is_missing(name, entry, tried_since_s)]))
    return [item for item in todo if item.missing]


def without_prompts(study: str) -> int:
    """How many sets of texts have no score at all, and get none here, since their prompts are not in this clone."""
    return sum(
        has_texts(entry) and can_be_scored(entry.cell) and not has_scores(entry) and not stored(entry.cell.prompt_hash)
        for entry in disk.by_cell(study).values()
    )


def has_texts(entry: CellRecords) -> bool:
    """Whether the first round of a cell, which answers every prompt, left its texts."""
    return not entry.failed and 1 in entry.rounds and entry.rounds[1].sequences is not None


def has_scores(entry: CellRecords) -> bool:
    """Whether any scorer scored a set of texts."""
    return any(record.failure is None for record in entry.scores_that_count.values())


def can_be_scored(cell: Cell) -> bool:
    """Whether a cell's texts are no noise, were free to end, and are not there for their time alone."""
    return cell.random_seed is None and cell.stop == "eos" and cell.kind != ENDS


def is_missing(scorer: str, entry: CellRecords, tried_since_s: float | None = None) -> bool:
    """Whether a scorer's scores are not there, or not those that count because another judge was asked later."""
    record = entry.scores_that_count.get(scorer)
    if record is None or record.failure == NOT_YET:
        return True
    return record.failure is not None and (tried_since_s is None or record.ended_s < tried_since_s)


def in_order(todo: Iterable[Texts]) -> list[str]:
    """The scorers that are missing, those that need no model first and the judge last: a large one can end the process
    that it runs in."""
    names = {name for item in todo for name in item.missing}
    return sorted(names, key=lambda name: (name not in BY_RULE, is_judge(name), name))


def scorer_of(name: str, encoder: str, judge: str, advance: Callable[[int], object]) -> Scorer:
    """A scorer by its name: from rows to fields of a record `Scores`. Models are loaded here.

    advance: told by a judge how many texts it has read, since each takes a while.
    """
    if name == "tasks":
        return text_scores.of_tasks
    if name == "diversity":
        return text_scores.of_diversity
    if is_judge(name):
        judge_model = judges.Judge(judge)

        def by_judge(rows: list[Row]) -> dict:
            scored, reasons = each(rows, judge_model.score_row, advance)
            nats, tokens = zip(*(pair or (None, 0) for pair in scored), strict=True)
            return {"values": {}, "nats": list(nats), "tokens": list(tokens), "not_scored": reasons}

        return by_judge
    encoder_model = models.BertScore(encoder)
    metric = models.ENCODERS[encoder][0]

    def by_encoder(rows: list[Row]) -> dict:
        values, reasons = encoder_model.score_rows(rows)
        return {"values": {metric: values}, "not_scored": reasons}

    return by_encoder


def score_study(study: str, encoder: str, judge: str, tried_since_s: float | None, take: Take) -> bool:
    """Score every text of a study that has no scores yet, and give each record to `take`. Returns True.

    encoder: BERTScore's model, minilm or mpnet. judge: smollm2, none, or a directory. tried_since_s: see `unscored`.
    Only models that are needed are loaded.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    todo = unscored(study, encoder, judge, tried_since_s)
    total = sum(len(item.missing) * item.entry.cell.prompts for item in todo)
    with tqdm(total=total, desc="scoring", unit="text", mininterval=1) as bar:
        for name in in_order(todo):
            items = [item for item in todo if name in item.missing]
            score_by(study, name, items, lambda name=name: scorer_of(name, encoder, judge, bar.update), take, bar)
    return True


def score_by(study: str, name: str, items: list[Texts], load: Callable[[], Scorer], take: Take, bar: tqdm) -> None:
    """Score some sets of texts by one scorer. What it cannot score at all has a record that says why."""
    left = []
    for item in items:
        before = item.entry.scores.get(name)
        if before is None or before.failure:
            left.append(item)
        else:  # scored by this judge, and another was asked since: these scores count again
            take(replace(before, ended_s=time.time()))
            bar.update(item.entry.cell.prompts)
    take_back(study, name, left, take)
    if not left:
        return
    scorer, why = attempt(load)
    for item in left:
        scores = {}
        if scorer is not None:
            scores, why = attempt(lambda item=item: scorer(item.rows()))
        take(record_of(study, name, item, **(scores or failed(why))))
        if not is_judge(name):
            bar.update(item.entry.cell.prompts)


def attempt(call: Callable[[], object]) -> tuple:
    """(What a call returns, ""), or (None, why it failed)."""
    try:
        return call(), ""
    except Exception as error:  # whatever a library raises: it costs this scorer, no other
        return None, reason_of(error)


def take_back(study: str, name: str, items: list[Texts], take: Take) -> None:
    """Where another judge's numbers count, let them count no more, before this one is asked: whatever becomes of it,
    no number stands under the wrong name."""
    if is_judge(name):
        for item in items:
            if any(is_judge(other) for other in item.entry.scores if other != name):
                take(record_of(study, name, item, **failed(NOT_YET)))


def records_of_death(study: str, todo: list[Texts], why: str) -> list[Scores]:
    """What stands for the scorer that was at work when its process died: the first that has not scored everything."""
    if not todo:
        return []
    name = in_order(todo)[0]
    return [record_of(study, name, item, **failed(why)) for item in todo if name in item.missing]


def failed(why: str) -> dict:
    """The fields of a record of a scorer that failed."""
    return {"values": {}, "failure": why}


def record_of(study: str, name: str, item: Texts, **fields: object) -> Scores:
    return Scores(study, item.cell_id, name, cell=item.entry.cell, ended_s=time.time(), **fields)


def report_failures(study: str, since_s: float) -> int:
    """Say on standard error which scorers have failed since a moment, a line each; returns how many."""
    failures: dict[str, list[str]] = {}
    for entry in disk.by_cell(study).values():
        for name, record in entry.scores_that_count.items():
            if record.failure and record.ended_s >= since_s:
                failures.setdefault(name, []).append(record.failure)
    for name, reasons in failures.items():
        sets = "1 set" if len(reasons) == 1 else f"{len(reasons)} sets"
        tqdm.write(  # a bar may stand in the last line
            f"{name}: {sets} of texts not scored ({reasons[0]}); generations are kept, `make score` tries again",
            file=sys.stderr,
        )
    return len(failures)
