"""Two studies side by side, such as two cards or two commits: what became faster or slower by more than noise?

    python -m paper.compare BEFORE AFTER

Cells are matched by their settings; machine, commit and revision of the weights may differ. Ratios are the second study
over the first. Prints a summary, and writes a page of one file (no network) and LaTeX tables to paper/compared/.
"""

import re
import sys
from pathlib import Path

from bench.common import paths
from bench.common.cli import Parser
from bench.common.errors import BadInput, exit_code
from bench.runner import notices

FOLDER = Path("paper/compared")  # of the pages and tables
NO_NAME = re.compile(r"[^\w.-]+")  # what is no part of a file's name


def main() -> int:
    parser = Parser("paper.compare", __doc__)
    parser.add_argument("studies", metavar="STUDY", nargs="*", help="the study before, and the one after")
    parser.add_argument("--verbose", action="store_true", help="print every cell")
    args = parser.parse_args()
    before, after = two_names(args.studies)
    from bench.analysis import study, two_studies
    from bench.render import two_studies as render
    from paper import comparison_page
    from paper.tables import two_studies as tables

    with notices.waiting_for(f"reading studies {before} and {after}"):
        studies = [study.read(name) for name in (before, after)]
    two = two_studies.compare(*studies)
    files = [FOLDER / f"{NO_NAME.sub('_', before)}--{NO_NAME.sub('_', after)}{end}" for end in (".html", ".tex")]
    for file, text in zip(files, (comparison_page.page(two), tables.latex_tables(two)), strict=True):
        paths.write(file, text)
    print("\n".join(render.lines(two, args.verbose)))
    print(f"\npage and tables: {' and '.join(map(str, files))}")
    return 0


def two_names(names: list[str]) -> tuple[str, str]:
    """The names of two different studies. Raises BadInput for any other number of names."""
    if len(names) != 2:
        given = f"{len(names)} given" if names else "none is given"
        raise BadInput(f'STUDIES="{" ".join(names)}": expected the names of two studies, "before after"; {given}')
    if names[0] == names[1]:
        raise BadInput(f'STUDIES="{" ".join(names)}": a study is not compared with itself; give two studies')
    return names[0], names[1]


if __name__ == "__main__":
    sys.exit(exit_code(main))
