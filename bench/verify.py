"""Is this LLaDA the official one?

    python -m bench.verify                           # golden vectors: a line a group, last line golden: PASSED/TOTAL
    python -m bench.verify --golden another/folder   # the same from another directory
    python -m bench.verify --pair 8b                 # real weights: the authors' examples, parameter counts
    python -m bench.verify --model path/to/llada     # the same with your directory in place of the pair's model

A benchmark of LLaDA means nothing if its tokens are not LLaDA's. Golden vectors are inputs with what the authors' own
code gave for them: logits, the tokens of whole answers, likelihoods. Ours must give the same, on the CPU. With real
weights the model must answer questions to which there is one right answer.

Exit status 1 if anything differs or no vector was there. Bad input is refused before torch is imported.
"""

import sys
from pathlib import Path

from bench.common.cli import Parser
from bench.common.errors import BadInput, exit_code

GOLDEN = Path("tests/golden")  # the vectors that come with this repository
SMALL_PAIR = "pocket"  # its weights are not the authors', so it is asked for golden vectors alone


def main() -> int:
    parser = Parser("bench.verify", __doc__)
    parser.add_argument("--golden", type=Path, help=f"directory of golden vectors; default: {GOLDEN}")
    parser.add_argument("--pair", default=SMALL_PAIR, help="a pair with real 8B weights: the authors' examples instead")
    parser.add_argument("--model", help="a directory that replaces the pair's model of its kind in these examples")
    parser.add_argument("--device", default="auto", help="of the authors' examples: auto, cpu or cuda")
    args = parser.parse_args()
    if args.pair == SMALL_PAIR and not args.model:
        if args.device == "cuda":
            parser.error("--device cuda: golden vectors are compared on the CPU; a GPU is for --pair or --model")
        return verify_golden(args.golden or GOLDEN)
    if args.golden:
        parser.error("--golden: not with --pair or --model, which run the authors' examples instead")
    return verify_examples(args.pair, args.model, args.device)


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


def verify_examples(name: str, model: str | None, device: str) -> int:
    """The authors' examples on the weights of a pair, with `model` in place of one of them. Returns the exit status."""
    from bench.devices import choose
    from bench.spec.pair import fetch, place_model, read_pair

    pair = fetch(place_model(read_pair(name), model))
    chosen = choose.choose(device)
    from bench.checks import authors_examples

    has_passed = True
    for finding in authors_examples.check(pair, chosen):
        print(f"{finding.name}: {finding.text}", flush=True)
        has_passed &= finding.met
    return 0 if has_passed else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
