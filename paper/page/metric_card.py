"""The metric card: what each metric means, in the words of the paper's section, which are its only place."""

import re
from pathlib import Path

SECTION = Path(__file__).parents[1] / "sections/metrics.tex"
ITEM = re.compile(r"\\item\[(?P<name>[^]]+)\](?P<text>.*?)(?=\\item|\\end\{description\})", re.DOTALL)
SAID = re.compile(r"\\say\{\w+\}")  # sentences that point to the paper's own tables


def items() -> list[tuple[str, str]]:
    """(metric, what it is) of each metric on the card, as plain text."""
    section = SECTION.read_text(encoding="utf-8")
    return [(found["name"], " ".join(SAID.sub("", found["text"]).split())) for found in ITEM.finditer(section)]
