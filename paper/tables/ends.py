"""What the report shows of how answers end: a line for each regime of a place, and its numbers."""

from pathlib import Path

import pandas as pd

from bench.analysis.ends import Ends, Place, Regime
from bench.common import stats
from bench.render import ends as render_ends
from bench.render import wording
from bench.spec.cell import STOPS
from paper.results import NO_UNIT, entry
from paper.tables.latex import cell_text, escape, long_table

CAPTION = (
    "How answers end. Ratio: LLaDA's time over LLaMA's for as much kept text, paired by round. At forced length both"
    " write as many tokens. Where answers end by themselves, or after as many tokens as the prompts' references have,"
    " end tokens ignored, a call of LLaMA ends with its longest row, and LLaDA has paid for its whole canvas. Tokens:"
    " mean tokens kept, or the median and quartiles of the references in LLaMA's tokens. Forwards: of a call of LLaMA."
)


def write(ends: Ends, folder: Path) -> None:
    """Write the table to `folder`; an empty file where nothing was measured."""
    folder.mkdir(parents=True, exist_ok=True)
    text = long_table("ends", caption(ends), table(ends)) if ends.places else ""
    (folder / "ends.tex").write_text(text, encoding="utf-8")


def caption(ends: Ends) -> str:
    """What the table shows, where it was measured, and what was left out."""
    label = wording.weights_label(ends.every)
    parts = [
        CAPTION,
        f"On {escape(wording.machine_of(ends.every))}.",
        f"({label.capitalize()}.)" if label else "",
        wording.left_out_sentence(ends),
    ]
    return " ".join(filter(None, parts))


def table(ends: Ends) -> pd.DataFrame:
    """A line for each regime of each place."""
    lines = [line_of(regime) for place in ends.places for regime in place.regimes]
    index = [escape(render_ends.place_words(place)) for place in ends.places for _ in place.regimes]
    return pd.DataFrame(lines, index=index)


def line_of(regime: Regime) -> dict[str, str]:
    """A line of the table."""
    lengths = regime.lengths
    kept = (
        f"{regime.kept[0]:.1f}" if lengths is None else f"{lengths.median:.0f} ({lengths.low:.0f}, {lengths.high:.0f})"
    )
    return {
        "answers end": STOPS[regime.stop],
        "tokens": kept,
        "forwards": wording.MISSING if regime.forwards is None else f"{regime.forwards:.1f}",
        "ratio": cell_text(regime.ratio, 2),
    }


def numbers(ends: Ends) -> dict[str, dict]:
    """`ends.DTYPE.ENGINE.HEAD.PLACE.STOP.time_ratio`, and of the references `.median_tokens`."""
    result = {}
    for place in ends.places:
        for regime in place.regimes:
            name = f"{name_of(place)}.{regime.stop}"
            runs = list(regime.runs)
            result[f"{name}.time_ratio"] = entry(regime.ratio, NO_UNIT, runs)
            if regime.lengths:
                result[f"{name}.median_tokens"] = entry(stats.Estimate(regime.lengths.median), "tokens", runs)
    return result


def name_of(place: Place) -> str:
    """ "ends.bfloat16.captured.lean.b8.l256.p128.s32"."""
    prompts = "" if place.prompt_tokens is None else f".p{place.prompt_tokens}"
    where = f"b{place.batch_size}.l{place.gen_length}{prompts}.s{place.steps}"
    return f"ends.{place.dtype}.{place.engine}.{place.head}.{where}"
