"""The commands by name, and what becomes of errors: one line on stderr and exit code 2."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from deltawave.errors import DeltawaveError
from deltawave.options import nearest

FAILURE, INTERRUPTED = 2, 130
NAMES = (
    "machines",
    "inspect",
    "compile",
    "list",
    "run",
    "compare",
    "sweep",
    "search",
    "scale",
    "rtl",
    "claims",
)


class Commands(click.Group):
    """The group of all commands. `deltawave.cli.command_NAME` holds each as `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are used."""
        return list(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in NAMES:
            ctx.fail(f"no command {cmd_name!r}; {nearest(cmd_name, NAMES)}")
        command: click.Command = import_module(f"deltawave.cli.command_{cmd_name}").command
        return command

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit: 0, or 2 after one line that says what is wrong, or 130 if interrupted."""
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            code = FAILURE
        except (DeltawaveError, click.ClickException, MemoryError, OSError) as error:
            click.echo(f"error: {message(error)}", err=True)
            code = FAILURE
        except (KeyboardInterrupt, click.Abort):
            click.echo("error: interrupted", err=True)
            code = INTERRUPTED
        sys.exit(code if isinstance(code, int) else 0)


def message(error: Exception) -> str:
    """One line for an error."""
    if isinstance(error, MemoryError):
        return "not enough memory for this network and data; run fewer streams at a time"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {str(error.strerror).lower()}"
    text = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return " ".join(text.split())


@click.group(
    name="deltawave",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="deltawave", message="deltawave %(version)s")
def group() -> None:
    """Run a network on a published accelerator: exact outputs, cycles, energy and area from one run."""
