"""Text and tables as LaTeX."""

import re
from pathlib import Path

import pandas as pd

from bench.common import stats
from paper.tables.marks import NOTE, with_marks

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
LABELS = re.compile(r"\\label\{tab:(\w+)\}")  # of the tables in a text

# Tables are set at 8 pt (\footnotesize of a 10 pt class) and never shrunk. Lengths in TeX points.
SIZE = "\\footnotesize\\setlength{\\tabcolsep}{3pt}"
LINE_PT = 453  # the width of a line of the page, less what the widths of letters may be off
LETTER_PT = 4.3  # a digit at 8 pt, or a small letter on average
NARROW, NARROW_PT = set(" ,.;:'[]()|!ijlt-"), 2.8  # and those that take less room
WIDE, WIDE_PT = set("ABCDEFGHKLMNOPQRSTUVWXYZmw%"), 6.0  # or more
SEPARATION_PT = 6  # between two columns
NARROWEST_PT = 100  # a column of text that is broken into lines
MOST_DIGITS = 4  # of a number in a table, if it needs no more before the point
EMPTY = ("", "-", "--")  # cells that say nothing
ALWAYS_TEXT = (NOTE, "claim", "hypothesis", "outcome")  # columns that stand to the left
LONGEST_NUMBER = 30  # letters; a column with longer cells is text
COMMANDS = re.compile(r"\\[a-zA-Z]+|[{}$\\]")  # what takes no room in print


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


def cell_text(estimate: stats.Estimate | None, digits: int, is_bold: bool = False) -> str:
    """A number, with its interval where there is any. is_bold: whether the number stands out."""
    if estimate is None:
        return "--"
    digits = min(digits, max(0, MOST_DIGITS - len(f"{abs(estimate.value):.0f}")))
    text = f"{estimate.value:.{digits}f}"
    shown = f"\\textbf{{{text}}}" if is_bold else text
    if estimate.low is None or f"{estimate.low:.{digits}f}" == f"{estimate.high:.{digits}f}":
        return shown
    return f"{shown} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


def ragged(text: str) -> str:
    """Plain text for a narrow column, without stretched spaces."""
    return f"\\raggedright {escape(text)}" if text else ""


