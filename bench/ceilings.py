"""What this device can do at most, measured on the pair's own shapes.

python -m bench.ceilings [--pair NAME] [--study S] [--device D] [--seconds S] [--missing]
python -m bench.ceilings --cells WORK --record out.jsonl      # a machine without the packages that read pairs
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.common import provenance
from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.devices import lock
from bench.measure.ceilings import SUSTAIN_S
from bench.measure.watch import open_watch
from bench.runner import ceilings
from bench.runner.ceilings import MOST_SECONDS
from bench.store.sink import Sink


def main() -> int:
    parser = Parser(prog="python -m bench.ceilings", description=__doc__.splitlines()[0])
    parser.add_argument("--pair", default="pocket")
    parser.add_argument("--study", help="default: the pair's name")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", help='precisions in place of the pair\'s: "bfloat16 int8"')
    parser.add_argument("--seconds", type=float, default=SUSTAIN_S, help="that each peak is sustained")
    parser.add_argument("--missing", action="store_true", help="do nothing if the study has them for this device")
    parser.add_argument("--cells", type=Path, help="a work folder in place of a pair")
    parser.add_argument("--record", type=Path, help="append to this file, no MLflow")
    args = parser.parse_args()
    if not 0 < args.seconds <= MOST_SECONDS:
        parser.error(f"--seconds {args.seconds:g}: expected more than 0, at most {MOST_SECONDS}")
    if args.cells and not args.record:
        parser.error("--cells needs --record FILE")
    task = ceilings.task_of(args)
    sink = Sink(task.study, args.record)
    with lock.held(task.device, task.study, here=True) as gpu:
        name = gpu[1] if gpu else provenance.cpu_name()
        wanted = [
            dtype for dtype in task.dtypes if not (args.missing and dtype in ceilings.known_dtypes(task, sink, name))
        ]
        if not wanted:
            return 0
        sink.check()
        watch = open_watch(task.device)
        for dtype in wanted:
            record = ceilings.watched(task, name, watch, dtype, args.seconds)
            sink.take(record)
            print("\n".join(ceilings.lines(record)))
    return 0 if sink.track() else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
