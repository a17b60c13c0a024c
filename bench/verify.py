"""Is this LLaDA the official one?

    python -m bench.verify --golden tests/golden     # golden vectors: a line a group, last line golden: PASSED/TOTAL
    python -m bench.verify --pair 8b                 # real weights: the authors' examples, parameter counts

A benchmark of LLaDA means nothing if its tokens are not LLaDA's. Golden vectors are inputs with what the authors' own
code gave for them: logits, the tokens of whole answers, likelihoods. Ours must give the same. With real weights the
model must answer questions whose answers are known.

Exit status 1 if anything differs or no vector was there. Bad input is refused before torch is imported.
"""

import sys
from pathlib import Path

from bench.common.cli import Parser
from bench.common.errors import BadInput, exit_code


def main() -> int:
    parser = Parser("bench.verify", __doc__)
    parser.add_argument("--golden", type=Path, default=Path("tests/golden"), help="directory of golden vectors")
    parser.add_argument("--pair", default="pocket", help="a pair with real 8B weights: the authors' examples instead")
    parser.add_argument("--device", default="auto", help="of the authors' examples: auto, cpu or cuda")
    args = parser.parse_args()
    if args.pair == "pocket":
        if not args.golden.is_dir():
            raise BadInput(f"{args.golden}: no such directory of golden vectors")
        return verify_golden(args.golden)
    return verify_examples(args.pair, args.device)


def verify_golden(folder: Path) -> int:
    """The golden vectors of a directory, a line a group. Returns the exit status."""
    from bench.checks import golden

    groups = []
    for group in golden.check(folder):
        print(group.line)
        groups.append(group)
    passed = sum(group.passed for group in groups)
    total = sum(group.total for group in groups)
    print(f"golden: {passed}/{total}")
    return 0 if passed == total > 0 else 1


def verify_examples(name: str, device: str) -> int:
    """The authors' examples on the weights of a pair. Returns the exit status."""
    from bench.devices import choose
    from bench.spec.pair import fetch, read_pair

    pair = fetch(read_pair(name))
    chosen = choose.choose(device)
    from bench.checks import authors_examples

    good = True
    for finding in authors_examples.check(pair, chosen):
        print(f"{finding.name}: {finding.text}", flush=True)
        good &= finding.met
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
