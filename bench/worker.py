"""One model, one round: cells in, JSON lines out. Started by the parent, a fresh process each time.

python -m bench.worker WORK_FOLDER ROUND
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to the parent
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    folder, round_ = Path(sys.argv[1]), int(sys.argv[2])
    cell_ids = json.loads(sys.stdin.readline())
    threading.Thread(target=worker.end_with_parent, daemon=True).start()

    def emit(event: dict) -> None:
        lines.write(json.dumps(event) + "\n")
        lines.flush()

    work = Work.load(folder)
    cells = [work.cell(cell_id) for cell_id in cell_ids]
    adapter, opened = registry.create(cells[0].model), open_device(cells[0].device)
    worker.run_cells(adapter, work, cells, round_, emit, opened)


if __name__ == "__main__":
    main()
