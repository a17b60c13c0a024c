"""What a check reports: one line with what was measured and, where there is a target, whether it is met."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What one check measured.

    name: what was checked, in a word or two. text: the result, in words and numbers. target: what the result should
    be, in words; empty where nothing is demanded. met: whether it is; None where nothing is demanded.
    """

    name: str
    text: str
    target: str = ""
    met: bool | None = None

    @property
    def line(self) -> str:
        """The finding as a door prints it."""
        return f"{self.name:12} {self.text}{'' if self.met is None else '   ' + target_text(self.target, self.met)}"


def target_text(target: str, met: bool) -> str:
    """A target and whether it is met, in words."""
    return f"target {target}: {'ok' if met else 'MISSED'}"


def all_met(findings: Iterable[Finding]) -> bool:
    """Whether no finding misses its target."""
    return all(finding.met is not False for finding in findings)
