"""Records of a time when a cell's name said less: they are never taken for done, and never lost.

In its first version the name of a cell (`cell_id`) left out most bytes of large weights files, some files of a
tokenizer, and the token ids of the prompts. So such a record may be of another model, or of other prompts, than a cell
of today that is otherwise the same, and nothing tells. A door that meets one stops before it measures. The records
stay, and every door that only reports goes on reading them. Where nothing was left out that could differ (weights under
64 MiB, and the prompts of bench/spec/recorded_prompt_ids.json) today's names are the same, and such studies go on.
"""

from collections.abc import Iterable

from bench.common.errors import BadInput
from bench.records.merge import CellRecords
from bench.records.settings import Likelihood, Settings
from bench.spec.cell import Cell


def check(
    study: str,
    wanted: Iterable[Cell | Likelihood],
    on_record: dict[str, CellRecords],
    former_revision: str | None = None,
) -> None:
    """Raise BadInput where a study holds records of the first version that may or may not be of what is wanted.

    on_record: the study's records by cell id. former_revision: of a likelihood's model; cells state their own.
    """
    of_first_version = [entry.cell for entry in on_record.values() if is_of_first_version(entry.cell)]
    for settings in wanted:
        former = former_revision or getattr(settings, "former_revision", None)
        for recorded in of_first_version:
            if left_out := what_was_left_out(recorded, settings, former):
                raise BadInput(
                    f"study {study} was recorded when the identity of a cell left out {left_out}: its records"
                    f" may not be of what you ask for. They stay and can be reported; give STUDY={study}-2 to measure"
                )


def is_of_first_version(recorded: Settings) -> bool:
    """Whether a record is of a model and its name is of the first version."""
    return isinstance(recorded, Cell | Likelihood) and recorded.identity_version is None


def what_was_left_out(recorded: Cell | Likelihood, wanted: Cell | Likelihood, former_revision: str | None) -> str:
    """Why a record of the first version cannot be told from a record of what is wanted; empty where it can.

    former_revision: what the first version called the model and tokenizer; None where that is their name today.
    """
    if (recorded.pair, recorded.model) != (wanted.pair, wanted.model):
        return ""
    if former_revision not in (None, wanted.revision) and recorded.revision == former_revision:
        return "most bytes of the weights, or a file of the tokenizer"
    if isinstance(recorded, Cell) and isinstance(wanted, Cell) and has_unstated_ids(recorded, wanted):
        return "the token ids of the prompts"
    return ""


def has_unstated_ids(recorded: Cell, wanted: Cell) -> bool:
    """Whether a record of the first version has the texts of a wanted cell's prompts, and perhaps other token ids."""
    return (
        wanted.prompt_ids is not None
        and recorded.prompt_tokens is None
        and (recorded.revision, recorded.prompt_hash) == (wanted.revision, wanted.prompt_hash)
    )
