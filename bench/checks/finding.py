"""One line of the self-check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, the target and whether it is met (None: nothing to meet)."""

    name: str
    text: str
    target: str = ""
    met: bool | None = None
