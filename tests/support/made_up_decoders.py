"""Made-up runs of decoders whose speeds and qualities are known: on tasks, on texts, and on shapes without quality."""

import json

import pandas as pd

from bench.analysis.decoder_places import Decoders, Place, decoders_of
from bench.analysis.noise import judge
from bench.analysis.study import METRICS_BY_ROUND, PER_PROMPT, ROUNDS, Histories, Study
from bench.data import tasks

MARGINS = {"accuracy": 0.05, "bertscore_f1": 0.02}
ROUND_NUMBERS = (1, 2, 3)
PROMPTS = 200
VANILLA_MS = 400.0
BASE = {
    "pair": "pocket", "kind": "decoders", "model": "llada", "dtype": "float32", "platform": "cpu", "device": "a CPU",
    "outcome": "ok", "verdict": "unknown", "engine": "eager", "head": "lean", "gen_length": 32, "batch_size": 1,
    "weights": "trained", "prompt_hash": "h", "prompts": PROMPTS, "block_length": 16, "temperature": "0.0",
    "stop": "eos", "steps": 32, "sampler": "fixed", "cache": "none", "remasking": "low_confidence", "flags": "",
    "message": "",
}  # fmt: skip
DUAL = {"cache": "dual", "refresh": "block"}


def threshold(value: float, **changes) -> dict:
    return {"sampler": "threshold", "threshold": value} | changes


class MadeUp:
    """Builds a study run by run, and remembers the histories."""

    def __init__(self, **base):
        self.base, self.rows, self.values = BASE | base, [], {}

    def add(self, latency_ms: float, wrong: int | None = 0, wrong_of_many: int = 0, scores=None, **changes) -> str:
        """A run; its id. wrong, wrong_of_many: how many tasks with one and with many right answers it gets wrong, the
        first of each; None: not scored. scores: in place of them, of a text each."""
        row = self.base | changes
        settings = sorted((name, str(value)) for name, value in changes.items())
        run_id = json.dumps([row["prompt_hash"], latency_ms, settings])
        row |= {"run_id": run_id, "cell_id": run_id}
        self.rows.append(row)
        if row["outcome"] != "ok":
            return run_id
        steps = float(row.get("steps") or row["gen_length"])
        row["latency/latency_ms"] = latency_ms
        row["throughput/tokens_per_s"] = 1e3 * row["gen_length"] * row["batch_size"] / latency_ms
        row["throughput/canvas_tokens_per_s"] = row["throughput/tokens_per_s"]
        row.setdefault("compute/nfe", steps)
        row["compute/tokens_per_forward"] = row["gen_length"] / row["compute/nfe"]
        for number in ROUND_NUMBERS:  # a slow round slows all runs alike
            for metric in METRICS_BY_ROUND:
                if metric in row:
                    slower = 1.1 if number == 2 else 1.0
                    value = row[metric] * slower if metric.startswith("latency") else row[metric] / slower
                    self.values.setdefault((run_id, ROUNDS + metric), {})[number] = value
        if scores is not None:
            self.values[run_id, PER_PROMPT + "bertscore_f1"] = dict(enumerate(scores))
        elif wrong is not None:
            self.values[run_id, PER_PROMPT + "accuracy"] = answers(wrong, wrong_of_many)
        return run_id

    @property
    def study(self) -> Study:
        return Study("made up", pd.DataFrame(self.rows), Histories(self.values))

    @property
    def decoders(self) -> Decoders:
        return decoders_of(judge(self.study), MARGINS)

    @property
    def place(self) -> Place:
        """The only place."""
        [place] = self.decoders.places
        return place


def answers(wrong: int, wrong_of_many: int) -> dict[int, float]:
    """By prompt whether it was answered: the first of each kind of task are not."""
    left = {False: wrong, True: wrong_of_many}
    result = {}
    for prompt in range(PROMPTS):
        is_many = tasks.TASKS[tasks.task_at(prompt)].many_answers
        result[prompt] = 0.0 if left[is_many] > 0 else 1.0
        left[is_many] -= 1
    return result


def tasks_study() -> MadeUp:
    """Vanilla is right but for 10 of each kind. A threshold halves the time, the dual cache halves it as well, both
    take .3 of it; a low threshold is four times as fast and fails where positions depend on each other."""
    made_up = MadeUp()
    made_up.add(200.0, 5, 5, model="llama", steps=None, sampler=None, cache=None, block_length=None, head=None)
    made_up.add(VANILLA_MS, 10, 10)
    made_up.add(100.0, 12, 60, steps=8)
    made_up.add(200.0, 10, 11, **threshold(0.9), **{"compute/nfe": 16.0})
    made_up.add(100.0, 11, 50, **threshold(0.5), **{"compute/nfe": 8.0})
    made_up.add(200.0, 10, 11, **DUAL)
    made_up.add(120.0, 10, 11, **threshold(0.9), **DUAL, **{"compute/nfe": 16.0})
    made_up.add(60.0, 12, 70, **threshold(0.5), **DUAL, **{"compute/nfe": 8.0})
    return made_up


def texts_study(best_ms: float = 200.0) -> MadeUp:
    """Open-ended answers: what is fastest at vanilla's quality takes `best_ms` where vanilla takes 400."""
    even = [0.4 + 0.001 * (prompt % 7) for prompt in range(PROMPTS)]
    made_up = MadeUp(gen_length=128, steps=128, prompt_hash="texts")
    made_up.add(300.0, scores=even, model="llama", steps=None, sampler=None, cache=None, block_length=None, head=None)
    made_up.add(VANILLA_MS, scores=even)
    made_up.add(best_ms, scores=[score - 0.005 for score in even], **threshold(0.9))
    made_up.add(50.0, scores=[score - 0.1 for score in even], **threshold(0.5), **DUAL)
    return made_up


def shapes_study() -> MadeUp:
    """8B shapes with random weights: imposed tokens a step, with a cache and without, at two batches."""
    made_up = MadeUp(pair="8b-shapes", weights="random", gen_length=256, stop="length", block_length=32,
                     prompt_tokens=128, engine="captured", dtype="bfloat16", random_seed=0)  # fmt: skip
    for batch in (1, 8, 32):
        place = {"batch_size": batch, "prompt_hash": f"h{batch}", "prompts": 3 * batch}
        made_up.add(1500.0 + 20 * batch, None, model="llama", steps=None, sampler=None, cache=None,
                    block_length=None, head=None, **place)  # fmt: skip
        for tokens in (1, 2, 4, 8):
            imposed = {"sampler": "imposed", "tokens_per_step": tokens, "steps": 256 // tokens}
            forwards = 256 / tokens
            made_up.add(forwards * (8 + 7 * batch), None, **imposed, **place)
            for refresh, full in (("block", 8), ("answer", 1)):
                latency_ms = full * (8 + 7 * batch) + (forwards - full) * (7 + 0.8 * batch)
                made_up.add(latency_ms, None, **imposed, **place, cache="dual", refresh=refresh)
    return made_up
