"""A study of seconds: the real parent and real workers around an adapter that only sleeps, and misbehaves if asked.

    python tests/support/fast_study.py parent FOLDER RECORDS [--rounds N] [--sentinel] [--retry "error oom"] [--tracked]
        [--devices "cpu:0 cpu:1"] [--cluster HOST:PORT]       # with Ray; the rounds then wait for several cards
    python tests/support/fast_study.py FOLDER ROUND      # a worker: bench/runner/launch.py starts it

The environment's FAILS names the kinds of cells that misbehave: leaves, crashes, hangs, swells. Tests hold such a
study by the class `Study`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import ModuleType

from bench.common.errors import exit_code
from bench.data.prompt import Prompt
from bench.devices import lock
from bench.records import merge
from bench.runner import cluster, deal, estimate, launch, loop, request, several, spread
from bench.runner.progress import Bar
from bench.runner.several import Wanted
from bench.spec import sentinel
from bench.spec.cell import Cell
from bench.spec.work import Work
from bench.store import disk
from bench.store.sink import Sink

REPO = Path(__file__).parents[2]
FORWARD_S, HANG_LIMIT_S = 0.008, 3.0
KINDS = {1: "calm", 2: "leaves", 4: "crashes", 8: "hangs", 16: "swells"}  # by LLaDA's steps
SEED = 9  # of the order of cells: `leaves` comes before `crashes`
LAST_WORDS = "no such weights"
ORPHAN_LIMIT_S = 15.0
SAID = "said.txt"  # in the study's folder: what a run over several cards ends with


def cell(model: str, kind: str, **more) -> Cell:
    """A cell of few tokens; its weights are read for the estimate of seconds alone."""
    return Cell(
        pair="fast", kind=kind, model=model, weights=str(REPO / "tests/golden/tiny-llada"), revision="r",
        tokenizer=str(REPO / "bench/pocket/tokenizer"), dtype="float32", device="cpu", engine="eager", gen_length=16,
        batch_size=1, prompts=3, prompt_hash="h", repeat_prompts=2, stop="eos", temperature=0.0, seed=0,
        time_limit_s=HANG_LIMIT_S if kind == "hangs" else 60.0, **more,
    )  # fmt: skip


def build(study: str, rounds: int = 1, with_sentinel: bool = False) -> Work:
    """Five cells of LLaDA and one of LLaMA, and the sentinel's twins if wanted."""
    cells = [cell("llada", kind, steps=steps, block_length=16) for steps, kind in KINDS.items()]
    cells.append(cell("llama", "llama"))
    if with_sentinel:
        cells += sentinel.twins(cell("llada", sentinel.KIND, steps=3, block_length=16), cells)
    prompts = tuple(Prompt(f"p{i}", None, {"llada": [i + 1] * (i + 2), "llama": [i + 1] * 3}) for i in range(3))
    return Work(study, rounds, SEED, tuple(cells), {"h": prompts})


class Fake:
    """An adapter whose answers follow from the prompt and the cell."""

    def load(self, cell: Cell) -> None:
        self.cell = cell

    def generate(self, prompts: list[list[int]], mark):
        import torch

        from bench.adapters.contract import Output, kept_tokens

        if self.cell.kind in os.environ.get("FAILS", "").split():
            misbehave(self.cell.kind)
        forwards = self.cell.forwards()
        for _ in range(forwards):
            time.sleep(FORWARD_S)
            mark("token" if self.cell.steps is None else "step")
        mark("block")
        tokens = torch.tensor(
            [[(7 * i + forwards + sum(ids)) % 23 for i in range(self.cell.gen_length)] for ids in prompts]
        )
        return Output(tokens, forwards, forwards * len(prompts[0]), kept_tokens(tokens, (0,), self.cell.stop), 0)

    def special(self):
        from bench.adapters.contract import Special

        return Special((0,))

    def weights_bytes(self) -> int:
        return 1 << 20


def misbehave(kind: str) -> None:
    if kind == "leaves":
        sys.exit(LAST_WORDS)
    elif kind == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif kind == "hangs":
        time.sleep(600)
    elif kind == "swells":
        raise MemoryError("no room for the canvas")


def worker() -> None:
    sys.modules["bench.models.weights"] = ModuleType("bench.models.weights")  # transformers takes seconds to import
    from bench import worker as worker_door
    from bench.adapters import registry

    registry.create = lambda model: Fake()
    worker_door.main()


