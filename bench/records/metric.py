"""What is said of a metric that the benchmark tracks; `catalogue.py` has them all."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A tracked quantity.

    name: as it is tracked, `namespace/name`. unit: `1` for a count or a share. heading: of a column in the terminal,
    with the unit where it has one. digits: behind the decimal point. meaning: one sentence without a full stop.
    formula: how it is computed from a record's fields. paper_heading, paper_digits: in those tables of the paper whose
    caption names the unit; None where they are as in the terminal. paper_heading_with_unit: in the paper's tables of
    several units, with `digits`; None where it is as in the terminal.
    """

    name: str
    unit: str
    heading: str
    digits: int
    meaning: str
    formula: str
    paper_heading: str | None = None
    paper_digits: int | None = None
    paper_heading_with_unit: str | None = None
