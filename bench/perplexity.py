"""How well does each model predict text that it never saw? Bits per byte, once for each model of a pair.

    python -m bench.perplexity --pair pocket --text sharegpt wikitext path/to/wiki.test.txt

A model that predicts a text well needs few bits to encode it. The bits are counted per byte of text, not per token, so
that models with different tokenizers can be compared. LLaMA's number is exact. LLaDA's is an upper bound, estimated
from random maskings of the text, so its true number is lower by an unknown amount: the two must not be ranked by it.
It does not depend on the denoising steps, and nothing is timed.
"""

import sys

from bench.common.cli import Parser
from bench.common.errors import BadInput, exit_code
from bench.devices import choose
from bench.runner import notices
from bench.spec.pair import fetch, place_model, read_pair
from bench.store.sink import Sink


def main() -> int:
    parser = Parser("bench.perplexity", __doc__)
    parser.add_argument("--pair", default="pocket", help="the two models that are asked (configs/pairs)")
    parser.add_argument("--model", help="a directory that replaces the pair's model of its kind")
    parser.add_argument("--text", nargs="+", default=["sharegpt"], help="sharegpt, wikitext (hub) or a text file")
    parser.add_argument("--texts", type=int, default=64, help="passages of each")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--study", help="the study that keeps the records; default: the pair's name")
    parser.add_argument("--verbose", action="store_true", help="print what was measured before, too")
    args = parser.parse_args()
    if args.texts < 1:
        parser.error(f"--texts {args.texts}: expected 1 or more")
    device = choose.choose(args.device)
    pair = place_model(read_pair(args.pair), args.model)
    if not pair.metrics:
        raise BadInput(f"pair {pair.name}: random weights have no likelihood worth measuring")
    with notices.waiting_for("loading torch and reading the texts"):
        from bench.quality import likelihood

        passages = {source: likelihood.read(source, args.texts) for source in args.text}
    sink = Sink(args.study or pair.name)
    sink.check()
    has_worked = notices.Growth(sink.file)
    lines = likelihood.measure(fetch(pair), passages, device, sink)
    for line in lines if args.verbose else notices.unless_idle(lines, has_worked):
        print(line, flush=True)
    if not has_worked:
        print(f"study {sink.study}: nothing to do, the likelihood of these texts is measured (VERBOSE=1 prints it)")
    return 0 if sink.track() else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
