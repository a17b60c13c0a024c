"""`make selfcheck`: can the numbers of this machine be believed? Measures the measuring, exits 1 if a target is missed.

    python -m bench.selfcheck [--device D] [--rounds N] [--cells WORK]

--cells: a work folder that holds a sentinel, for a machine without the packages that read grids.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from bench import calls, device, metrics, request, run, sentinel, stats, trust, worker
from bench.adapters.base import Mark, Output, Special
from bench.cell import Cell, Prompt, Work
from bench.errors import BadInput, exit_code
from bench.profiler import GIB, PeakMemory, Stopwatch
from bench.records import CellRecords
from bench.sink import Sink

if TYPE_CHECKING:
    from bench.nvml import Watch  # needs NVIDIA's library, which a CPU lacks

CLOCK_TARGET, OVERHEAD_TARGET, MEMORY_TARGET = 0.02, 0.01, 0.02
COVERAGE_TARGET = (0.93, 0.97)
PERIOD_S, STEPS, CALLS = 0.010, 16, 8  # of the metronome
PAIRS, LOOP_STEPS = 150, 4  # of the overhead of marks
LOOKING_S = 5.0  # of NVML's looks
STUDIES, ROUNDS, CALLS_A_ROUND = 2000, 5, 16  # of the simulation
PROCESS_SD, CALL_SD = 0.01, 0.005


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, the target and whether it is met (None: nothing to meet)."""

    name: str
    text: str
    target: str = ""
    met: bool | None = None


def spin_until(moment: float) -> None:
    while time.perf_counter() < moment:
        pass


class Metronome:
    """An adapter that does nothing but reach known deadlines: every step ends `PERIOD_S` after the one before."""

    def load(self, cell: Cell) -> None:
        self.cell = cell

    def generate(self, prompts: list[list[int]], mark: Mark) -> Output:
        start = time.perf_counter()
        for step in range(1, self.cell.steps + 1):
            spin_until(start + step * PERIOD_S)
            mark("step")
        mark("block")
        tokens = torch.ones(len(prompts), self.cell.gen_length, dtype=torch.long)
        return Output(tokens, self.cell.steps, self.cell.steps, [self.cell.gen_length] * len(prompts), 0)

    def special(self) -> Special:
        return Special((0,))

    def weights_bytes(self) -> int:
        return 0


def clock_errors(where: str) -> dict[str, float]:
    """Relative error of each latency of the metronome, measured as any cell is."""
    cell = Cell(
        pair="selfcheck", kind="selfcheck", model="llada", weights="", tokenizer="", revision="", dtype="float32",
        device=where, engine="eager", gen_length=STEPS, block_length=STEPS, steps=STEPS, batch_size=1, prompts=CALLS,
        prompt_hash="", repeat_prompts=CALLS, stop="length", temperature=0.0, seed=0, time_limit_s=60.0,
    )  # fmt: skip
    work = Work("selfcheck", 1, 0, (cell,), {"": (Prompt("", None, {"llada": [1]}),) * CALLS})
    adapter = Metronome()
    adapter.load(cell)
    timed = calls.timed_calls(adapter, cell, calls.batches_of(work, cell, 1))[0]
    found = metrics.timing_metrics(timed, cell.settings())
    truth = {"ttft": PERIOD_S, "step": PERIOD_S, "ttfb": STEPS * PERIOD_S, "latency": STEPS * PERIOD_S}
    return {name: abs(found[f"latency/{name}_ms"] / (1e3 * seconds) - 1) for name, seconds in truth.items()}


def seconds_of(work: Callable[[], object], count: int, where: str) -> float:
    """Seconds that work takes, done so many times; the device is waited for at the end."""
    start = time.perf_counter()
    for _ in range(count):
        work()
    if where == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def fixed_work(where: str) -> Callable[[], None]:
    """A piece of work that takes about 10 ms here: products of matrices on a GPU, a loop on a CPU."""
    matrix = torch.randn(2048, 2048, device="cuda") if where == "cuda" else None

    def unit() -> object:
        return sum(range(1000)) if matrix is None else matrix @ matrix

    seconds_of(unit, 20, where)
    count = max(1, round(PERIOD_S / statistics.median(seconds_of(unit, 20, where) / 20 for _ in range(5))))

    def step() -> None:
        for _ in range(count):
            unit()

    return step


