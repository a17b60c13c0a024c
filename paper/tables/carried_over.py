"""The table of claims on decoders at the ceilings of another card than that they were stated for."""

from pathlib import Path

import pandas as pd

from bench.analysis.carried_over import CarriedOver
from bench.analysis.hypotheses import Result
from bench.common.stats import Estimate
from bench.render import carried_over as render
from bench.render.hypotheses import decoder_claim_text
from paper.tables.cost import MET
from paper.tables.latex import escape, long_table

CAPTION = "Cost model: the number of each claim by it. Within: the tolerance that was stated with the claim."


def write(carried: CarriedOver | None, folder: Path) -> None:
    """Write carried_over.tex; an empty file where nothing was carried over."""
    text = (
        long_table("carried_over", f"{escape(render.sentence(carried))} {CAPTION}", table(carried)) if carried else ""
    )
    (folder / "carried_over.tex").write_text(text, encoding="utf-8")


def table(carried: CarriedOver) -> pd.DataFrame:
    """A line a claim that was measured, by the name of its hypothesis."""
    names = [score.name for score in carried.scores for _ in score.results]
    return pd.DataFrame([row(result) for score in carried.scores for result in score.results], index=names)


def row(result: Result) -> dict[str, str]:
    """A claim beside what was measured."""
    claim = result.claim
    return {
        "claim": escape(decoder_claim_text(claim)),
        "cost model": render.number(Estimate(claim.value)),
        "tolerance": f"$\\times {claim.factor:g}$",
        "measured": escape(render.number(result.measured)) + (" (extrapolated)" if result.is_extrapolated else ""),
        "within": MET[result.state],
    }
