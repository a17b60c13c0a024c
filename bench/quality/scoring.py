"""Which texts of a study have no scores yet, and the record of each scorer on each set of texts."""

from collections.abc import Callable
from dataclasses import dataclass

from tqdm import tqdm

from bench.data import tokenizers
from bench.data.prompts import Prompt, stored
from bench.quality import models, text_scores
from bench.records.merge import CellRecords
from bench.records.settings import HumanReferences
from bench.records.types import Scores
from bench.spec.cell import Cell
from bench.store import disk, generations


@dataclass(frozen=True)
class Texts:
    """What is scored together: one cell's generations, or the human references of a prompt set."""

    cell_id: str
    entry: CellRecords
    missing: list[str]  # scorers that have not scored it

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        return stored(self.entry.cell.prompt_hash)

    @property
    def references(self) -> list[str]:
        """As long as an answer may be."""
        cell = self.entry.cell
        return [tokenizers.cut(cell.tokenizer, prompt.reference, cell.gen_length) for prompt in self.prompts]

    def texts(self) -> list[str]:
        """Each text, up to its end token."""
        if isinstance(self.entry.cell, HumanReferences):
            return self.references
        return generations.decode(self.entry.cell.tokenizer, self.entry.rounds[1])

    def ids(self) -> list[list[int]]:
        """Kept token ids of each text."""
        cell = self.entry.cell
        if isinstance(cell, HumanReferences):
            return tokenizers.tokenizer(cell.tokenizer)(self.references, add_special_tokens=False)["input_ids"]
        return generations.kept_ids(self.entry.rounds[1])


def wanted(cell: Cell | HumanReferences, encoder: str, judge: str) -> list[str]:
    """The scorers that apply to a cell's texts; none where the text is noise or was not free to end."""
    prompts = stored(cell.prompt_hash)
    if not prompts:
        return []
    has_references = all(prompt.reference is not None for prompt in prompts)
    judges = [] if judge == "none" else [f"judge-{judge}"]
    if isinstance(cell, HumanReferences):
        return ["diversity", *judges]
    if cell.random_seed is not None or cell.stop == "length":
        return []
    if cell.kind == "tasks":
        return ["tasks"]
    return ["diversity", *([f"bertscore-{encoder}"] if has_references else []), *judges]


def unscored(study: str, encoder: str, judge: str) -> list[Texts]:
    """The text sets of a study that some scorer has not scored yet."""
    recorded = disk.by_cell(study)
    entries: dict[str, CellRecords] = {}
    for cell_id, entry in recorded.items():
        if entry.failed or 1 not in entry.rounds or entry.rounds[1].sequences is None:
            continue  # nothing to score: no text
        entries[cell_id] = entry
        if f"bertscore-{encoder}" in wanted(entry.cell, encoder, judge):
            human = HumanReferences.beside(entry.cell)
            entries.setdefault(human.cell_id, recorded.get(human.cell_id, CellRecords(human)))
    todo = [
        Texts(cell_id, entry, [name for name in wanted(entry.cell, encoder, judge) if name not in entry.scores])
        for cell_id, entry in entries.items()
    ]
    return [item for item in todo if item.missing]


@dataclass
class Scorers:
    """The models that are needed, loaded once."""

    bert: models.BertScore | None
    judge: models.Judge | None
    encoder: str

    def score(self, name: str, item: Texts, bar: tqdm) -> dict:
        """What one scorer says of one set of texts: fields of a record `Scores`."""
        texts = item.texts()
        if not name.startswith("judge-"):
            bar.update(len(texts))
        if name == "tasks":
            return text_scores.accuracy([prompt.text for prompt in item.prompts], texts)
        if name == "diversity":
            return text_scores.diversity(texts, item.ids())
        if name.startswith("bertscore-"):
            metric = models.ENCODERS[self.encoder][0]
            return {"scorer": name, "values": {metric: self.bert(texts, item.references)}}
        scored = []
        for prompt, text in zip(item.prompts, texts, strict=True):
            scored.append(self.judge(prompt.text, text))
            bar.update()
        nats, tokens = zip(*scored, strict=True)
        return {"scorer": name, "values": {}, "nats": nats, "tokens": tokens}


def score_study(study: str, encoder: str, judge: str, take: Callable[[Scores], None]) -> bool:
    """Score every text of a study that has no scores yet, and give each record to `take`. Returns True.

    encoder: BERTScore's model, minilm or mpnet. judge: smollm2, none, or a directory. Only models that are
    needed are loaded.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    todo = unscored(study, encoder, judge)
    names = {name for item in todo for name in item.missing}
    scorers = Scorers(
        bert=models.BertScore(encoder) if f"bertscore-{encoder}" in names else None,
        judge=models.Judge(judge) if f"judge-{judge}" in names else None,
        encoder=encoder,
    )
    total = sum(len(item.missing) * item.entry.cell.prompts for item in todo)
    with tqdm(total=total, desc="scoring", unit="text", mininterval=1) as bar:
        for item in todo:
            for name in item.missing:
                values = scorers.score(name, item, bar)
                take(Scores(study, item.cell_id, cell=item.entry.cell, **values))
    return True