def parent() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("records", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sentinel", action="store_true")
    parser.add_argument("--retry", default="")
    parser.add_argument("--devices", default="")
    parser.add_argument("--cluster", default="")
    parser.add_argument("--tracked", action="store_true", help="in place of RECORDS: the study's own file, and MLflow")
    args = parser.parse_args(sys.argv[2:])
    work = build(args.folder.name, args.rounds, args.sentinel)
    sink = Sink(work.study, None if args.tracked else args.records, request.retried(args.retry))
    launch.COMMAND = (sys.executable, __file__)
    cluster.ANSWER_S = 60.0  # the machine of the tests may have much else to do
    with several.found(Wanted(args.devices, args.cluster), work, args.folder) as cards, lock.lock("cpu", work.study):
        sink.check()
        work.save(args.folder)
        if cards:
            return spread_over(cards, work, args.folder, sink)
        failed = loop.run(work, args.folder, sink)
        return 0 if sink.track(again=True) and not failed else 1


def spread_over(cards: list, work: Work, folder: Path, sink: Sink) -> int:
    """Run a study on several cards; what is said of them goes into a file of its folder."""
    processes = deal.rounds_to_do(work, sink.known(), sink.retry, [card.name for card in cards])
    parts = estimate.parts_of(work, processes, sink.known())
    with several.held(cards), contextlib.closing(Bar(parts, lanes=len(cards))) as bar:
        result = spread.run(work, folder, sink, cards, processes, bar)
    (folder / SAID).write_text(result.text)
    return 1 if loop.count_failed(work, sink) or result.rounds_left else 0


class Study:
    """A study in a folder of its own. locks: where its lock lies, so that the machine's own is left alone."""

    def __init__(self, folder: Path, *options: str, locks: Path | None = None, file: Path | None = None):
        folder.mkdir()
        self.folder, self.options, self.locks = folder, options, locks or folder
        self.file = file or folder / "records.jsonl"

    def start(self, *more: str, fails: str = "") -> subprocess.Popen:
        path = os.pathsep.join(filter(None, [str(REPO), os.environ.get("PYTHONPATH")]))
        env = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", lock.LOCKS: str(self.locks), "FAILS": fails}
        return subprocess.Popen(
            [sys.executable, __file__, "parent", str(self.folder), str(self.file), *self.options, *more],
            cwd=self.folder,
            env=os.environ | env,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
        )

    def run(self, *more: str, fails: str = "") -> tuple[int, list[str]]:
        """Run to the end; exit status and the lines on standard error."""
        return end_of(self.start(*more, fails=fails))

    def processes(self) -> list[int]:
        """Parent and workers that are alive, by their command lines."""
        listed = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
        return [int(line.split()[0]) for line in listed.stdout.splitlines() if f" {self.folder} " in line]

    def orphan_s(self) -> float:
        """Wait until no process is left; seconds that it took."""
        start = time.monotonic()
        while self.processes():
            assert time.monotonic() - start < ORPHAN_LIMIT_S, "an orphan stays"
            time.sleep(0.1)
        return time.monotonic() - start

    def read(self) -> list[dict]:
        """The records as they stand in the file."""
        return disk.read_json(self.file)

    def good(self) -> Counter:
        """How often each (cell, round) ended well."""
        return Counter((r["cell_id"], r["round"]) for r in self.read() if r["outcome"] == "ok")

    def cells(self) -> dict[str, merge.CellRecords]:
        """The records by cell."""
        return merge.group(disk.read(self.file))

    def last(self) -> dict[str, dict]:
        """The last round's record by kind of cell."""
        return {entry.cell.kind: list(entry.rounds.values())[-1].to_json() for entry in self.cells().values()}

    def facts(self) -> dict[tuple[str, int], dict]:
        """What no clock decides, by cell and round."""
        facts = {}
        for cell_id, entry in self.cells().items():
            for number, record in entry.rounds.items():
                raw = record.to_json()
                chosen = {name: raw.get(name) for name in ("outcome", "message", "cell", "rounds", "seed", "sequences")}
                facts[cell_id, number] = chosen | {"calls": [timeless(call) for call in raw.get("calls", [])]}
        return facts


def timeless(call: dict) -> dict:
    """A call without its times; of marks, how many there were."""
    chosen = {name: value for name, value in call.items() if name not in ("latency_ms", "marks")}
    return chosen | {kind: len(times) for kind, times in call["marks"].items()}


def end_of(process: subprocess.Popen) -> tuple[int, list[str]]:
    """Exit status, and the lines on standard error without the progress bar's."""
    lines = re.split("[\r\n]+", process.communicate(timeout=120)[1])
    return process.returncode, [line.strip() for line in lines if line.strip() and " gone" not in line]


if __name__ == "__main__":
    sys.exit(exit_code(parent) if sys.argv[1] == "parent" else worker())
