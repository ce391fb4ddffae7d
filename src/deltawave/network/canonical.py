"""The canonical form of a model: constants computed, conditions taken, products with their bias, cells as nodes."""

from collections.abc import Mapping

from deltawave.network.editing import Editor
from deltawave.network.rewrites.bias import fold_lines
from deltawave.network.rewrites.cells import recognise_cells
from deltawave.network.rewrites.qlinear import spell_out_quantised
from deltawave.network.rewrites.scan import recognise_scans
from deltawave.network.rewrites.simplify import simplify


def canonicalise(editor: Editor, declared: Mapping[str, str]) -> None:
    """Rewrite the graph in place. `declared`: state inputs and their outputs."""
    simplify(editor)
    # cells first: they read products and sums however these are spread
    changes = [
        recognise_scans(editor),
        recognise_cells(editor, declared),
        spell_out_quantised(editor),
        fold_lines(editor),
    ]
    if any(changes):
        simplify(editor)
