"""The table of the best decoders: of each place and kind of prompts the fastest within the margin, and the one with
most tokens a forward."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.analysis.decoder_gains import Best, best_of, parallelism
from bench.analysis.decoder_places import Decoders, Place
from bench.analysis.runs import temperature_of
from bench.render import decoder_words, wording
from paper.tables.latex import cell_text, escape, latex

NONE = "--"
CAPTION = (
    "The best decoders at each place. Within: how many of the decoders that were judged are shown to be within the"
    " declared margin of vanilla's quality. Fastest: of these, with its speed over vanilla's and its difference in"
    " quality. Most parallel: of these the decoder with most tokens a forward, in which the machine has no part."
)


def write(decoders: Decoders, folder: Path) -> None:
    """Write decoders_best.tex; an empty file where no decoder was judged."""
    bests = [best for place in decoders.places for best in best_of(place)]
    text = latex("decoders_best", CAPTION, table(bests)) if bests else ""
    (folder / "decoders_best.tex").write_text(text, encoding="utf-8")


def table(bests: Sequence[Best]) -> pd.DataFrame:
    """A row a place and kind of prompts. Length and batch are named where two places would be called the same."""
    short, long = ([place_words(best.place, is_long) for best in bests] for is_long in (False, True))
    by_name: dict[str, set[str]] = {}
    for brief, full in zip(short, long, strict=True):
        by_name.setdefault(brief, set()).add(full)
    names = [brief if len(by_name[brief]) == 1 else full for brief, full in zip(short, long, strict=True)]
    index = [f"{name}: {prompts_words(best)}" for name, best in zip(names, bests, strict=True)]
    return pd.DataFrame([row(best) for best in bests], index=index)


def row(best: Best) -> dict[str, str]:
    """The cells of a place and kind of prompts."""
    line, parallel = best.line, best.most_parallel
    return {
        "within": f"{best.within} of {best.candidates}",
        "fastest": escape(decoder_words.best_name(line)) if line else NONE,
        "speedup": cell_text(line and line.speedup, 2),
        "difference": cell_text(best.quality and best.quality.difference, decoder_words.QUALITY_DIGITS),
        "most parallel": escape(decoder_words.best_name(parallel)) if parallel else NONE,
        "tokens a forward": f"{parallelism(parallel):.2f}" if parallel else NONE,
    }


def place_words(place: Place, is_long: bool) -> str:
    """ "Tasks, greedy", or "Tasks, greedy, 32 tokens, batch 106"."""
    run = place.first
    what = "Tasks" if place.metric == "accuracy" else "Open-ended"
    how = wording.temperature_words(temperature_of(run))
    where = f", {run['gen_length']:.0f} tokens, batch {run['batch_size']:.0f}" if is_long else ""
    return f"{what}, {how}{where}"


def prompts_words(best: Best) -> str:
    """ "all", "one right answer" or "many right answers"."""
    return best.fastest.qualities[best.part].prompts or "all"
