"""The directive `generated`: a table made from the code when the manual is built, so it cannot be out of date.

```{generated} parameters edgedrnn-minized
```
"""

import tables
from sphinx.util.docutils import SphinxDirective


class Generated(SphinxDirective):
    """Its arguments are the name of a function in `tables`, which gives Markdown, and what it takes."""

    required_arguments = 1
    optional_arguments = 3

    def run(self):
        name, *arguments = self.arguments
        return self.parse_text_to_nodes(getattr(tables, name)(*arguments))


def setup(app):
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True}
