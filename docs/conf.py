"""The manual. Built with: sphinx-build -W docs docs/_build"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Deltawave"
copyright = "The Deltawave authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "generated"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Deltawave"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
python_use_unqualified_type_names = True


def plain_text(app, what, name, obj, options, lines):
    """Docstrings are plain text: a star is a star, an indented paragraph is code, further lines may be indented."""
    paragraphs = "\n".join(lines).strip("\n").split("\n\n")
    lines[:] = "\n\n".join(map(as_restructured_text, paragraphs)).split("\n")


def as_restructured_text(paragraph):
    """One paragraph of a docstring."""
    if paragraph.startswith(" "):
        return "::\n\n" + paragraph
    return re.sub(r"\n +", "\n", re.sub(r"([*|])", r"\\\1", paragraph))


def short_types(app, what, name, obj, options, signature, returns):
    """NumPy's type aliases by their names: Python has resolved them."""
    return tuple(text and _with_aliases(text) for text in (signature, returns))


def _with_aliases(text):
    text = re.sub(
        r"[~\w.]*_Buffer \| .*? \| [~\w.]*_NestedSequence\[complex \| bytes \| str\]", "ArrayLike", text
    )
    return re.sub(
        r"~?(?:numpy\.)?ndarray\[tuple\[.*?\], ~?(?:numpy\.)?dtype\[([^\]]*)\]\]", r"NDArray[\1]", text
    )


def setup(app):
    app.connect("autodoc-process-signature", short_types)
    app.connect("autodoc-process-docstring", plain_text)
