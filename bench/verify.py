"""Is this LLaDA the official one?

    python -m bench.verify                           # golden vectors: a line a group, last line golden: PASSED/TOTAL
    python -m bench.verify --golden another/folder   # the same from another directory
    python -m bench.verify --pair 8b-shapes          # both engines' logits in bfloat16 against float32
    python -m bench.verify --pair 8b                 # real weights: the authors' examples and parameter counts as well
    python -m bench.verify --model path/to/llada     # the same with your directory in place of the pair's model

A benchmark of LLaDA means nothing if its tokens are not LLaDA's. Golden vectors are inputs with what the authors' own
code gave for them: logits, the tokens of whole answers, likelihoods. Ours must give the same, on the CPU. With real
weights the model must answer questions to which there is one right answer. In a precision below float32 the captured
engine's logits may be little further from float32's than those of transformers' own code are.

Exit status 1 if anything differs or no vector was there. Bad input is refused before torch is imported.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.common.cli import Parser
from bench.common.errors import BadInput, exit_code
from bench.common.units import GIB

if TYPE_CHECKING:
    from bench.spec.pair import PairFile

GOLDEN = Path("tests/golden")  # the vectors that come with this repository
NEEDED_BYTES = 2.75  # of memory for each parameter: bfloat16, a float32 copy of the head, and logits
SMALL_PAIR = "pocket"  # its weights are not the authors', so it is asked for golden vectors alone


def main() -> int:
    parser = Parser("bench.verify", __doc__)
    parser.add_argument("--golden", type=Path, help=f"directory of golden vectors; default: {GOLDEN}")
    parser.add_argument("--pair", default=SMALL_PAIR, help="another pair: its own weights instead of golden vectors")
    parser.add_argument("--model", help="a directory that replaces the pair's model of its kind there")
    parser.add_argument("--device", default="auto", help="where the pair's weights run: auto, cpu or cuda")
    args = parser.parse_args()
    if args.pair == SMALL_PAIR and not args.model:
        if args.device == "cuda":
            parser.error("--device cuda: golden vectors are compared on the CPU; a GPU is for --pair or --model")
        return verify_golden(args.golden or GOLDEN)
    if args.golden:
        parser.error("--golden: not with --pair or --model, which run a pair's own weights instead")
    return verify_weights(args.pair, args.model, args.device)


def verify_golden(folder: Path) -> int:
    """The golden vectors of a directory, a line a group. Returns the exit status."""
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such directory of golden vectors")
    from bench.checks import golden

    groups = []
    for group in golden.check(folder):
        print(group.line, flush=True)
        groups.append(group)
    passed = sum(group.passed for group in groups)
    total = sum(group.total for group in groups)
    print(f"golden: {passed}/{total}")
    return 0 if passed == total > 0 else 1


def verify_weights(name: str, model: str | None, device: str) -> int:
    """The weights of a pair, with `model` in place of one of them. Returns the exit status.

    Weights that were trained must answer the authors' examples; in a precision below float32 both engines' logits are
    compared with float32's.
    """
    from bench.devices import choose
    from bench.spec.pair import fetch, place_model, read_pair

    pair = fetch(place_model(read_pair(name), model))
    chosen = choose.choose(device)
    choose.check_dtype(pair.dtype, f"pair {name}")
    if chosen == "cpu":
        check_memory(pair)
    from bench.checks import authors_examples, precision

    has_passed = True
    for check, applies in ((precision, pair.dtype != "float32"), (authors_examples, not pair.has_random_weights)):
        for finding in check.check(pair, chosen) if applies else ():
            print(finding.line if finding.target else f"{finding.name}: {finding.text}", flush=True)
            has_passed &= finding.met
    return 0 if has_passed else 1


def check_memory(pair: "PairFile") -> None:
    """A CPU's memory must hold the larger model and, beside it, a layer and the head in float32. Raises BadInput."""
    needed = max(files.describe().shape.parameters for files in pair.models.values()) * NEEDED_BYTES
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise BadInput(
            f"pair {pair.name}: its weights and what is compared take about {needed / GIB:.0f} GiB, and this machine"
            f" has {there / GIB:.0f}; run this where there is a GPU"
        )


if __name__ == "__main__":
    sys.exit(exit_code(main))
