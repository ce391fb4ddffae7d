"""Files a command writes, whole or not at all, and what it prints."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from deltawave.errors import OptionError
from deltawave.files import json_text


@contextmanager
def replacing(path: str) -> Iterator[Path]:
    """A file beside `path` to write to; it takes the place of `path` if all goes well, else it is removed."""
    target = Path(path)
    if not target.parent.is_dir():
        raise OptionError(f"{path}: the folder {target.parent} does not exist")
    if target.is_dir():
        raise OptionError(f"{path} is a folder; give the name of a file")
    if target.exists() and not target.is_file():
        raise OptionError(f"{path} is not a plain file, so nothing may take its place; give another name")
    beside = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        yield beside
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def write_json(value: Any, path: str) -> None:
    """JSON into a file, or to stdout for `-`."""
    if path == "-":
        click.echo(json_text(value))
        return
    with replacing(path) as file:
        file.write_text(json_text(value) + "\n")


def terminal_width(least: int = 100, most: int = 160) -> int:
    """Columns of the terminal; of a file, a pipe or nothing, `most`."""
    if sys.stdout is None or not sys.stdout.isatty():
        return most
    return min(max(os.get_terminal_size().columns, least), most)
