"""How often does LLaDA with a cache say what LLaDA says? And either model in a lower precision what it says in its own?

    python -m bench.agreement [--pair NAME] [--model DIR] [--prompts N] [--dtype "int8"] [--device D] [--study S]

A cache of keys and values makes LLaDA's steps cheaper and changes what they say, the more the longer it is kept. This
asks real weights on real prompts and on tasks, for each cache and each interval from one refresh to the next: which
tokens of an answer stay the same, and how far the distributions move at each step of the answer without a cache. The
same is asked of both models in lower precisions. Nothing is timed.

A refresh at every step must change nothing; exit status 1 if it does.
"""

import sys

from bench.common.cli import Parser
from bench.common.dtypes import BYTES
from bench.common.errors import BadInput, exit_code
from bench.cost.one_forward import matrices_bytes
from bench.devices import choose
from bench.runner import notices
from bench.spec.pair import PairFile, fetch, place_model, read_pair
from bench.store.sink import Sink

PROMPTS = 4  # of each source
MOST_PROMPTS = 1000
SLOW_ON_A_CPU = ("float16",)  # which is asked for by name there


def main() -> int:
    parser = Parser("bench.agreement", __doc__)
    parser.add_argument("--pair", default="pocket", help="the two models that are asked (configs/pairs)")
    parser.add_argument("--model", help="a directory that replaces the pair's model of its kind")
    parser.add_argument("--prompts", type=int, default=PROMPTS, help="prompts of real text, and as many tasks")
    parser.add_argument(
        "--dtype", help='precisions, "bfloat16 int8"; default: all that need less memory than the pair\'s'
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--study", help="the study that keeps the records; default: the pair's name")
    args = parser.parse_args()
    if not 1 <= args.prompts <= MOST_PROMPTS:
        parser.error(f"--prompts {args.prompts}: expected 1 to {MOST_PROMPTS}")
    device = choose.choose(args.device)
    pair = place_model(read_pair(args.pair), args.model)
    if pair.has_random_weights:
        raise BadInput(f"pair {pair.name}: random weights say nothing, so that no agreement means anything")
    pair = fetch(pair)
    dtypes = dtypes_of(pair, (args.dtype or "").split(), device)
    sink = Sink(args.study or pair.name)
    sink.check()
    with notices.waiting_for("loading torch"):
        from bench.checks import agreement, agreement_table

    task = agreement.Task(pair, device, args.prompts, dtypes)
    agreement.check(task)
    found = list(agreement.measure(task, sink))
    print("\n".join(agreement_table.lines(found)))
    finding = agreement_table.proof(found)
    print(f"\n{finding.line}")
    tracked = sink.track()
    return 0 if finding.met and tracked else 1


def dtypes_of(pair: PairFile, asked: list[str], device: str) -> tuple[str, ...]:
    """The precisions to compare with the pair's own: those that were asked for, or else all that need less memory and
    that the device has kernels for. Raises BadInput."""
    if unknown := sorted(set(asked) - set(BYTES)):
        raise BadInput(f"DTYPE={unknown[0]}: there is no such precision; there are: {' '.join(BYTES)}")
    shape = next(iter(pair.models.values())).describe().shape
    size = {dtype: matrices_bytes(shape, dtype) for dtype in BYTES}
    lower = [dtype for dtype in BYTES if size[dtype] < size[pair.dtype]]
    if too_high := [dtype for dtype in asked if dtype not in lower]:
        raise BadInput(
            f"DTYPE={too_high[0]}: it is compared with the pair's own precision, {pair.dtype}, so it must need less"
            f" memory; that do: {' '.join(lower)}"
        )
    left_out = SLOW_ON_A_CPU if device == "cpu" else ()
    return tuple(asked) or tuple(dtype for dtype in lower if dtype not in left_out)


if __name__ == "__main__":
    sys.exit(exit_code(main))
