"""What can this device do at most? Measures it on the matrix shapes of the pair's own models.

    python -m bench.ceilings [--pair NAME] [--model DIR] [--study S] [--device D] [--seconds S] [--missing]
    python -m bench.ceilings --cells WORK --record out.jsonl      # a machine without the packages that read pairs

A model's forward multiplies matrices and reads weights. Three ceilings bound how fast it can be: the multiplications
that the device does in a second when a matrix product keeps it busy, the bytes that it reads in a second, and the time
that Python takes to start the work of one forward. A run divided by these ceilings says how much of the device it used
(MFU: share of the multiplications; MBU: share of the reading), and the cost model predicts times from them. They are
kept with the study's records; `python -m bench.run --ceilings` measures them where a study has none.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.runner import ceilings
from bench.runner.ceilings import MOST_SECONDS
from bench.spec.work import Work
from bench.store.sink import Sink


def main() -> int:
    parser = Parser("bench.ceilings", __doc__)
    parser.add_argument("--pair", default="pocket", help="the two models whose shapes are measured (configs/pairs)")
    parser.add_argument("--model", help="a directory that replaces the pair's model of its kind")
    parser.add_argument("--study", help="the study that keeps them; default: the pair's name")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--dtype", help='precisions in place of the pair\'s: "bfloat16 int8"')
    parser.add_argument("--seconds", type=float, help="how long each peak is sustained; default: 5")
    parser.add_argument("--missing", action="store_true", help="do nothing if the study has them for this device")
    parser.add_argument("--cells", type=Path, help="a work folder in place of a pair")
    parser.add_argument("--record", type=Path, help="append to this file, no MLflow")
    args = parser.parse_args()
    if args.seconds is not None and not 0 < args.seconds <= MOST_SECONDS:
        parser.error(f"--seconds {args.seconds:g}: expected more than 0, at most {MOST_SECONDS}")
    if args.cells and not args.record:
        parser.error("--cells needs --record FILE")
    if args.cells:
        task = ceilings.task_of_work(Work.load(args.cells))
    else:
        from bench.spec.pair import place_model, read_pair

        pair = place_model(read_pair(args.pair), args.model)
        task = ceilings.task_of_pair(pair, args.study, args.device, (args.dtype or "").split())
    tracked = ceilings.run(task, Sink(task.study, args.record), args.seconds, args.missing)
    return 0 if tracked else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
