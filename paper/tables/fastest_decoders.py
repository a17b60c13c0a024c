"""The table of the fastest decoders where answers have no score: of each place the one with most tokens a second."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.analysis.decoder_places import Decoders
from bench.models import kinds
from bench.render import wording
from paper.decoder_selection import MOST_PLACES, Fastest, fastest_unscored
from paper.tables.latex import cell_text, escape, latex

CAPTION = (
    "Of each place whose answers have no score, the decoder with most tokens a second. Over {rival}: its tokens a"
    " second over {rival}'s, paired by round; rounds: those that both have."
)


def write(decoders: Decoders, folder: Path) -> None:
    """Write decoders_fastest.tex; an empty file where a sentence says them all."""
    fastest = fastest_unscored(decoders)
    text = latex("decoders_fastest", caption(fastest), table(fastest)) if len(fastest) > MOST_PLACES else ""
    (folder / "decoders_fastest.tex").write_text(text, encoding="utf-8")


def caption(fastest: Sequence[Fastest]) -> str:
    """What the columns are; the settings that all places share."""
    rival = kinds.label_of(fastest[0].place.autoregressive.run["model"])
    label = wording.weights_label(fastest[0].place.every)
    return " ".join(filter(None, [CAPTION.format(rival=rival), f"({label.capitalize()}.)" if label else ""]))


def table(fastest: Sequence[Fastest]) -> pd.DataFrame:
    """A row a place."""
    rival = kinds.label_of(fastest[0].place.autoregressive.run["model"])
    rows = [
        {
            "decoder": escape(", ".join(filter(None, [best.line.name, wording.part_words(best.line.run)]))),
            f"over {rival}": cell_text(best.line.rate_over_autoregressive, 2),
            "rounds": str(best.line.rounds_beside),
        }
        for best in fastest
    ]
    return pd.DataFrame(rows, index=[escape(wording.capitalised(best.where)) for best in fastest])
