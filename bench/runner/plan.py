"""The cells of a request with estimated minutes."""

from __future__ import annotations

from bench.runner import estimate, order
from bench.spec.work import Work
from bench.store.sink import Sink


def print_plan(work: Work, sink: Sink) -> None:
    """The cells with estimated minutes, and what is done already."""
    known = sink.known()
    processes = order.rounds_to_do(work, known, sink.retry)
    total = 0.0
    line = "{:14}{:11}{:21}{:>6}{:>8}{:>8}{:>7}{:>9}{:>7}{:>10}  {}"
    heads = ("cell", "kind", "model", "steps", "tokens", "prompt", "batch", "prompts", "timed")
    print(line.format(*heads, "est. min", "state"))
    for cell in work.cells:
        left = [round_ for round_, cells in processes if cell in cells]
        counted = left or range(1, work.rounds + 1)
        seconds = sum(estimate.round_s(cell, round_, work.prompts_of(cell), known) for round_ in counted)
        state = (
            "to do" if len(left) == work.rounds else f"{len(left)} of {work.rounds} rounds to do" if left else "done"
        )
        total += seconds if left else 0.0
        shape = (cell.steps or "-", cell.gen_length, cell.prompt_tokens or "-", cell.batch_size, cell.prompts)
        captured = "captured" if cell.engine == "captured" else None
        name = " ".join(filter(None, (cell.model, cell.twin, cell.head, captured, cell.attention)))
        print(line.format(cell.cell_id, cell.kind, name, *shape, cell.timed or "all", f"{seconds / 60:.1f}", state))
    starts = len(processes) * estimate.START_S[work.cells[0].device]
    print(
        f"study {work.study}: {len(work.cells)} cells, {work.rounds} rounds on {work.cells[0].device},"
        f" about {(total + starts) / 60:.1f} min to go, scoring not counted (estimates)"
    )
