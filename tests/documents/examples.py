"""The examples of a Markdown document, executed: what it shows is what they print.

`console` blocks: lines that begin with `$ ` are commands, the lines below each are what it prints. Of a command the
parts (between `&&`) that call `deltawave` are run, here in this process; the others set things up and are only shown.
`python` blocks run one after the other in the document's namespace; a `text` block right after one is what it printed.
A line of three dots stands for any number of lines.
"""

import io
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

from click.testing import CliRunner
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser

from deltawave.cli import group

DOTS = "..."
PRINTED = "__printed__"
SHOULD_BE = "__should_be__"
"""In a document's namespace: what is not shown yet, and (start, end, text) of the blocks that should be otherwise."""


def run_console(example: Example) -> str | None:
    """Run the commands of a block; says what they print if it is not what is shown."""
    commands = [
        _command_and_output(part) for part in re.split(r"^(?=\$ )", example.parsed, flags=re.M) if part
    ]
    shell = Shell()
    printed = [(command, shown, "".join(shell.printed_by(command))) for command, shown in commands]
    return _compared(example, "".join(command + _shown_again(*texts) for command, *texts in printed))


def run_python(example: Example) -> str | None:
    """Run a block in the document's namespace and keep what it prints for the next one."""
    if example.namespace.get(PRINTED):
        return f"a block printed what no text block shows:\n{example.namespace[PRINTED]}"
    with redirect_stdout(io.StringIO()) as out:
        code = compile("\n" * example.line + example.parsed, example.path, "exec")
        exec(code, example.namespace)
    example.namespace[PRINTED] = out.getvalue()
    return None


def compare_text(example: Example) -> str | None:
    """Compare a text block with what the python block before it printed."""
    if PRINTED not in example.namespace:
        return "no python block comes before this text; leave out the word text if it is not printed"
    return _compared(example, _shown_again(example.parsed, example.namespace.pop(PRINTED)))


def parse(path: Path) -> Document:
    """A document with its examples."""
    evaluators = {"console": run_console, "python": run_python, "text": compare_text}
    return Document.parse(str(path), *(CodeBlockParser(*language) for language in evaluators.items()))


def refreshed(document: Document) -> str:
    """The document's text with what its examples printed when they were evaluated."""
    text = document.text
    for start, end, block in reversed(document.namespace.get(SHOULD_BE, [])):
        text = text[:start] + block + text[end:]
    return text


class Shell:
    """Runs the parts of a command line that call deltawave, and `echo $?` after one of them."""

    def __init__(self) -> None:
        self._code = 0

    def printed_by(self, command: str) -> Iterator[str]:
        """What each part prints."""
        words = shlex.split(command.removeprefix("$ ").replace("\\\n", " "))
        for part in "\0".join(words).split("\0&&\0"):
            program, *arguments = part.split("\0")
            if [program, *arguments] == ["echo", "$?"]:
                yield f"{self._code}\n"
            if Path(program).name == "deltawave":
                yield self._run(arguments)

    def _run(self, arguments: list[str]) -> str:
        result = CliRunner().invoke(group, arguments)
        assert isinstance(result.exception, SystemExit | None), result.exception
        self._code = result.exit_code
        return result.output


def _command_and_output(text: str) -> tuple[str, str]:
    """A command may go on after a backslash."""
    match = re.match(r"(?:[^\n]*\\\n)*[^\n]*\n", text)
    assert match is not None, f"not a command: {text}"
    assert text.startswith("$ "), f"not a command: {text}"
    return match.group(), text[match.end() :]


def _shown_again(shown: str, printed: str) -> str:
    """What should be shown: as before if that is right, else what was printed, with the dots where they were."""
    lines = [line.rstrip() for line in printed.splitlines()]
    wanted = shown.splitlines()
    assert set(wanted) != {DOTS}, "dots alone show nothing"
    pattern = "".join("(?:.*\n)*" if line == DOTS else re.escape(line) + "\n" for line in wanted)
    if re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)):
        return shown
    if wanted.count(DOTS) == 1:
        first, last = wanted.index(DOTS), len(wanted) - 1 - wanted.index(DOTS)
        lines[first : len(lines) - last] = [DOTS]
    return "".join(f"{line}\n" for line in lines)


def _compared(example: Example, should_be: str) -> str | None:
    if should_be == example.parsed:
        return None
    start = example.start + example.parsed.offset
    block = (start, start + len(example.parsed), should_be)
    example.namespace.setdefault(SHOULD_BE, []).append(block)
    return f"should be\n{should_be}"
