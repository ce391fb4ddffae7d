"""A progress bar on stderr, shown to people only."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deltawave.machines.program import Progress


@contextmanager
def progress_bar() -> Iterator["Progress"]:
    """A callback that moves a bar, one line for each kind of work; it does nothing unless stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        lines: dict[str, int] = {}

        def move(what: str, done: int, total: int) -> None:
            if what not in lines:
                lines[what] = bars.add_task(what)
            bars.update(lines[what], completed=done, total=total or None)  # type: ignore[arg-type]

        yield move
