"""Numbers and tables as people like to read them."""

import io
import math
from collections.abc import Collection, Iterable

from rich.console import Console, RenderableType
from rich.table import Table

PREFIXES = {-12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}

LONGEST_NAME = 45
DOTS = "..."
MOST_NAMES = 3  # more layers than that are counted, not named


def quantity(value: float, unit: str) -> str:
    """A value with a unit, four digits, with the prefix that keeps it between 1 and 1000: `12.34 us`."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}".rstrip()
    rounded = float(f"{value:.4g}")
    power = min(max(3 * math.floor(math.log10(abs(rounded)) / 3), -12), 12)
    return f"{digits(rounded / 10.0**power)} {PREFIXES[power]}{unit}".rstrip()


def digits(value: float) -> str:
    """Four significant digits, trailing zeros kept, never in exponent form from 0.001 up."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = max(3 - math.floor(math.log10(abs(value))), 0)
    return f"{value:,.{places}f}" if places <= 6 else f"{value:.3g}"


def plain(value: float) -> str:
    """A whole number with separators, any other with four digits."""
    return f"{value:,.0f}" if math.isfinite(value) and value == int(value) else digits(value)


def percent(share: float) -> str:
    """A share from 0 to 1 in percent. Only all is 100.0 %, and only nothing 0.0 %."""
    text = f"{100 * share:.1f} %"
    if text == "100.0 %" and share < 1:
        return "> 99.9 %"
    return "< 0.1 %" if text == "0.0 %" and share > 0 else text


def whole(value: float) -> str:
    """A whole number with separators."""
    return f"{value:,.0f}"


def shortened(name: str) -> str:
    """A name, of one that an exporter joined from many only the begin and the end."""
    half = (LONGEST_NAME - len(DOTS)) // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}{DOTS}{name[-half:]}"


def named(names: Collection[str]) -> str:
    """Layers in words: `lstm_1, lstm_2`, or how many there are."""
    return ", ".join(map(shortened, names)) if len(names) <= MOST_NAMES else f"{len(names)} layers"


def table(*headings: str, texts: Collection[int] = (0,)) -> Table:
    """An empty table. The columns at the positions `texts` are texts, which may fold; the others are numbers."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for position, heading in enumerate(headings):
        if position in texts:
            grid.add_column(heading, overflow="fold")
        else:
            grid.add_column(heading, justify="right", no_wrap=True)
    return grid


def listed(title: str, mark: str, items: Iterable[str]) -> Table:
    """Texts below a title, each after a mark, in which {} is its number; their further lines are indented."""
    grid = Table(
        title=title, title_justify="left", box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0)
    )
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for number, item in enumerate(items, 1):
        grid.add_row(mark.format(number), item)
    return grid


def rendered(*parts: RenderableType, width: int) -> str:
    """Renderables as plain text, a blank line between them."""
    console = Console(
        file=io.StringIO(), width=width, color_system=None, force_terminal=False, legacy_windows=False
    )
    with console.capture() as capture:
        for number, part in enumerate(parts):
            console.print(
                *(["", part] if number else [part]), sep="\n", highlight=False, markup=False, soft_wrap=False
            )
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
