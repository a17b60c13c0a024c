"""Records of another machine, or a published study, into MLflow.

python -m bench.tracking replay FILE      # records of another machine (.jsonl or .jsonl.gz) into this one's MLflow
python -m bench.tracking restore STUDY    # the same with a published study (paper/recorded)
"""

import sys
from pathlib import Path

from bench.common.errors import BadInput, exit_code
from bench.store import disk


def main() -> int:
    done = {"replay": "replayed", "restore": "restored"}
    if len(sys.argv) != 3 or sys.argv[1] not in done:
        raise BadInput("usage: python -m bench.tracking replay FILE.jsonl[.gz], or restore STUDY")
    from bench.store.sink import Sink

    what, name = sys.argv[1:]
    studies = disk.replay(Path(name)) if what == "replay" else disk.replay(disk.published(name), name)
    tracked = True
    for study in studies:
        tracked &= Sink(study).track()
        print(f"{done[what]} into study {study}: {len(disk.by_cell(study))} cells")
    return 0 if tracked else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
