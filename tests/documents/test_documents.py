"""Every example of README.md, docs/ and examples/ runs and prints what the document shows.

    DELTAWAVE_REFRESH=1 pytest tests/documents

writes what the examples print into the documents, and the pictures they draw into docs/images; look at the difference.
"""

import os
import shutil
from pathlib import Path

import matplotlib
import pytest
from sybil.example import SybilFailure

from documents.examples import PRINTED, parse, refreshed

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]
REFRESH = "DELTAWAVE_REFRESH" in os.environ


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_print_what_is_shown(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("examples", "tests"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setitem(matplotlib.rcParams, "svg.hashsalt", "the same picture, the same file")
    document = parse(path)
    failures = []
    for example in document.examples():
        try:
            example.evaluate()
        except SybilFailure as failure:
            failures.append(str(failure))
    if document.namespace.get(PRINTED):
        failures.append(f"what the last example prints is not shown:\n{document.namespace[PRINTED]}")
    if REFRESH:
        path.write_text(refreshed(document))
        for picture in tmp_path.glob("*.svg"):
            shutil.copy(picture, ROOT / "docs/images")
    assert not failures, "\n".join(failures)
