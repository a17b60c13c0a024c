"""What a door says of itself: what it waits for, and nothing where it did nothing."""

import time

import pytest

from bench.runner import notices


def test_a_long_wait_is_explained_a_short_one_is_not(capsys):
    with notices.waiting_for("reading", patience_s=10.0):
        pass
    assert capsys.readouterr().err == ""
    with notices.waiting_for("reading", patience_s=0.01):
        time.sleep(0.2)
    assert capsys.readouterr().err == "reading\n"


@pytest.mark.parametrize("works_at", [None, 0, 1, 2])
def test_lines_come_with_the_first_work_and_not_without(tmp_path, works_at):
    file = tmp_path / "records.jsonl"
    file.write_text("there before\n")
    has_worked = notices.Growth(file)

    def lines():
        for number in range(3):
            if number == works_at:
                with open(file, "a") as stream:
                    stream.write("a record\n")
            yield str(number)

    assert list(notices.unless_idle(lines(), has_worked)) == ([] if works_at is None else ["0", "1", "2"])
    assert bool(has_worked) == (works_at is not None)
