"""The tables of docs/rtl_resources.md: each synthesis compares its row with the one there.

    DELTAWAVE_REFRESH=1 pytest -m slow -p no:randomly tests/rtl/test_resources.py

writes the rows instead; look at the difference. Full-size cores take tens of minutes once; the cache
keeps them.
"""

import os
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "rtl_resources.md"
REFRESH = "DELTAWAVE_REFRESH" in os.environ


def check_row(section: str, key: tuple[str, ...], *cells: str) -> None:
    """The documented row of a section's table is what was measured. key: the first cells, which no other row has."""
    start, row = _line(key), _line((*key, *cells))
    lines = PAGE.read_text().splitlines()
    table = _table(lines, section)
    places = [place for place in table if lines[place].startswith(start)]
    if not REFRESH:
        assert [lines[place] for place in places] == [row]
        return
    if places:
        lines[places[0]] = row
    else:
        lines.insert(table.stop, row)
    PAGE.write_text("\n".join(lines) + "\n")


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(lines: list[str], section: str) -> range:
    """The lines of a section's table: the first lines below its heading that begin with |."""
    begin = next(n for n in range(lines.index(f"## {section}"), len(lines)) if lines[n].startswith("|"))
    end = next((n for n in range(begin, len(lines)) if not lines[n].startswith("|")), len(lines))
    return range(begin, end)
