"""The canonical form of a model: the passes, in order, until nothing changes."""

from deltawave.network.editing import Editor
from deltawave.network.rewrites.fold import fold, fold_shapes
from deltawave.network.rewrites.identity import remove_identities

PASSES = (fold, fold_shapes, remove_identities, Editor.drop_dead)
_ROUNDS = 64  # each round that changes something removes nodes or control flow, so few are needed


def canonicalise(editor: Editor) -> None:
    """Rewrite the graph in place."""
    for _ in range(_ROUNDS):
        if not any([rewrite(editor) for rewrite in PASSES]):
            return
