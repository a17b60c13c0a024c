"""One model, one round: cells in, JSON lines out. Started by bench/runner/launch.py, a fresh process each time.

    python -m bench.worker WORK_FOLDER ROUND

bench/measure/worker.py says what comes in on standard input and goes out on standard output.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from bench.adapters import registry
from bench.measure import worker
from bench.measure.watch import open_device
from bench.spec.work import Work


def main() -> None:
    """Read the cell ids, measure each cell and write its events; what libraries print goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to the parent
    lines = os.fdopen(os.dup(1), "w")  # the parent's pipe
    os.dup2(2, 1)  # libraries that print to standard output print to standard error now
    folder = Path(sys.argv[1])
    round_ = int(sys.argv[2])
    cell_ids = json.loads(sys.stdin.readline())
    threading.Thread(target=worker.end_with_parent, daemon=True).start()

    def emit(event: dict) -> None:
        lines.write(json.dumps(event) + "\n")
        lines.flush()

    work = Work.load(folder)
    cells = [work.cell(cell_id) for cell_id in cell_ids]
    adapter = registry.adapter_of(cells[0])
    opened = open_device(cells[0].device)
    worker.run_cells(adapter, work, cells, round_, emit, opened)


if __name__ == "__main__":
    main()
