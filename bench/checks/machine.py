"""`make doctor`: is this machine ready? One line a check, and one fix where something is amiss.

Exit status 1 if a study could not run here; missing LaTeX only costs the PDF.
"""

import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.common.errors import BadInput
from bench.devices import choose

FREE_GIB_NEEDED = 2
REQUIREMENTS = (Path("requirements.txt"), Path("configs/requirements-nodeps.txt"))


@dataclass(frozen=True)
class Check:
    """One line of the report. `needed`: without it no study runs."""

    name: str
    good: bool
    finding: str
    fix: str = ""
    needed: bool = True


def pinned() -> dict[str, str]:
    """Package: version, as the requirements files pin them."""
    lines = [line.split("#")[0].strip() for file in REQUIREMENTS for line in file.read_text().splitlines()]
    return dict(line.split("==") for line in lines if line)


def check_device(wanted: str) -> Check:
    try:
        chosen, gpu = choose.choose(wanted), choose.gpu()
    except BadInput as error:
        return Check("device", False, str(error), "DEVICE=cpu, or install NVIDIA's driver and a CUDA build of torch")
    return Check(
        "device", True, f"{chosen} ({gpu[1]}, {gpu[0]})" if chosen == "cuda" else "cpu (no GPU that this torch can use)"
    )


def check_packages() -> Check:
    wrong = []
    for name, wanted in pinned().items():
        try:
            found = version(name).split("+")[0]
        except PackageNotFoundError:
            found = "missing"
        if found != wanted:
            wrong.append(f"{name} {found}, not {wanted}")
    if wrong:
        return Check("packages", False, "; ".join(wrong), "rm -rf .venv && make setup")
    return Check("packages", True, f"all {len(pinned())} pinned packages")


def check_latex() -> Check:
    if shutil.which("latexmk") and shutil.which("pdflatex"):
        return Check("LaTeX", True, "latexmk and pdflatex")
    fix = "apt install texlive-latex-recommended latexmk (Debian); without it all but report.pdf is made"
    return Check("LaTeX", False, "not found", fix, needed=False)


def check_disk() -> Check:
    free = shutil.disk_usage(".").free / (1 << 30)
    return Check("disk", free >= FREE_GIB_NEEDED, f"{free:.0f} GiB free", f"free {FREE_GIB_NEEDED} GiB here")
