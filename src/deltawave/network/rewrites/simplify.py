"""Computes and removes what can be, until nothing changes."""

from deltawave.network.editing import Editor
from deltawave.network.rewrites.fold import fold, fold_shapes
from deltawave.network.rewrites.identity import remove_identities
from deltawave.network.rewrites.inline_if import inline_ifs
from deltawave.network.rewrites.zero_state import leave_out_zero_states

PASSES = (fold, fold_shapes, inline_ifs, remove_identities, leave_out_zero_states, Editor.drop_dead)
_ROUNDS = 64  # each round that changes something removes nodes or control flow, so few are needed


def simplify(editor: Editor) -> None:
    """Run the simplifying passes to their end."""
    for _ in range(_ROUNDS):
        changes = [rewrite(editor) for rewrite in PASSES]
        if not any(changes):
            return
