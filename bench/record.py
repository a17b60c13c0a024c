"""Publish a study of this machine, so that others can restore it: paper/recorded/STUDY.jsonl.gz.

    python -m bench.record STUDY

The records are packed without the texts of others and without paths of this machine. Before anything is written they
are restored into an empty store, in a folder that is removed afterwards, and every number of the report (results.json)
must be there what it is here. A published study is replaced by the same study when it has grown, and by no other.
"""

import shlex
import sys
from pathlib import Path

from bench.common.cli import Parser
from bench.common.errors import BadInput, exit_code
from bench.runner import notices
from bench.store import published
from bench.store.published import Publication

MOST_SHOWN = 5  # differences that are printed; the number of all is said


def main() -> int:
    parser = Parser("bench.record", __doc__)
    parser.add_argument("study", metavar="STUDY", help="the name of a study that was measured here")
    args = parser.parse_args()
    with notices.waiting_for(f"reading study {args.study}"):
        publication = published.prepare(args.study)
    if not publication.is_new:
        print(f"study {args.study}: nothing to do, {publication.file} has all of its {publication.before} records")
        return 0
    print(f"study {args.study}: {len(publication.records)} records; {words_of(publication)}")
    count = count_of_equal_numbers(publication)
    print(f"restored into an empty store: all {count} numbers of results.json are equal to those here")
    packed_bytes = published.write(publication)
    grown = f", which had {publication.before} of these records" if publication.before else ""
    print(
        f"published: {publication.file}{grown} ({packed_bytes:,} bytes, {len(publication.lines()):,} unpacked);"
        f" make restore STUDY={shlex.quote(args.study)} brings it back"
    )
    return 0


def words_of(publication: Publication) -> str:
    """What was taken out of the records, in words."""
    if not publication.stripped:
        return "no text of others and no path of this machine in them, so nothing is stripped"
    return "stripped: " + "; ".join(f"{what}: {count}" for what, count in sorted(publication.stripped.items()))


def count_of_equal_numbers(publication: Publication) -> int:
    """How many numbers the study has, here and restored. Raises BadInput where they differ: nothing is written then."""
    from bench.checks import restored

    study = publication.study
    with notices.waiting_for(f"computing the numbers of study {study} here"):
        ours = restored.numbers_of(study, Path.cwd())
    with notices.waiting_for(f"restoring study {study} into an empty store; a large study takes some minutes"):
        theirs = restored.numbers_when_restored(study, publication.packed())
    lines = restored.differences(ours, theirs)
    for line in lines[:MOST_SHOWN]:
        print(line, file=sys.stderr)
    if lines:
        raise BadInput(
            f"nothing is published: {len(lines)} of {len(ours | theirs)} numbers of study {study} are not the same"
            f" where it is restored (the first {min(MOST_SHOWN, len(lines))} are above)"
        )
    return len(ours)


if __name__ == "__main__":
    sys.exit(exit_code(main))
