"""Scores the generations of a study when nothing is being timed: one JSON record a text set on standard output.

    python -m bench.quality STUDY ENCODER JUDGE

- accuracy: share of valid answers to generated tasks (`bench/tasks.py`), in all, by kind and by task.
- BERTScore F1 against the reference answer (Zhang et al., arXiv 1904.09675).
- Judge perplexity: a causal model's, of the answer after the prompt. It is low for degenerate text, so it means
  nothing without the next lines.
- distinct-2: share of distinct word pairs in a text (Li et al., arXiv 1510.03055).
- repetition: share of token 4-grams that occurred before in the same text (seq-rep-4 of Welleck et al.,
  arXiv 1908.04319).
- entropy: of the token frequencies of a text, nats (Zheng et al., arXiv 2409.02908).
- mean length: tokens to the first EOS.

The human references of a prompt set are scored too, as a run of their own.
"""

import itertools
import json
import math
import sys
from collections import Counter
from dataclasses import dataclass

from tqdm import tqdm

from bench import prompts, records, scorers, tasks
from bench.cell import identity
from bench.errors import BadInput, exit_code
from bench.records import CellRecords


@dataclass(frozen=True)
class Texts:
    """What is scored together: one cell's generations, or the human references of a prompt set."""

    cell_id: str
    entry: CellRecords
    missing: list[str]  # scorers that have not scored it

    @property
    def prompts(self) -> tuple[prompts.Prompt, ...]:
        return prompts.stored(self.entry.cell["prompt_hash"])

    @property
    def references(self) -> list[str]:
        """As long as an answer may be."""
        cell = self.entry.cell
        return [prompts.cut(cell["tokenizer"], p.reference, cell["gen_length"]) for p in self.prompts]

    def texts(self) -> list[str]:
        if self.entry.cell["kind"] == "reference":
            return self.references
        return prompts.decode(self.entry.cell["tokenizer"], self.entry.rounds[1])

    def ids(self) -> list[list[int]]:
        """Kept token ids of each text."""
        cell = self.entry.cell
        if cell["kind"] == "reference":
            return prompts.tokenizer(cell["tokenizer"])(self.references, add_special_tokens=False)["input_ids"]
        return prompts.kept_ids(self.entry.rounds[1])


def distinct_2(text: str) -> float | None:
    """Distinct over all word pairs of a text; None for fewer than two words."""
    words = text.lower().split()
    pairs = list(itertools.pairwise(words))
    return len(set(pairs)) / len(pairs) if pairs else None


