"""Text and tables as LaTeX."""

import re
from pathlib import Path

import pandas as pd

from bench.common import stats

NOT_MEASURED = "not measured"
ESCAPED = {char: f"\\{char}" for char in "&%$#_{}"}  # characters with a meaning in LaTeX, and how they are printed
ESCAPED |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\^{}"}
# Two of these side by side would be joined to another character, such as two hyphens to a dash.
JOINED = re.compile(r"([-<>,`'])(?=\1)|([?!])(?=`)")
# What the fonts of paper/main.tex can print beyond ASCII: Latin-1, the other letters of the T1 encoding, punctuation.
LATIN_1 = "".join(chr(number) for number in range(0xA1, 0x100) if number != 0xAD)  # that one is a hyphen nobody sees
T1_LETTERS = "ĂăĄąĆćČčĎďĐđĘęĚěĞğİıĹĺĽľŁłŃńŇňŐőŒœŔŕŘřŚśŞşŠšŢţŤťŮůŰűŸŹźŻżŽž"
PUNCTUATION = "–—‘’‚“”„‹›…€"
BEYOND = re.compile(f"[^ -~{LATIN_1}{T1_LETTERS}{PUNCTUATION}]")
CODE_POINTS = re.compile(r"\\codepoint\{([0-9A-F]+)\}")  # as `escape` writes them
END = r" \tabularnewline"  # of a row, since ragged columns give two backslashes another meaning
# Before a table: it is shrunk to the width of the line where it is wider.
FIT = "\\small\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{"


def escape(text: str) -> str:
    """Plain text for LaTeX: what is a command there is written so that it prints as itself.

    A character that the report's fonts do not have is printed as its code point, such as U+65E5. White space is one
    space.
    """
    escaped = JOINED.sub(r"\g<0>{}", " ".join(text.split()).translate(str.maketrans(ESCAPED)))
    return BEYOND.sub(lambda match: f"\\codepoint{{{ord(match.group()):04X}}}", escaped)


def beyond_the_fonts(folder: Path) -> str:
    """The characters that LaTeX files in a folder have as code points, each once, in order."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(folder.rglob("*.tex"))]
    numbers = [int(number, 16) for text in texts for number in CODE_POINTS.findall(text)]
    return "".join(chr(number) for number in dict.fromkeys(numbers))


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


def ragged(text: str) -> str:
    """Plain text for a narrow column, without stretched spaces."""
    return f"\\raggedright {escape(text)}" if text else ""


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
