"""Likelihood of held-out text in bits per byte, once for each model of a pair.

python -m bench.perplexity --pair pocket --text sharegpt wikitext path/to/wiki.test.txt
"""

import argparse
import sys
import time

from bench.common import stats
from bench.common.errors import BadInput, exit_code
from bench.devices import choose
from bench.quality import likelihood
from bench.records.types import Scores
from bench.spec.pair import fetch, read_pair
from bench.store import disk
from bench.store.sink import Sink


def report(model: str, source: str, record: Scores) -> str:
    """One line for the terminal."""
    bits = stats.bits_per_byte(record.nats, record.text_bytes).value
    error = stats.bits_per_byte_error(record.standard_errors, record.text_bytes)
    kind = "exact" if model == "llama" else f"upper bound, Monte-Carlo error {error:.4f}"
    return f"{model:6} {source:12} {bits:.4f} bits per byte ({kind}; {len(record.text_bytes)} texts)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pair", default="pocket")
    parser.add_argument("--text", nargs="+", default=["sharegpt"], help="sharegpt, wikitext (hub) or a text file")
    parser.add_argument("--texts", type=int, default=64, help="passages of each")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--study", help="default: the pair's name")
    args = parser.parse_args()
    chosen = choose.choose(args.device)
    pair = read_pair(args.pair)
    if not pair.metrics:
        raise BadInput(f"pair {pair.name}: random weights have no likelihood worth measuring")
    passages = {source: likelihood.read(source, args.texts) for source in args.text}
    pair, study = fetch(pair), args.study or pair.name
    for source, found in passages.items():
        for kind in ("llama", "llada"):
            cell = likelihood.cell_of(kind, pair, source, found)
            entry = disk.by_cell(study).get(cell.cell_id)
            if entry is None:
                measured = vars(likelihood.score(getattr(pair, kind), pair.dtype, found, chosen))
                record = Scores(study, cell.cell_id, "likelihood", {}, cell, ended_s=time.time(), **measured)
                disk.append(disk.path(study), record.to_json())
                entry = disk.by_cell(study)[cell.cell_id]
            print(report(kind, cell.text, entry.scores["likelihood"]))
    return 0 if Sink(study).track() else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
