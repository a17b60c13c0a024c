"""One argument parser for every door."""

from __future__ import annotations

import argparse

from bench.common.errors import BadInput


class Parser(argparse.ArgumentParser):
    """Argument errors are bad input like any other: one line."""

    def error(self, message: str) -> None:
        raise BadInput(f"{message}; see python -m bench.run --help")
