"""The ledger of published claims in sentences."""

from collections.abc import Iterable, Sequence

from bench.analysis.ledger import Entry, LedgerLine
from bench.render.wording import interval

MEASURED_WITH = {"ratio": "times"}  # a quantity's unit, where it is not the claim's


def measured_text(entry: Entry, unit: str) -> str:
    """ "1.24 [0.94, 1.63] times": ours with its unit; empty where nothing was run."""
    if entry.measured is None:
        return ""
    if entry.about.quantity == "steps_for_value":
        return f"at most {interval(entry.measured, 0)} steps"
    value = entry.measured.value
    digits = 0 if value >= 100 or value == int(value) else 2 if value < 10 or unit == "GB" else 1
    return f"{interval(entry.measured, digits)} {MEASURED_WITH.get(entry.about.quantity, unit)}"


def theirs_text(line: LedgerLine) -> str:
    """ "1.5 times"; empty for a claim without a number."""
    return "" if line.claim.value is None else f"{line.claim.value:,g} {line.claim.unit}"


def deviation_text(entry: Entry) -> str:
    """Ours over theirs; empty where the two are no like numbers."""
    return "" if entry.deviation is None else interval(entry.deviation, 2)


def differences(lines: Sequence[LedgerLine]) -> str:
    """What of ours is not as in these claims: place, card, times that were not measured; and by how much the machine
    drifted."""
    entries = [entry for line in lines for entry in line.measured]
    parts = [entry.about.differs or "" for entry in entries]
    parts += [f"{line.other_card}, not {line.claim.card}" for line in lines if line.other_card and line.measured]
    for how in ("interpolated", "extrapolated"):
        parts.append(f"times {how}: {labels_of(entry for entry in entries if entry.how == how)}")
    for entry in entries:
        if entry.drift is not None:
            parts.append(f"{entry.about.engine} cells drifted by {100 * entry.drift:.0f} % from round to round")
    return "; ".join(part for part in dict.fromkeys(parts) if part and not part.endswith(": "))


def labels_of(entries: Iterable[Entry]) -> str:
    """The labels of some of our numbers, each once."""
    return ", ".join(dict.fromkeys(entry.about.label for entry in entries))


def causes(lines: Sequence[LedgerLine]) -> list[str]:
    """For each direction in which ours is shown to lie, where and the likely cause; then where ours agrees within its
    interval. Of several claims each label says which it is beside."""
    by_cause: dict[tuple[str, str], list[str]] = {}
    alike = []
    for line in lines:
        beside = f" beside {theirs_text(line)}" if len({other.claim.value for other in lines}) > 1 else ""
        for entry in line.measured:
            label = f"{entry.about.label}{beside}"
            if entry.direction and line.claim.cause:
                cause = getattr(line.claim.cause, entry.direction)
                by_cause.setdefault((entry.direction, cause), []).append(label)
            elif entry.deviation and not entry.direction:
                alike.append(label)
    parts = [f"Ours lies {direction} theirs ({'; '.join(labels)}); likely since {cause}."
             for (direction, cause), labels in by_cause.items()]  # fmt: skip
    return [*parts, f"No deviation is shown of {'; '.join(alike)}."] if alike else parts


def steps_sentence(line: LedgerLine) -> str:
    """ "1.5 times needs at most 96 [93, 99] of 256 steps (captured), ..."; empty where no line says it."""
    entries = [entry for entry in line.measured if entry.about.quantity == "steps_for_value"]
    if not entries:
        return ""
    parts = [f"{measured_text(entry, '')} of {entry.about.gen_length} ({entry.about.engine})" for entry in entries]
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
