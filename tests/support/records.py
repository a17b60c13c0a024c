"""Made-up records: rounds of a cell, calls whose times are known, reports of NVML."""

from bench.records.machine import Environment, NvmlReport
from bench.records.merge import CellRecords
from bench.records.settings import Settings
from bench.records.types import Call, Round, Scores
from tests.conftest import make_cell


def llada_call(prompt: int, scale: float = 1.0, **changes) -> Call:
    """A call of two steps of 10 and 20 ms, times a scale: three tokens of four are kept."""
    fields = {
        "prompts": [prompt], "latency_ms": 32 * scale, "nfe": 2, "positions": 24, "kept": [3], "first_step": 1,
        "marks": {"step": [10 * scale, 30 * scale], "block": [30 * scale]},
    }  # fmt: skip
    return Call(**fields | changes)


def llama_call(prompt: int, token_times_ms: list[float], **changes) -> Call:
    """A call whose tokens come at these times, after a prompt of eight tokens; it ends 1 ms after the last of them."""
    tokens = len(token_times_ms)
    fields = {
        "prompts": [prompt], "latency_ms": token_times_ms[-1] + 1, "marks": {"token": token_times_ms}, "nfe": tokens,
        "positions": 8 + tokens - 1, "kept": [tokens],
    }  # fmt: skip
    return Call(**fields | changes)


def round_of(cell: Settings, calls: list[Call], number: int = 1, outcome: str = "ok", **changes) -> Round:
    """A round of a cell with these calls."""
    return Round("s", "c", number, cell, outcome, calls=calls, **changes)


def entry_of(cell: Settings, *calls_of_rounds: list[Call], **changes) -> CellRecords:
    """A cell whose rounds have these calls; changes go into every round."""
    rounds = {number: round_of(cell, calls, number, **changes) for number, calls in enumerate(calls_of_rounds, 1)}
    return CellRecords(cell, rounds)


def watched_by(*reports: NvmlReport, cell: Settings | None = None, calls: list[Call] | None = None) -> CellRecords:
    """A cell of which NVML reported this, a report a round."""
    cell = cell or make_cell("llada", device="cuda")
    rounds = {
        number: round_of(cell, calls or [], number, nvml=report, environment=Environment(verdict=report.verdict))
        for number, report in enumerate(reports, 1)
    }
    return CellRecords(cell, rounds)


def scores_of(values: dict[str, list[float | None]], **changes) -> Scores:
    """What a scorer said of some texts."""
    return Scores("s", "c", "scorer", values, **changes)
