"""The ledger in the report: a section, and in the appendix its table, how each claim is counted, and its numbers."""

from collections.abc import Sequence
from pathlib import Path

from bench.analysis.ledger import Entry, LedgerLine
from bench.render import ledger as render
from paper.decoder_numbers import slug
from paper.results import NO_UNIT, entry
from paper.tables.latex import END, cell_text, escape, ragged

SECTION = "Ledger of published claims"
CAPTION = (
    "Published claims beside what this study measured. Over theirs: ours over theirs where the two are like numbers."
    " Blank: nothing was run. How each is counted, and what of ours is not as in the claim, stands in the text."
)
COLUMNS = r"p{0.355\linewidth}p{0.22\linewidth}lr"
HEAD = "claim & ours & & over theirs \\\\"
PAGE = 52  # lines of the table that fit on a page


def write(lines: Sequence[LedgerLine], folder: Path) -> None:
    """Write the section and its appendix to the report's folder; neither where a study says nothing of any claim."""
    if not lines:
        return
    text = "\n\n".join(map(escape, render.sentences(list(lines))))
    where = "Each claim stands in Table~\\ref{tab:ledger}, and how it is counted in Appendix~\\ref{sec:ledger_full}."
    section = f"\\section{{{SECTION}}}\\label{{sec:ledger}}\n{text}\n\n{where}\n"
    (folder / "ledger.tex").write_text(section, encoding="utf-8")
    parts = [f"\\section{{{SECTION}, in full}}\\label{{sec:ledger_full}}\n", *tables(lines), counting(lines)]
    (folder / "ledger_appendix.tex").write_text("\n".join(parts), encoding="utf-8")


def tables(lines: Sequence[LedgerLine]) -> list[str]:
    """The table, on as many pages as it needs; a claim's lines stay together."""
    pages: list[list[LedgerLine]] = [[]]
    for line in lines:
        if sum(map(rows_of, pages[-1])) + rows_of(line) > PAGE:
            pages.append([])
        pages[-1].append(line)
    captions = [CAPTION, *["Continued."] * len(pages)]
    return [table(page, captions[number], number) for number, page in enumerate(pages)]


def rows_of(line: LedgerLine) -> int:
    """Lines of the table that a claim takes, which itself takes two at most."""
    return max(2, len(line.entries))


def table(lines: Sequence[LedgerLine], caption: str, number: int) -> str:
    """A page of the table."""
    body = "\n\\addlinespace\n".join("\n".join(rows(line)) for line in lines)
    return (
        f"\\begin{{table}}[htbp]\\centering\\footnotesize\\caption{{{caption}}}\\label{{tab:ledger{number or ''}}}\n"
        f"\\setlength{{\\tabcolsep}}{{3pt}}\\begin{{tabular}}{{{COLUMNS}}}\n\\toprule\n{HEAD}\n\\midrule\n{body}\n"
        "\\bottomrule\n\\end{tabular}\n\\end{table}\n"
    )


def rows(line: LedgerLine) -> list[str]:
    """A claim's rows: the claim beside its first number."""
    claim = f"{line.source}: {line.claim.text} ({line.claim.card})"
    entries = line.entries or (None,)
    return [row(claim if number == 0 else "", line, entry) for number, entry in enumerate(entries)]


def row(claim: str, line: LedgerLine, one: Entry | None) -> str:
    """A row of the table; blank but for the claim where nothing was run."""
    cells = [ragged(claim), "", "", ""]
    if one is not None and one.measured is not None:
        deviation = "" if one.deviation is None else cell_text(one.deviation, 2)
        measured = escape(render.measured_text(one, line.claim.unit))
        cells = [ragged(claim), ragged(one.about.label), measured, deviation]
    return " & ".join(cells) + END


def counted_alike(lines: Sequence[LedgerLine]) -> list[list[LedgerLine]]:
    """The claims of one source and setting that are counted by one rule stand together."""
    groups: dict[tuple, list[LedgerLine]] = {}
    for line in lines:
        groups.setdefault((line.source, line.at, line.claim.setting, line.claim.counted), []).append(line)
    return list(groups.values())


def counting(lines: Sequence[LedgerLine]) -> str:
    """How the claims are counted, by their authors and here, and the likely cause of what deviates: claims that are
    counted alike stand together."""
    items = map(item, counted_alike(lines))
    return "\\begin{description}\\small\\sloppy\n" + "\n".join(items) + "\n\\end{description}\n"


def item(group: Sequence[LedgerLine]) -> str:
    """How a group of claims is counted and why ours may deviate."""
    first = group[0]
    claim = first.claim
    parts = [f"{claim.setting}.", f"By its rule: {claim.counted}.", f"By ours: {claim.restated}."]
    if differs := render.differences(group):
        parts.append(f"Not as in the claim: {differs}.")
    parts += render.causes(group)
    parts += [f"Outside this study: {line.claim.elsewhere.text} ({line.claim.elsewhere.page})."
              for line in group if line.claim.elsewhere]  # fmt: skip
    if not any(line.measured for line in group):
        parts.append("Nothing was run of it.")
    return f"\\item[{escape(first.source)}] ({escape(first.at)}) {escape(' '.join(parts))}"


def numbers(lines: Sequence[LedgerLine]) -> dict[str, dict]:
    """`ledger.CLAIM.OURS`, and `.deviation` of it."""
    result = {}
    for line in lines:
        for one in line.measured:
            name = f"ledger.{line.key}.{slug(one.about.label)}"
            result[name] = entry(one.measured, unit_of(line, one), list(one.runs))
            if one.deviation is not None:
                result[f"{name}.deviation"] = entry(one.deviation, NO_UNIT, list(one.runs))
    return result


def unit_of(line: LedgerLine, one: Entry) -> str:
    """The unit of one of our numbers, as results.json names it."""
    if one.about.quantity == "steps_for_value":
        return "steps"
    return NO_UNIT if one.about.quantity == "ratio" or line.claim.unit == "times" else line.claim.unit
