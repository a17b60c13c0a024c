"""A table as LaTeX."""

import pandas as pd

from bench.common import stats

NOT_MEASURED = "not measured"
ESCAPED = {char: f"\\{char}" for char in "&%$#_{}"}  # characters with a meaning in LaTeX, and how they are printed
ESCAPED |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\^{}"}
# Before a table: it is shrunk to the width of the line where it is wider.
FIT = "\\small\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{"


def escape(text: str) -> str:
    """Plain text for LaTeX: what is a command there is written so that it prints as itself."""
    return text.translate(str.maketrans(ESCAPED)).replace("--", "-{}-")  # LaTeX would join two hyphens to a dash


def short(metric: str) -> str:
    """A metric's name in results.json: without its namespace, but for a prediction, which is no measurement."""
    namespace, name = metric.split("/", 1)
    return f"predicted_{name}" if namespace == "predicted" else name


def cell_text(estimate: stats.Estimate | None, digits: int) -> str:
    """A number, with its interval in small print where there is any."""
    if estimate is None:
        return "--"
    text = f"{estimate.value:.{digits}f}"
    if estimate.low is None or f"{estimate.low:.{digits}f}" == f"{estimate.high:.{digits}f}":
        return text
    return f"{text} {{\\scriptsize [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]}}"


def latex(name: str, caption: str, table: pd.DataFrame) -> str:
    """A table as LaTeX, shrunk to the line where it is wider."""
    if table.empty:
        words = name.replace("_", " ").capitalize()
        return f"\\par\\medskip\\noindent\\textit{{{words}: {NOT_MEASURED}.}}\\par\n"
    text = table.style.to_latex(
        hrules=True, column_format="l" + "r" * len(table.columns), caption=caption, label=f"tab:{name}",
        position="htbp", position_float="centering",
    )  # fmt: skip
    return text.replace("\\begin{tabular}", FIT + "\\begin{tabular}").replace("\\end{tabular}", "\\end{tabular}}")
