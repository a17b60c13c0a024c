"""Is this machine ready for a study? Python, device, packages, LaTeX and disk, each with what to do about it."""

import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.common.errors import BadInput
from bench.common.units import GIB
from bench.devices import choose

FREE_GIB_NEEDED = 2  # of disk: models, records and MLflow's files of a study
OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 13)  # that the pinned packages have wheels for
REQUIREMENTS = (Path("requirements.txt"), Path("configs/requirements-nodeps.txt"))


@dataclass(frozen=True)
class Check:
    """One line of the report.

    name: what was looked at. good: whether it is as it should be. finding: what is there. fix: what to do if it is not
    good. needed: whether no study runs without it.
    """

    name: str
    good: bool
    finding: str
    fix: str = ""
    needed: bool = True

    @property
    def lines(self) -> str:
        """What a door prints: the finding and, where something is amiss, its fix on a line of its own."""
        state = "ok  " if self.good else "FAIL" if self.needed else "miss"
        finding = f"{state}  {self.name:9} {self.finding}"
        return finding if self.good else f"{finding}\n      fix: {self.fix}"


def checks(device: str) -> list[Check]:
    """Every check, in the order of the report. device: auto, cpu or cuda."""
    return [check_python(), check_device(device), check_packages(), check_latex(), check_disk()]


def check_python() -> Check:
    good = OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON
    return Check("python", good, sys.version.split()[0], "Python 3.11 to 3.13")


def check_device(wanted: str) -> Check:
    try:
        chosen = choose.choose(wanted)
        gpu = choose.gpu()
    except BadInput as error:
        return Check("device", False, str(error), "DEVICE=cpu, or install NVIDIA's driver and a CUDA build of torch")
    if chosen == "cuda":
        return Check("device", True, f"{chosen} ({gpu[1]}, {gpu[0]})")
    return Check("device", True, "cpu (no GPU that this torch can use)")


def pinned() -> dict[str, str]:
    """Version by package, as the requirements files pin them."""
    lines = [line.split("#")[0].strip() for file in REQUIREMENTS for line in file.read_text().splitlines()]
    return dict(line.split("==") for line in lines if line)


def installed(package: str) -> str:
    """The version that is installed, without what stands behind its `+`; `missing` where there is none."""
    try:
        return version(package).split("+")[0]
    except PackageNotFoundError:
        return "missing"


def check_packages() -> Check:
    wanted = pinned()
    wrong = [f"{name} {installed(name)}, not {pin}" for name, pin in wanted.items() if installed(name) != pin]
    if wrong:
        return Check("packages", False, "; ".join(wrong), "rm -rf .venv && make setup")
    return Check("packages", True, f"all {len(wanted)} pinned packages")


def check_latex() -> Check:
    if shutil.which("latexmk") and shutil.which("pdflatex"):
        return Check("LaTeX", True, "latexmk and pdflatex")
    fix = "apt install texlive-latex-recommended lmodern latexmk (Debian); without it all but report.pdf is made"
    return Check("LaTeX", False, "not found", fix, needed=False)


def check_disk() -> Check:
    free_gib = shutil.disk_usage(".").free / GIB
    fix = f"free {FREE_GIB_NEEDED} GiB here"
    return Check("disk", free_gib >= FREE_GIB_NEEDED, f"{free_gib:.0f} GiB free", fix)
