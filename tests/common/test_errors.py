"""What ends a command: one line and its status."""

import errno

import pytest

from bench.common.errors import BadInput, exit_code


def ends_with(error: BaseException) -> int:
    def main() -> int:
        raise error

    return exit_code(main)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (BadInput("STEPS=0: expected 1 or more"), 2, "error: STEPS=0: expected 1 or more"),
        (
            OSError(errno.ENOSPC, "No space left on device", "work/cells.json"),
            2,
            "error: work/cells.json: No space left",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "error: x: Permission denied; what was measured"),
        (KeyboardInterrupt(), 130, "stopped; what was measured is kept"),
    ],
)
def test_an_end_is_one_line_and_a_status(error, status, said, capsys):
    assert ends_with(error) == status
    line = capsys.readouterr().err
    assert line.startswith(said)
    assert line.count("\n") == 1


def test_a_fault_of_ours_keeps_its_traceback():
    for error in (FileNotFoundError(errno.ENOENT, "gone"), ValueError("shapes")):
        with pytest.raises(type(error)):
            ends_with(error)