def repetition(ids: list[int], n: int = 4) -> float | None:
    """Share of token n-grams seen before in the text; None for fewer than n tokens."""
    grams = [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else None


def entropy(ids: list[int]) -> float | None:
    """Entropy of a text's token frequencies in nats; None for an empty text."""
    shares = [count / len(ids) for count in Counter(ids).values()]
    return sum(share * math.log(1 / share) for share in shares) if ids else None


def diversity(texts: list[str], ids: list[list[int]]) -> dict:
    """Scores that need no model."""
    values = {
        "distinct_2": [distinct_2(text) for text in texts],
        "repetition": [repetition(row) for row in ids],
        "entropy": [entropy(row) for row in ids],
        "mean_length": [float(len(row)) for row in ids],
    }
    return {"scorer": "diversity", "values": values}


def accuracy(asked: list[str], answers: list[str]) -> dict:
    """1 for a valid answer, 0 for another; by kind and task as well, None where a prompt is of another one."""
    valid = [float(tasks.is_valid(prompt, answer)) for prompt, answer in zip(asked, answers, strict=True)]
    names = [tasks.task_of(prompt) for prompt in asked]
    many = [tasks.TASKS[name].many_answers for name in names]
    values = {"accuracy": valid}
    values["accuracy_one_answer"] = [None if is_many else v for v, is_many in zip(valid, many, strict=True)]
    values["accuracy_many_answers"] = [v if is_many else None for v, is_many in zip(valid, many, strict=True)]
    for task in tasks.TASKS:
        values[f"accuracy_{task}"] = [v if name == task else None for v, name in zip(valid, names, strict=True)]
    return {"scorer": "tasks", "values": values}


def reference_cell(cell: dict) -> dict:
    """The human references that a cell's answers are compared with, as a cell of their own."""
    same = {k: cell[k] for k in ("pair", "tokenizer", "gen_length", "prompts", "prompt_hash")}
    return {"kind": "reference", "model": "human"} | same


def reference_id(cell: dict) -> str:
    return identity({k: v for k, v in cell.items() if k != "tokenizer"})  # a place on this machine


def wanted(cell: dict, encoder: str, judge: str) -> list[str]:
    """The scorers that apply to a cell's texts; none where the text is noise or was not free to end."""
    set_ = prompts.stored(cell["prompt_hash"])
    if cell.get("random_seed") is not None or cell.get("stop") == "length" or not set_:
        return []
    if cell["kind"] == "tasks":
        return ["tasks"]
    has_references = all(prompt.reference is not None for prompt in set_)
    bert = [f"bertscore-{encoder}"] if has_references and cell["kind"] != "reference" else []
    return ["diversity", *bert, *([] if judge == "none" else [f"judge-{judge}"])]


def unscored(study: str, encoder: str, judge: str) -> list[Texts]:
    """The text sets of a study that some scorer has not scored yet."""
    known = records.by_cell(study)
    found: dict[str, CellRecords] = {}
    for cell_id, entry in known.items():
        if entry.failed or "sequences" not in entry.rounds.get(1, {}):
            continue  # nothing to score: no text
        found[cell_id] = entry
        if f"bertscore-{encoder}" in wanted(entry.cell, encoder, judge):
            human = reference_cell(entry.cell)
            found.setdefault(reference_id(human), known.get(reference_id(human), CellRecords(human)))
    todo = [
        Texts(cell_id, entry, [name for name in wanted(entry.cell, encoder, judge) if name not in entry.scores])
        for cell_id, entry in found.items()
    ]
    return [item for item in todo if item.missing]


@dataclass
class Scorers:
    """The models that are needed, loaded once."""

    bert: scorers.BertScore | None
    judge: scorers.Judge | None
    encoder: str

    def score(self, name: str, item: Texts, bar: tqdm) -> dict:
        """The record of one scorer on one set of texts."""
        texts = item.texts()
        if not name.startswith("judge-"):
            bar.update(len(texts))
        if name == "tasks":
            return accuracy([prompt.text for prompt in item.prompts], texts)
        if name == "diversity":
            return diversity(texts, item.ids())
        if name.startswith("bertscore-"):
            metric = scorers.ENCODERS[self.encoder][0]
            return {"scorer": name, "values": {metric: self.bert(texts, item.references)}}
        scored = []
        for prompt, text in zip(item.prompts, texts, strict=True):
            scored.append(self.judge(prompt.text, text))
            bar.update()
        nats, tokens = zip(*scored, strict=True)
        return {"scorer": name, "values": {}, "nats": nats, "tokens": tokens}


def main() -> int:
    if len(sys.argv) != 4:
        raise BadInput("usage: python -m bench.quality STUDY ENCODER JUDGE")
    study, encoder, judge = sys.argv[1:]
    todo = unscored(study, encoder, judge)
    names = {name for item in todo for name in item.missing}
    from transformers.utils import logging

    logging.disable_progress_bar()
    bert = scorers.BertScore(encoder) if f"bertscore-{encoder}" in names else None
    loaded = Scorers(bert, scorers.Judge(judge) if f"judge-{judge}" in names else None, encoder)
    total = sum(len(item.missing) * item.entry.cell["prompts"] for item in todo)
    bar = tqdm(total=total, desc="scoring", unit="text", mininterval=1)
    for item in todo:
        for name in item.missing:
            head = {"record": "scores", "study": study, "cell_id": item.cell_id, "cell": item.entry.cell}
            print(json.dumps(head | loaded.score(name, item, bar)), flush=True)
    bar.close()
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
