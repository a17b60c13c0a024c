"""What the description of a cell's run says on MLflow's pages, in Markdown."""

from bench.models import kinds
from bench.records import trust
from bench.records.merge import CellRecords
from bench.spec.cell import STOPS, Cell

HOW_TO_READ = (
    "A plain metric is the typical value over the rounds, with its 95 % interval in `_ci_low` and `_ci_high`; a"
    " `rounds/` metric has each round's value, a `per_prompt/` metric each prompt's. bench/records/README.md says what"
    " each means."
)


def note(entry: CellRecords, name: str) -> str:
    """What a run is, how far it came, and how to read its numbers. name: of the run, in the list of runs."""
    parts = [f"**{name}**, pair {entry.cell.pair}, kind `{entry.cell.kind}`."]
    if isinstance(entry.cell, Cell):
        parts.append(settings_words(entry.cell))
    if entry.rounds:
        parts.append(outcome_words(entry))
    return "\n\n".join([*parts, HOW_TO_READ])


def settings_words(cell: Cell) -> str:
    """ "LLaDA in 16 steps, blocks of 32, official head; 128 tokens, natural end, batch 1, 32 prompts, ..."."""
    steps = f" in {cell.steps} steps, blocks of {cell.block_length}, {cell.head} head" if cell.steps else ""
    prompts = f"{cell.prompts} prompts" + (f" of {cell.prompt_tokens} tokens" if cell.prompt_tokens else "")
    temperature = f"temperature {cell.temperature:g}" if cell.temperature else "greedy"
    how = [f"{cell.gen_length} tokens", STOPS[cell.stop], f"batch {cell.batch_size}", prompts, cell.dtype, temperature]
    return f"{kinds.label_of(cell.model)}{steps}; {', '.join([*how, f'{cell.engine} engine'])}."


def outcome_words(entry: CellRecords) -> str:
    """How many rounds it has, and what they are worth."""
    planned = max(record.rounds_planned for record in entry.rounds.values())
    decisive = entry.failed or list(entry.rounds.values())[-1]
    rounds = f"{len(entry.good_rounds)} of {planned} rounds"
    if entry.failed:
        why = f" ({decisive.message})" if decisive.message else ""
        return f"{rounds}; it ended as {decisive.outcome}{why}, and stands in no comparison."
    verdict, _ = trust.verdict(entry)
    flags = ", ".join(trust.flags(entry))
    device = str(decisive.environment.device)
    return f"{rounds} on {device}; verdict: {verdict}{f'; flags: {flags}' if flags else ''}."
