"""The ledger of published claims in sentences."""

from bench.analysis.ledger import Entry, LedgerLine
from bench.render.wording import interval

MEASURED_WITH = {"ratio": "times"}  # a quantity's unit, where it is not the claim's


def measured_text(entry: Entry, unit: str) -> str:
    """ "1.24 [0.94, 1.63] times": ours with its unit; empty where nothing was run."""
    if entry.measured is None:
        return ""
    if entry.about.quantity == "steps_for_value":
        return f"at most {interval(entry.measured, 0)} of {entry.about.gen_length} steps"
    value = entry.measured.value
    digits = 0 if value >= 100 or value == int(value) else 2 if value < 10 or unit == "GB" else 1
    return f"{interval(entry.measured, digits)} {MEASURED_WITH.get(entry.about.quantity, unit)}"


def theirs_text(line: LedgerLine) -> str:
    """ "1.5 times"; empty for a claim without a number."""
    return "" if line.claim.value is None else f"{line.claim.value:,g} {line.claim.unit}"


def deviation_text(entry: Entry) -> str:
    """Ours over theirs; empty where the two are no like numbers."""
    return "" if entry.deviation is None else interval(entry.deviation, 2)


def how_text(line: LedgerLine, entry: Entry) -> str:
    """What is not as in the claim: extrapolation, place and card; and by how much the machine drifted."""
    card = f"not {line.claim.card}" if line.other_card else ""
    drift = "" if entry.drift is None else f"drift of {entry.drift:.0%}"
    return "; ".join(filter(None, [entry.how, entry.about.differs or "", card, drift]))


def causes(line: LedgerLine) -> list[str]:
    """For each direction that is shown, which of ours lie there and the likely cause; which agree within their
    interval."""
    parts = []
    for direction in ("below", "above") if line.claim.cause else ():
        if labels := [entry.about.label for entry in line.entries if entry.direction == direction]:
            parts.append(f"Ours lies {direction} ({'; '.join(labels)}): {getattr(line.claim.cause, direction)}.")
    alike = [entry.about.label for entry in line.entries if entry.deviation and not entry.direction]
    return [*parts, f"No deviation is shown of: {'; '.join(alike)}."] if alike else parts


def steps_sentence(line: LedgerLine) -> str:
    """ "1.5 times needs at most 96 [93, 99] of 256 steps (captured), ..."; empty where no line says it."""
    entries = [entry for entry in line.measured if entry.about.quantity == "steps_for_value"]
    if not entries:
        return ""
    parts = [f"{measured_text(entry, '')} ({entry.about.label.split(',')[0]})" for entry in entries]
    return f"A factor of {line.claim.value:g} needs {' and '.join(parts)}."


def sentences(lines: list[LedgerLine]) -> list[str]:
    """How many claims have something beside them, and at how many steps a claimed factor is reached."""
    if not lines:
        return []
    measured = [line for line in lines if line.measured]
    compared = [line for line in measured if any(entry.deviation for entry in line.entries)]
    result = [
        f"Of {len(lines)} published claims this study measured something beside {len(measured)}, a like number beside"
        f" {len(compared)}; the others are blank."
    ]
    return [*result, *filter(None, map(steps_sentence, lines))]
