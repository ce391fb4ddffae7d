"""Leaves out initial states that are zero: a recurrent node starts from zero anyway."""

from deltawave.network.editing import Editor

_INITIAL = {"LSTM": (5, 6), "GRU": (5,), "RNN": (5,)}


def leave_out_zero_states(editor: Editor) -> bool:
    """Constant initial states of zero become absent."""
    changed = False
    for node in editor.nodes:
        for position in _INITIAL.get(node.op_type, ()):
            value = editor.constant(node.input[position]) if position < len(node.input) else None
            if value is not None and not value.any():
                node.input[position] = ""
                changed = True
    return changed
