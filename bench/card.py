"""The model card of the pocket pair: bench/pocket/README.md anew, from the facts in bench/pocket/card.json.

    python -m bench.card

`make pair` trains the pair and writes both files. This writes the text alone, after a change of its wording
(bench/training/model_card.py).
"""

import json
import sys
from pathlib import Path

from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.training import model_card

FOLDER = Path("bench/pocket")


def main() -> int:
    Parser("bench.card", __doc__).parse_args()
    facts = json.loads((FOLDER / "card.json").read_text())
    (FOLDER / "README.md").write_text(model_card.text(facts))
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
