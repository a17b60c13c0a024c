"""The table of the fastest decoders where answers have no score: of each place the one with most tokens a second."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.analysis.decoder_places import Decoders
from bench.render import decoder_words, wording
from paper.decoder_selection import MOST_PLACES, Fastest, fastest_unscored
from paper.tables.latex import cell_text, escape, latex

CAPTION = (
    "Of each place whose answers have no score, the decoder with most tokens a second, and these over {rival}'s, paired"
    " by round; without an interval where fewer than two rounds have both on one card."
)


def write(decoders: Decoders, folder: Path) -> None:
    """Write decoders_fastest.tex; an empty file where a sentence says them all."""
    fastest = fastest_unscored(decoders)
    text = latex("decoders_fastest", caption(fastest), table(fastest)) if len(fastest) > MOST_PLACES else ""
    (folder / "decoders_fastest.tex").write_text(text, encoding="utf-8")


def caption(fastest: Sequence[Fastest]) -> str:
    """What the columns are, what all places share, and where they were measured."""
    places = [best.place for best in fastest]
    every = pd.concat([place.every for place in places])
    about = f"{wording.capitalised(decoder_words.shared_words(places))}, on {wording.machine_of(every)}."
    label = wording.weights_label(every)
    parts = [CAPTION.format(rival=fastest[0].rival), escape(about), f"({label.capitalize()}.)" if label else ""]
    return " ".join(filter(None, parts))


def table(fastest: Sequence[Fastest]) -> pd.DataFrame:
    """A row a place."""
    rows = [
        {
            "decoder": escape(best.decoder),
            f"over {best.rival}": cell_text(best.line.rate_over_autoregressive, 2),
        }
        for best in fastest
    ]
    return pd.DataFrame(rows, index=[escape(wording.capitalised(best.where)) for best in fastest])
