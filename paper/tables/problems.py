"""The table of word problems: accuracy by block length, steps and depth, beside latency."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.analysis.comparison import Comparison
from bench.data.problems import DEPTHS
from paper import results
from paper.tables.comparison import full_caption, paper_columns, paper_columns_with_units, topic_table
from paper.tables.latex import latex

CAPTION = (
    "Right answers to word problems whose working has two to six lines, in all (with Wilson intervals) and by how many"
    " lines it has (intervals are in \\texttt{results.json}). Blocks are LLaDA's, in tokens."
)


def table(by_block: Sequence[Comparison]) -> pd.DataFrame:
    """A row a run, LLaMA's first. by_block: comparisons that differ in LLaDA's block length alone."""
    rows = pd.concat([by_block[0].autoregressive, *(part.diffusion for part in by_block)])
    whole = topic_table(rows, paper_columns(("quality/accuracy",)) | paper_columns_with_units(("latency/latency_ms",)))
    depths = topic_table(rows.assign(flags=""), paper_columns(f"quality/accuracy_depth_{d}" for d in DEPTHS), False)
    joined = pd.concat([whole.reset_index(names="model"), depths.reset_index(drop=True)], axis=1)
    blocks = ["--" if pd.isna(block) else f"{block:.0f}" for block in rows["block_length"]]
    joined.insert(1, "block", blocks)
    return joined.set_index("model")


def write(by_block: Sequence[Comparison], folder: Path) -> None:
    """Write problems.tex; an empty file where no model was scored on problems."""
    text = ""
    if by_block and "quality/accuracy" in by_block[0].rows:
        text = latex("problems", full_caption(CAPTION, by_block[0]), table(by_block))
    (folder / "problems.tex").write_text(text, encoding="utf-8")


def prefix_of(comparison: Comparison) -> str:
    """What the names of a comparison's numbers begin with in results.json: `problems.b96.`."""
    block = "" if comparison.diffusion.empty else f"b{comparison.diffusion['block_length'].iloc[0]:.0f}."
    return f"problems.{block}"


def cross_overs(comparison: Comparison) -> dict[str, dict]:
    """`problems.b96.accuracy.cross_over_steps`, and what it costs there."""
    prefix = prefix_of(comparison)
    return {f"{prefix}{name}": number for name, number in results.cross_overs(comparison).items()}
