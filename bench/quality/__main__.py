"""Scores the generations of a study when nothing is being timed: one JSON record a line on standard output.

python -m bench.quality STUDY ENCODER JUDGE
"""

import json
import sys

from tqdm import tqdm

from bench.common.errors import BadInput, exit_code
from bench.quality import models, scoring
from bench.quality.scoring import Scorers
from bench.records.types import Scores


def main() -> int:
    if len(sys.argv) != 4:
        raise BadInput("usage: python -m bench.quality STUDY ENCODER JUDGE")
    study, encoder, judge = sys.argv[1:]
    todo = scoring.unscored(study, encoder, judge)
    names = {name for item in todo for name in item.missing}
    from transformers.utils import logging

    logging.disable_progress_bar()
    bert = models.BertScore(encoder) if f"bertscore-{encoder}" in names else None
    loaded = Scorers(bert, models.Judge(judge) if f"judge-{judge}" in names else None, encoder)
    total = sum(len(item.missing) * item.entry.cell.prompts for item in todo)
    bar = tqdm(total=total, desc="scoring", unit="text", mininterval=1)
    for item in todo:
        for name in item.missing:
            record = Scores(study, item.cell_id, cell=item.entry.cell, **loaded.score(name, item, bar))
            print(json.dumps(record.to_json()), flush=True)
    bar.close()
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
