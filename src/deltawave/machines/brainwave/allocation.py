"""Places in a memory for names that are needed at different times.

What stays comes first, in the order of first use. Then what is freed: in the order of first use, or the largest first,
or so with every other one from above, whichever needs least.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(eq=False)
class Need:
    """How many entries a name needs, from its first use to the chain that frees it (counted over both sections)."""

    entries: int
    first: int
    last: int | None = None

    def overlaps(self, other: "Need") -> bool:
        """Whether both are needed at the same time. What is never freed is needed from the start."""
        if self.last is None or other.last is None:
            return True
        return self.first <= other.last and other.first <= self.last


def lay_out(needs: Mapping[str, Need]) -> dict[str, int]:
    """The first entry of each name; two that are needed at the same time share none."""
    stays = [name for name in needs if needs[name].last is None]
    in_time = [name for name in needs if needs[name].last is not None]
    by_size = sorted(in_time, key=lambda name: -needs[name].entries)
    layouts = (
        _placed(needs, [*stays, *in_time]),
        _placed(needs, [*stays, *by_size]),
        _placed(needs, [*stays, *by_size], from_above=set(in_time[1::2]), most=_most_at_once(needs)),
    )
    return min(layouts, key=lambda layout: max(index + needs[name].entries for name, index in layout.items()))


def _most_at_once(needs: Mapping[str, Need]) -> int:
    """The most entries that are needed at the same time: no layout needs less."""
    return max(
        sum(
            other.entries
            for other in needs.values()
            if other.last is None or other.first <= need.first <= other.last
        )
        for need in needs.values()
    )


def _placed(
    needs: Mapping[str, Need], order: Iterable[str], *, from_above: Collection[str] = (), most: int = 0
) -> dict[str, int]:
    """The index of each name, in that order: the lowest where nothing that was placed before is in the meantime.

    from_above: those for which the highest below `most` is tried first.
    """
    indices: dict[str, int] = {}
    for name in order:
        others = sorted(
            (index, needs[other].entries)
            for other, index in indices.items()
            if needs[name].overlaps(needs[other])
        )
        highest = _highest_index(needs[name].entries, others, most) if name in from_above else None
        indices[name] = _lowest_index(needs[name].entries, others) if highest is None else highest
    return indices


def _lowest_index(entries: int, others: Iterable[tuple[int, int]]) -> int:
    """The first gap between others, (index, entries) in order, that is large enough."""
    index = 0
    for start, size in others:
        if start - index >= entries:
            return index
        index = max(index, start + size)
    return index


def _highest_index(entries: int, others: Sequence[tuple[int, int]], most: int) -> int | None:
    """The last such gap below `most`, its upper end; None if there is none."""
    end = most
    for start, size in sorted(others, key=lambda one: -sum(one)):
        if end - (start + size) >= entries:
            return end - entries
        end = min(end, start)
    return end - entries if end >= entries else None
