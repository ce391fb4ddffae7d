"""Programs of others: running them, and what they say when they fail."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from deltawave.errors import ToolError

SHOWN_LINES = 12


def require(package: str, extra: str, work: str) -> Path:
    """Where an optional package is. Raises ToolError, naming the extra that has it, if it is not installed."""
    spec = find_spec(package)
    if spec is None or not spec.origin:
        raise ToolError(f"{work} needs the package {package}; pip install 'deltawave[{extra}]'")
    return Path(spec.origin).parent


def run_tool(
    what: str, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None
) -> str:
    """Run a program in a folder and return what it prints.

    what: the work, as the error names it. Raises ToolError with the first lines of its complaint if it fails or is not
    there.
    """
    try:
        ran = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise ToolError(f"{what} failed: {command[0]} cannot be run: {error.strerror}") from error
    if ran.returncode:
        complaint = (ran.stderr.strip() or ran.stdout.strip() or "it said nothing").splitlines()[:SHOWN_LINES]
        raise ToolError(
            f"{what} failed: {Path(command[0]).name} ended with {ran.returncode}:\n" + "\n".join(complaint)
        )
    return ran.stdout
