"""Records of one study by cell: what counts where a round was measured twice, and which ceilings belong to a cell."""

from dataclasses import dataclass, field

from bench.common.dtypes import float_dtype_of


@dataclass
class CellRecords:
    """What is known of one cell: its configuration, its rounds by number, its scores by scorer, its device's ceilings.

    Texts that no cell generated (the human references) and likelihoods have scores and no rounds.
    """

    cell: dict
    rounds: dict[int, dict] = field(default_factory=dict)
    scores: dict[str, dict] = field(default_factory=dict)
    ceilings: dict | None = None

    @property
    def failed(self) -> dict | None:
        """The first round that did not end well, or None."""
        return next((r for r in self.rounds.values() if r["outcome"] != "ok"), None)


def group(found_records: list[dict]) -> dict[str, CellRecords]:
    """Records by cell id. Of two records of the same round the first counts, unless it failed or the later one was
    asked for in its place: `again` is when that began. Scores of a text that is not the same any more are dropped.
    """
    found: dict[str, CellRecords] = {}
    for record in found_records:
        if record["record"] == "round":
            entry = found.setdefault(record["cell_id"], CellRecords(record["cell"]))
            before = entry.rounds.get(record["round"])
            if before is None or before["outcome"] != "ok" or record.get("again") == before.get("started", ""):
                entry.rounds[record["round"]] = record
                if before is not None and before.get("sequences") != record.get("sequences"):
                    entry.scores.clear()
        elif record["record"] == "beside":
            rounds = found[record["cell_id"]].rounds if record["cell_id"] in found else {}
            of = rounds.get(record["round"], {})
            if of.get("started") == record["started"]:
                rounds[record["round"]] = of | {name: record[name] for name in ("energy", "busy") if name in record}
        elif record["record"] == "scores" and (
            record["cell_id"] in found or "cell" in record
        ):  # a set of texts that nothing here generated has scores only
            entry = found.get(record["cell_id"]) or found.setdefault(record["cell_id"], CellRecords(record["cell"]))
            entry.scores.pop(record["scorer"], None)
            entry.scores[record["scorer"]] = record  # the last scored comes last
    for record in found_records:
        if record["record"] == "ceilings":
            for entry in found.values():
                if is_of(record, entry):
                    entry.ceilings = record  # the last measured counts
    return found


def is_of(ceilings: dict, entry: CellRecords) -> bool:
    """Whether ceilings were measured where all rounds of a cell ran: same device, pair, precision and CPU threads."""
    cell = entry.cell
    if not entry.rounds:  # texts that no cell generated
        return False
    if (ceilings["pair"], ceilings["dtype"]) != (cell["pair"], float_dtype_of(cell["dtype"])):
        return False
    places = [record["environment"] for record in entry.rounds.values()]
    same = all(place.get("device") == ceilings["device"] for place in places)
    return same and (cell["device"] != "cpu" or all(p.get("threads") == ceilings["threads"] for p in places))
