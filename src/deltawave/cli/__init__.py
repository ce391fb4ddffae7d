"""The command line: `deltawave COMMAND`, one module a command, each imported when it is used."""

import os

from deltawave.cli.commands import Commands, group

__all__ = ["Commands", "group", "main"]


def main() -> None:
    """The program `deltawave`."""
    # NumPy's products here are small: on busy processors more threads make them slower, up to eighty times
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    group.main(prog_name="deltawave")
