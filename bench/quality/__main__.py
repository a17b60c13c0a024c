"""How good are the texts of a study? Scores those that have no scores yet, one JSON record a line on standard output.

    python -m bench.quality STUDY ENCODER JUDGE

ENCODER: BERTScore's model, minilm or mpnet. JUDGE: smollm2, none, or a directory of a causal language model. The
scores are explained in bench/quality/text_scores.py. Nothing is put on record: `python -m bench.run ... --score-only`
does that. Scoring never runs while anything is timed, since it computes on the same machine.
"""

import json
import sys

from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.quality import models, proof, scoring
from bench.quality.models import ENCODERS
from bench.records.types import Scores


def print_record(record: Scores) -> None:
    print(json.dumps(record.to_json()), flush=True)


def main() -> int:
    parser = Parser("bench.quality", __doc__)
    parser.add_argument("study", metavar="STUDY")
    parser.add_argument("encoder", metavar="ENCODER", choices=sorted(ENCODERS))
    parser.add_argument("judge", metavar="JUDGE")
    args = parser.parse_args()
    asked = args.study, args.encoder, args.judge
    models.check(args.encoder, args.judge, contestants=set())
    todo = scoring.unscored(*asked)
    need = proof.need_of(args.encoder, args.judge, [(item.entry.cell, item.missing) for item in todo])
    if not proof.is_proven(need):
        proof.prove(need)
    scoring.score_study(*asked, tried_since_s=None, take=print_record)
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
