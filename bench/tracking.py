"""Records of another machine, or of a published study, into this machine's MLflow.

    python -m bench.tracking replay FILE      # records of another machine (.jsonl or .jsonl.gz)
    python -m bench.tracking restore STUDY    # a published study (paper/recorded)

A record is one line of JSON: everything that was measured of one cell in one round. Metrics in MLflow are computed from
records, so a study that was measured on a bare GPU machine looks here as if it had been measured here.
"""

import shlex
import sys
from pathlib import Path

from bench.common import paths
from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.common.plural import counted
from bench.runner import notices
from bench.store import disk
from bench.store.refusal import in_short
from bench.store.sink import Sink

DONE = {"replay": "replayed", "restore": "restored"}


def main() -> int:
    parser = Parser("bench.tracking", __doc__)
    parser.add_argument("what", choices=sorted(DONE))
    parser.add_argument("name", metavar="NAME", help="of replay: a file of records; of restore: a published study")
    args = parser.parse_args()
    before = {file: file.stat().st_size for file in paths.ROOT.glob("*.jsonl")}
    with notices.waiting_for(f"reading {args.name}"):
        studies = disk.replay(Path(args.name)) if args.what == "replay" else disk.restore(args.name)
    is_tracked = True
    for study in studies:
        cells = counted(len(disk.by_cell(study)), "cell")
        with notices.waiting_for(f"bringing MLflow up to {cells} of study {study}; a large study takes some minutes"):
            is_tracked &= track(study)
        file = disk.path(study)
        if before.get(file) == file.stat().st_size:
            print(f"study {study}: nothing to do, everything is here already ({cells})")
        else:
            print(f"{DONE[args.what]} into study {study}: {cells}; make paper STUDY={shlex.quote(study)} shows them")
    return 0 if is_tracked else 1


def track(study: str) -> bool:
    """Bring MLflow up to a study's records, and the verdicts into its description; whether MLflow took everything."""
    if not Sink(study).track():
        return False
    from bench.analysis import study as tracked_study
    from bench.analysis.findings import findings_of
    from bench.render import description
    from bench.store import mirror

    try:
        mirror.describe(study, description.verdicts(findings_of(tracked_study.read(study))))
    except Exception as error:  # the file of its pair is not here, say: the runs are there all the same
        print(f"study {study} is tracked, without verdicts in its description: {in_short(error)}", file=sys.stderr)
    return True


if __name__ == "__main__":
    sys.exit(exit_code(main))
