"""The canonical form of a model: the passes, in order, until nothing changes."""

from collections.abc import Mapping

from deltawave.network.editing import Editor
from deltawave.network.rewrites.cells import recognise_cells
from deltawave.network.rewrites.fold import fold, fold_shapes
from deltawave.network.rewrites.identity import remove_identities
from deltawave.network.rewrites.inline_if import inline_ifs

SIMPLIFY = (fold, fold_shapes, inline_ifs, remove_identities, Editor.drop_dead)
_ROUNDS = 64  # each round that changes something removes nodes or control flow, so few are needed


def canonicalise(editor: Editor, declared: Mapping[str, str]) -> None:
    """Rewrite the graph in place. `declared`: state inputs and their outputs."""
    simplify(editor)
    if recognise_cells(editor, declared):
        simplify(editor)


def simplify(editor: Editor) -> None:
    """Compute and remove what can be, until nothing changes."""
    for _ in range(_ROUNDS):
        changes = [rewrite(editor) for rewrite in SIMPLIFY]
        if not any(changes):
            return
