"""Messages for names that are not there."""

from collections.abc import Sequence

from deltawave.options import nearest


def unknown(what: str, name: str, names: Sequence[str], kind: str) -> str:
    """ "<what>, which is not <kind> of the network; did you mean 'x'?", or all there are if none is near."""
    return f"{what}, which is not {kind} of the network; {nearest(name, names)}"
