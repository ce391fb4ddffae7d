"""Built files, kept for each user by what they were built from: $XDG_CACHE_HOME/deltawave/rtl.

Several processes may build the same file at once: each builds its own and renames it into place. The files used
longest ago go when there are too many.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from deltawave.errors import ToolError

MOST_BYTES = 1 << 30


def cached(suffix: str, sources: tuple[str, ...], build: Callable[[Path], Path]) -> Path:
    """The file built from these sources. build: makes it in the folder it is given. Raises ToolError if the cache
    cannot be written.
    """
    folder = cache_folder()
    key = hashlib.sha256("\0".join(sources).encode()).hexdigest()[:32]
    place = folder / (key + suffix)
    if place.exists():
        os.utime(place)
        return place
    with tempfile.TemporaryDirectory(dir=folder, prefix="build-") as temporary:
        os.replace(build(Path(temporary)), place)
    _forget_oldest(folder)
    return place


def cache_folder() -> Path:
    """Where built files are kept; made if need be."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deltawave" / "rtl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolError(
            f"the cache {folder} cannot be made: {error.strerror}; set XDG_CACHE_HOME to a folder that can be written"
        ) from error
    return folder


def _forget_oldest(folder: Path) -> None:
    files = [(file, file.stat()) for file in folder.iterdir() if file.is_file()]
    left = sum(status.st_size for _, status in files)
    for file, status in sorted(files, key=lambda pair: pair[1].st_mtime):
        if left <= MOST_BYTES:
            return
        file.unlink(missing_ok=True)
        left -= status.st_size
