"""A program as text, and the text as a program again.

One instruction or window a line; blank lines, indentation and everything after a `#` do not matter. What a window
leaves out has its default:

    vectors_per_step 5
    window native=64 height=28 width=28 channels=128 kernel_height=3 kernel_width=3 rows=26 columns=26
    preamble
      s_wr rows 5
      ...
    body
      v_rd NetQ
      v_wr InitialVrf 0
      end_chain
"""

from collections.abc import Iterator
from dataclasses import MISSING, fields

from deltawave.errors import OptionError, ProgramError
from deltawave.machines.brainwave.isa import (
    COUNTS,
    OPERAND,
    PER_MFU,
    SECTIONS,
    BwProgram,
    Instruction,
    Memory,
    Opcode,
    Register,
    Window,
)

OPCODES = {opcode.value: opcode for opcode in Opcode}
MEMORIES = {memory.value: memory for memory in Memory}
REGISTERS = {register.value: register for register in Register}
WINDOW_FIELDS = {field.name: field.default for field in fields(Window)}


def listing(program: BwProgram) -> str:
    """The program as text; `parse` is the inverse."""
    counts = [f"{name} {getattr(program, name)}" for name in COUNTS if getattr(program, name)]
    lines = [[section, *(f"  {i}" for i in program.section(section))] for section in SECTIONS]
    return "\n".join([*counts, *map(str, program.windows), *lines[0], *lines[1]]) + "\n"


def parse(text: str) -> BwProgram:
    """The program of a listing, not yet checked. Raises ProgramError, naming the line."""
    counts: dict[str, int] = {}
    windows: list[Window] = []
    sections: dict[str, list[Instruction]] = {}
    for number, words in _lines(text):
        try:
            _parse_line(words, counts, windows, sections)
        except (OptionError, ValueError) as error:
            raise ProgramError(f"line {number} ({' '.join(words)}): {error}") from None
    missing = [section for section in SECTIONS if section not in sections]
    if missing:
        raise ProgramError(f"the listing has no {missing[0]}; a program is a preamble and a body")
    preamble, body = (tuple(sections[name]) for name in SECTIONS)
    return BwProgram(preamble, body, **counts, windows=tuple(windows))


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if words:
            yield number, words


def _parse_line(
    words: list[str], counts: dict[str, int], windows: list[Window], sections: dict[str, list[Instruction]]
) -> None:
    if words[0] in COUNTS and not sections:
        _parse_count(words, counts)
    elif words[0] == "window" and not sections:
        windows.append(_window(words[1:]))
    elif len(sections) < len(SECTIONS) and words == [SECTIONS[len(sections)]]:
        sections[words[0]] = []
    elif not sections:
        raise ValueError("a count, a window or the preamble comes here")
    else:
        sections[SECTIONS[len(sections) - 1]].append(_instruction(words))


def _parse_count(words: list[str], counts: dict[str, int]) -> None:
    name, *rest = words
    if name in counts:
        raise ValueError(f"{name} is given twice")
    (counts[name],) = _numbers(name, rest, 1)


def _window(words: list[str]) -> Window:
    given: dict[str, int] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in WINDOW_FIELDS:
            raise ValueError(f"a window has no {name}; it has {', '.join(WINDOW_FIELDS)}")
        if name in given:
            raise ValueError(f"{name} is given twice")
        (size,) = _numbers(name, [value.removeprefix("-")], 1)
        given[name] = -size if value.startswith("-") else size
    missing = [name for name, default in WINDOW_FIELDS.items() if default is MISSING and name not in given]
    if missing:
        raise ValueError(f"the window has no {missing[0]}")
    return Window(**given)


def _instruction(words: list[str]) -> Instruction:
    name, *rest = words
    if name not in OPCODES:
        raise ValueError(f"there is no instruction {name}")
    opcode = OPCODES[name]
    if opcode is Opcode.S_WR:
        return _register_write(rest)
    if opcode in OPERAND:
        each = rest[-1:] == ["each"]
        (index,) = _numbers(name, rest[:-1] if each else rest, 1)
        return Instruction(opcode, index=index, each=each)
    if not rest or opcode in (Opcode.END_CHAIN, Opcode.V_RELU, Opcode.V_SIGM, Opcode.V_TANH):
        _numbers(name, rest, 0)
        return Instruction(opcode)
    return _with_memory(opcode, rest)


def _register_write(words: list[str]) -> Instruction:
    if not words or words[0] not in REGISTERS:
        raise ValueError(f"s_wr takes {' or '.join(REGISTERS)}, and a value")
    (value,) = _numbers("s_wr", words[1:], 1)
    return Instruction(Opcode.S_WR, register=REGISTERS[words[0]], value=value)


def _with_memory(opcode: Opcode, words: list[str]) -> Instruction:
    name, dot, mfu_text = words[0].partition(".")
    if name not in MEMORIES:
        raise ValueError(f"there is no memory {words[0]}; there are {', '.join(MEMORIES)}")
    memory = MEMORIES[name]
    if bool(dot) != (memory in PER_MFU):
        raise ValueError(f"{name} is written {name}{'.MFU' if memory in PER_MFU else ''}")
    mfu = _numbers(name, [mfu_text], 1)[0] if dot else 0
    if memory is Memory.NETQ:
        _numbers(f"{opcode.value} NetQ", words[1:], 0)
        return Instruction(opcode, memory)
    (index,) = _numbers(f"{opcode.value} {words[0]}", words[1:], 1)
    return Instruction(opcode, memory, mfu, index)


def _numbers(name: str, words: list[str], count: int) -> list[int]:
    """The words as plain decimal numbers, of which there must be so many."""
    if len(words) != count or not all(word.isascii() and word.isdigit() for word in words):
        what = ("no more operands", "one number")[count]
        raise ValueError(f"{name} takes {what} here, not {' '.join(words) or 'nothing'}")
    return [int(word) for word in words]
