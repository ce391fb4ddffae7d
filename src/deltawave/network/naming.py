"""Messages for names that are not there."""

from collections.abc import Sequence
from difflib import get_close_matches


def unknown(what: str, name: str, names: Sequence[str], kind: str) -> str:
    """ "<what>, which is not <kind> of the network; did you mean 'x'?", or all there are if none is near."""
    near = get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names) or 'none'}"
    return f"{what}, which is not {kind} of the network; {hint}"