def latex(name: str, caption: str, table: pd.DataFrame) -> str:
    """A table as a float, for the body; one that is wider than a line as a long table. Nothing where it is empty."""
    if table.empty:
        return ""
    caption, table = with_marks(caption, table)
    groups = column_groups(table)
    if len(groups) > 1:
        return long_table(name, caption, table)
    lines = [
        "\\begin{table}[htbp]\\centering", f"\\caption{{{caption}}}\\label{{tab:{name}}}", SIZE,
        f"\\begin{{tabular}}{{{specification(table)}}}", "\\toprule", heading(table), "\\midrule", *rows(table),
        "\\bottomrule", "\\end{tabular}", "\\end{table}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def long_table(name: str, caption: str, table: pd.DataFrame) -> str:
    """A table of any length under one number, over as many pages as it takes, for the appendix. Where all columns are
    wider than a line, those that are too much follow under the same number. Nothing where it is empty."""
    if table.empty:
        return ""
    caption, table = with_marks(caption, table)
    parts = []
    for group in column_groups(table):
        shown = table.iloc[:, group]
        if parts:  # longtable counts one up for each
            shown = shown[~shown.isin(EMPTY).all(axis=1)]
            parts.append("\\addtocounter{table}{-1}")
        title = f"\\caption*{{Table~\\ref{{tab:{name}}}, further columns.}}" if parts else ""
        parts += [
            "{" + SIZE, f"\\begin{{longtable}}{{{specification(shown)}}}",
            (title or f"\\caption{{{caption}}}\\label{{tab:{name}}}") + "\\\\", "\\toprule", heading(shown),
            "\\midrule", "\\endfirsthead", f"\\caption*{{Table~\\ref{{tab:{name}}}, continued.}}\\\\",
            "\\toprule", heading(shown), "\\midrule", "\\endhead", "\\bottomrule", "\\endfoot", *rows(shown),
            "\\end{longtable}}",
        ]  # fmt: skip
    return "\n".join(parts) + "\n"


def letters(text: str) -> int:
    """How many letters a cell has in print."""
    return len(COMMANDS.sub("", text))


def width_of(text: str) -> float:
    """How much room a cell takes in print, in points."""
    shown = COMMANDS.sub("", text)
    return sum(NARROW_PT if char in NARROW else WIDE_PT if char in WIDE else LETTER_PT for char in shown)


def natural_widths(table: pd.DataFrame) -> list[float]:
    """Of the index and each column the width in points without breaking a line."""
    numbers = range(len(table.columns))
    columns = [["", *map(str, table.index)]]
    columns += [[*heading_lines(table, number), *map(str, table.iloc[:, number])] for number in numbers]
    return [max(map(width_of, cells)) + SEPARATION_PT for cells in columns]


def text_columns(table: pd.DataFrame) -> list[bool]:
    """Of the index and each column, whether its cells are text that may be broken into lines."""
    columns = [table.iloc[:, number] for number in range(len(table.columns))]
    longest = [max((letters(str(cell)) for cell in cells), default=0) for cells in columns]
    names = zip(table.columns, longest, strict=True)
    return [True, *(name in ALWAYS_TEXT or length > LONGEST_NUMBER for name, length in names)]


def fitted_widths(table: pd.DataFrame) -> list[float | None]:
    """Of the index and each column the width to which its text is broken, in points; None where it is not broken."""
    natural, is_text = natural_widths(table), text_columns(table)
    room = LINE_PT - sum(width for width, text in zip(natural, is_text, strict=True) if not text)
    wanted = sum(width for width, text in zip(natural, is_text, strict=True) if text)
    if wanted <= room:
        return [None] * len(natural)
    small = [text and width <= NARROWEST_PT for width, text in zip(natural, is_text, strict=True)]
    room -= sum(width for width, kept in zip(natural, small, strict=True) if kept)
    wanted -= sum(width for width, kept in zip(natural, small, strict=True) if kept)
    return [
        max(NARROWEST_PT, width * room / wanted) - SEPARATION_PT if text and not kept else None
        for width, text, kept in zip(natural, is_text, small, strict=True)
    ]


def column_groups(table: pd.DataFrame) -> list[list[int]]:
    """The numbers of the columns that fit beside the index, as often as it takes to show all."""
    groups: list[list[int]] = [[]]
    for number in range(len(table.columns)):
        group = [*groups[-1], number]
        if groups[-1] and least_width(table.iloc[:, group]) > LINE_PT:
            groups.append([number])
        else:
            groups[-1] = group
    return groups


def least_width(table: pd.DataFrame) -> float:
    """The least width in points that a table can be broken to."""
    pairs = zip(natural_widths(table), text_columns(table), strict=True)
    return sum(min(width, NARROWEST_PT) if text else width for width, text in pairs)


def specification(table: pd.DataFrame) -> str:
    """The columns of a table for LaTeX: text to the left, broken where it must be, numbers to the right."""
    widths, is_text = fitted_widths(table), text_columns(table)
    parts = [
        f">{{\\raggedright\\arraybackslash}}p{{{width:.0f}pt}}" if width else "l" if text else "r"
        for width, text in zip(widths, is_text, strict=True)
    ]
    return "@{}" + "".join(parts) + "@{}"


def heading_lines(table: pd.DataFrame, number: int) -> list[str]:
    """A column's heading; in two lines where it is wider than the cells under it."""
    text = str(table.columns[number])
    words = text.split()
    cells = max((width_of(str(cell)) for cell in table.iloc[:, number]), default=0)
    if width_of(text) <= cells or len(words) < 2:
        return [text]
    breaks = [(" ".join(words[:place]), " ".join(words[place:])) for place in range(1, len(words))]
    return list(min(breaks, key=lambda lines: max(map(width_of, lines))))


def heading(table: pd.DataFrame) -> str:
    """The line of headings."""
    cells = []
    for number, is_text in enumerate(text_columns(table)[1:]):
        lines = heading_lines(table, number)
        stacked = "\\shortstack[l]{" if is_text else "\\shortstack[r]{"
        stack = stacked + " \\\\ ".join(lines) + "}"
        cells.append(lines[0] if len(lines) == 1 else stack)
    return " & ".join(["", *cells]) + " \\\\"


def rows(table: pd.DataFrame) -> list[str]:
    """A line a row."""
    lines = zip(table.index, table.to_numpy().tolist(), strict=True)
    return [" & ".join([str(name), *map(str, cells)]) + " \\\\" for name, cells in lines]
