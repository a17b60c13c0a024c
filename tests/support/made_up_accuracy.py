"""Made-up accuracies in tasks of lm-evaluation-harness: items and scores as records, no models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from bench.analysis.study import PER_PROMPT, Histories, Study
from bench.analysis.task_accuracy import TaskAccuracy
from bench.analysis.task_runs import task_accuracies
from bench.records import metrics
from bench.records.items import Item
from bench.records.merge import CellRecords
from bench.records.types import Scores
from bench.spec.cell import Cell
from bench.spec.pair import PairFile, read_pair
from bench.store import mlflow_log

DEVICE = "a card"
SECONDS = {None: 0.5}  # of an item; of LLaDA a hundredth a step


def pair_of(task: str | None = "words", margin: float = 0.05) -> PairFile:
    """The pocket pair with a task as its primary metric; None: no accuracy is declared."""
    metric = {"primary_metric": task, "secondary_metric": None} if task else {
        "primary_metric": "bertscore_f1", "secondary_metric": None
    }  # fmt: skip
    return read_pair("pocket").model_copy(update=metric | {"margin": margin})


def right(count: int, of: int, offset: int = 0) -> list[float]:
    """So many right answers, from the question at `offset` on, of so many questions."""
    return [float((number - offset) % of < count) for number in range(of)]


@dataclass
class MadeUp:
    """A study of accuracies that is filled cell by cell."""

    records: dict[str, CellRecords] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    device: str = DEVICE

    def add(self, steps: int | None, answers: Sequence[float | None], template: str = "own", **changes) -> Cell:
        """A cell of LLaDA, or without steps of LLaMA, with the score of each question; None: that one has no answer."""
        cell = Cell(
            pair="pocket", kind="accuracy", model="llada" if steps else "llama", weights="", tokenizer="",
            revision="r", dtype="float32", device="cuda", engine="eager", gen_length=32, batch_size=1,
            prompts=len(answers), prompt_hash=f"of {template}", repeat_prompts=0, stop="eos", temperature=0.0, seed=0,
            time_limit_s=1.0, steps=steps, block_length=8 if steps else None, task="words", template=template, shots=0,
        )  # fmt: skip
        cell = replace(cell, **changes)
        seconds = 0.01 * steps if steps else 0.1
        own = [
            Item("s", cell.cell_id, number, 0, "h", seconds * (1 + 0.01 * (number % 7)), 1, text="x", tokens=10,
                 nfe=steps or 10, outcome={"exact_match,none": score}, device=self.device)
            for number, score in enumerate(answers) if score is not None
        ]  # fmt: skip
        self.items += own
        by_number = {item.index: item for item in own}
        every = [by_number.get(number) for number in range(len(answers))]
        scores = Scores(
            "s", cell.cell_id, "lm-eval", cell=cell, device=self.device, values={
                "accuracy": [item and item.outcome["exact_match,none"] for item in every],
                "seconds_an_item": [item and item.seconds for item in every],
                "mean_length": [item and float(item.tokens) for item in every],
            },
        )  # fmt: skip
        self.records[cell.cell_id] = CellRecords(cell, scores={"lm-eval": scores})
        return cell

    def add_all(self, by_steps: Mapping[int | None, Sequence[float | None]], template: str = "own", **changes) -> None:
        for steps, answers in by_steps.items():
            self.add(steps, answers, template, **changes)

    def no_match(self, cell: Cell) -> None:
        """Let an extractor find no answer in any text of a cell."""
        scores = self.records[cell.cell_id].scores["lm-eval"]
        scores.values["unmatched_answers"] = [1.0] * cell.prompts

    def study(self) -> Study:
        """The study as it is read from MLflow: what is logged of each cell, as a row."""
        rows, values = [], {}
        for number, (cell_id, entry) in enumerate(self.records.items()):
            params = {param.key: param.value for param in mlflow_log.params_of(entry.cell)}
            head = {"run_id": f"run-{number}", "started_ms": number}
            rows.append(head | mlflow_log.tags_of("s", cell_id, entry) | params | metrics.quality_metrics(entry))
            for name, index, value in metrics.per_prompt(entry):
                values.setdefault((f"run-{number}", PER_PROMPT + name), {})[index] = value
        runs = pd.DataFrame(rows)
        for name in ("steps", "gen_length", "block_length", "batch_size", "prompts"):
            runs[name] = pd.to_numeric(runs[name]) if name in runs else float("nan")
        return Study("s", runs.head(0), Histories(values), runs)

    def found(self, pair: PairFile | None = None) -> list[TaskAccuracy]:
        """What the analysis finds in it."""
        return task_accuracies(self.study(), pair or pair_of())
