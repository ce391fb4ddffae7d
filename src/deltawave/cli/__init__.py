"""The command line: `deltawave COMMAND`, one module a command, each imported when it is used."""

from deltawave.cli.commands import Commands, group

__all__ = ["Commands", "group", "main"]


def main() -> None:
    """The program `deltawave`."""
    group.main(prog_name="deltawave")