def overhead(where: str, step: Callable[[], None]) -> float:
    """Share that marks and clocks add to steps of 10 ms: median of paired ratios, a bare loop beside each."""

    def loop(mark: Mark) -> None:
        for _ in range(LOOP_STEPS):
            step()
            mark("step")

    def bare() -> float:
        return seconds_of(step, LOOP_STEPS, where)

    def profiled() -> float:
        start = time.perf_counter()
        Stopwatch(where).time(loop)
        return time.perf_counter() - start

    ratios = []
    for pair in range(PAIRS):  # which comes first alternates
        first, second = (bare, profiled) if pair % 2 else (profiled, bare)
        one, other = first(), second()
        ratios.append(other / one if pair % 2 else one / other)
    return statistics.median(ratios) - 1


def share_of_looks(watch: Watch) -> float | None:
    """Processor time of NVML's looks over time; None where it does not answer.

    Not from paired loops: on a shared host two of them differ by more (4 % were seen on an H100's).
    """
    region = watch.region()
    region.thread.start()
    time.sleep(LOOKING_S)
    region.stop_looking()
    return None if region.findings.doubts else region.cpu_s / LOOKING_S


def memory_error(where: str) -> tuple[str, float | None]:
    """(name, relative error) of the peak when 256 MiB are taken and given back; None where it cannot be reset."""
    name = "allocated" if where == "cuda" else "resident"
    peaks = []
    for size in (0, 256 << 20):
        with PeakMemory(where) as peak:
            block = torch.ones(size // 4, device=where)
            del block
        if name not in peak.gib:
            return name, None
        peaks.append(peak.gib[name] * GIB)
    return name, abs((peaks[1] - peaks[0]) / (256 << 20) - 1)


NOISES: dict[str, Callable[[np.random.Generator, tuple], np.ndarray]] = {
    "gaussian": lambda random, shape: random.normal(0, PROCESS_SD, shape),
    "two modes": lambda random, shape: 0.1 * (random.random(shape) < 0.3) + random.normal(0, PROCESS_SD, shape),
    "heavy tail": lambda random, shape: PROCESS_SD * random.standard_t(2, shape),
}


def coverage(noise: str) -> tuple[float, float]:
    """(share of 95 % intervals that hold the truth, share of studies flagged) in simulated studies of five rounds.

    A round's value is the median of its calls; calls add Gaussian noise to what their process has.
    """
    random, hits, flagged = np.random.default_rng(0), 0, 0
    truth = 1 + NOISES[noise](random, (200_000,)).mean()
    for _ in range(STUDIES):
        process = 1 + NOISES[noise](random, (ROUNDS, 1))
        rounds = np.median(process + random.normal(0, CALL_SD, (ROUNDS, CALLS_A_ROUND)), axis=1)
        found = stats.mean_over_rounds(rounds.tolist())
        hits += found.low <= truth <= found.high
        flagged += stats.has_two_modes(rounds)
    return hits / STUDIES, flagged / STUDIES


def sentinel_work(args: argparse.Namespace) -> Work:
    """One sentinel's twins and nothing else: of a work folder with one of each engine the eager one's."""
    command = ["--cells", str(args.cells), "--record", "-"] if args.cells else [sentinel.GRID, "--device", args.device]
    work, _ = request.resolve(request.parse([*command, "--rounds", str(args.rounds)]))
    if not (twins := [cell for cell in work.cells if cell.twin]):
        raise BadInput(f"{args.cells}: the work folder holds no sentinel; export a grid that has one")
    cells = tuple(cell for cell in twins if cell.engine == twins[0].engine)
    return replace(work, rounds=args.rounds, seed=0, cells=cells)


def sentinels(work: Work, gpu: str | None) -> list[Finding]:
    """The sentinel twice a round in processes of its own: noise floor, drift, verdict and energy of this machine."""
    with tempfile.TemporaryDirectory() as place:
        folder, sink = Path(place), Sink("selfcheck", Path(place) / "records.jsonl")
        work.save(folder)
        run.run(work, folder, sink, gpu)
        known = sink.known()
    first, second = (good_rounds(known[cell.cell_id]) for cell in work.cells)
    name = "latency/latency_ms"
    pairs = [(first[r][name], second[r][name]) for r in first if r in second]
    ratio = stats.ratio_over_rounds(*zip(*pairs, strict=True))
    moved = stats.drift_of_twins(pairs)
    bounds = "" if ratio.low is None else f" [{ratio.low:.3f}, {ratio.high:.3f}]"
    found = [Finding("noise floor", f"the same cell twice in a round: {ratio.value:.3f}{bounds}, {len(pairs)} rounds")]
    if moved is not None:
        over = f", more than {trust.DRIFT:.0%}: studies here are flagged" if moved > trust.DRIFT else ""
        found.append(Finding("drift", f"{moved:.1%} between rounds{over}"))
    return [*found, *card_findings([known[cell.cell_id] for cell in work.cells], first)]


def good_rounds(entry: CellRecords) -> dict[int, dict[str, float]]:
    """The sentinel's metrics by round. Raises BadInput if it failed: nothing can be measured here then."""
    if entry.failed:
        raise BadInput(f"the sentinel failed: {entry.failed['outcome']}: {entry.failed['message']}")
    return metrics.round_metrics(entry)


def card_findings(entries: list[CellRecords], rounds: dict[int, dict[str, float]]) -> list[Finding]:
    """What NVML said during the sentinels."""
    verdict, reason = max((trust.verdict(entry) for entry in entries), key=lambda found: trust.VERDICTS.index(found[0]))
    reason = reason or ("nothing vouches for a CPU" if verdict == "unknown" else "no sign of anybody else")
    found = [Finding("exclusivity", f"{verdict}: {reason}")]
    values = next(iter(rounds.values()))
    if "energy/power_w" in values:
        text = f"counter answers: {values['energy/power_w']:.0f} W, {values['energy/j_per_token']:.3f} J a token"
        return [*found, Finding("energy", text)]
    return [*found, Finding("energy", "no counter here: energy is not measured")]


def overhead_findings(where: str) -> list[Finding]:
    """What measuring costs: marks and clocks inside the calls; on a GPU NVML's looks, in a thread beside them."""
    share, watch = overhead(where, fixed_work(where)), worker.open_watch(where)
    found = [Finding("overhead", f"{share:+.2%} of a step of 10 ms", "1 %", share <= OVERHEAD_TARGET)]
    if watch:
        looks = share_of_looks(watch)
        text = "NVML does not answer" if looks is None else f"NVML's looks take {looks:.2%} of a processor core"
        found.append(Finding("looks", text, "1 %", looks is not None and looks <= OVERHEAD_TARGET))
    return found


def memory_finding(where: str) -> Finding:
    name, error = memory_error(where)
    if error is None:
        return Finding("memory", "not measured: this system does not let its peak be reset")
    return Finding("memory", f"256 MiB seen in {name} to {error:.2%}", "2 %", error <= MEMORY_TARGET)


def checks(where: str) -> list[Finding]:
    """The checks that have targets."""
    errors = clock_errors(where)
    covered = {noise: coverage(noise) for noise in NOISES}
    low, high = COVERAGE_TARGET
    words = ", ".join(f"{noise} {hits:.1%} (flagged {flagged:.0%})" for noise, (hits, flagged) in covered.items())
    worst = max(errors.values())
    return [
        Finding("clock", ", ".join(f"{n} {e:.2%}" for n, e in errors.items()) + " off", "2 %", worst <= CLOCK_TARGET),
        *overhead_findings(where),
        memory_finding(where),
        Finding("coverage", f"of 95 % intervals: {words}", "93-97 % gaussian", low <= covered["gaussian"][0] <= high),
    ]


def main() -> int:
    parser = request.Parser(
        prog="python -m bench.selfcheck", description="Can the numbers of this machine be believed?"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cells", type=Path)
    args = parser.parse_args()
    if not 1 <= args.rounds <= request.MOST_ROUNDS:
        parser.error(f"--rounds {args.rounds}: expected 1 to {request.MOST_ROUNDS}")
    work = sentinel_work(args)
    where = work.cells[0].device
    with device.held(where, "selfcheck", here=True) as gpu:
        after = sentinels(work, gpu and gpu[0])  # first: the checks open the device here, as a tenant would
        found = checks(where) + after
    for item in found:
        state = "" if item.met is None else f"   target {item.target}: {'ok' if item.met else 'MISSED'}"
        print(f"{item.name:12} {item.text}{state}")
    return 0 if all(item.met is not False for item in found) else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
