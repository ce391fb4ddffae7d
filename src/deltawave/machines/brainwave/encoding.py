"""A binary form of programs. Microsoft published none; this one is ours.

Little-endian words of 64 bits. First the magic word "BWNPU\\0\\0\\2", then seven counts: instructions of the preamble,
of the body, vectors_per_step, tiles_before, dram_vectors, dram_tiles, windows. Then the windows, 15 words for each: the
fields of `Window` in their order, in two's complement. Then one word for each instruction:

    bits 63..56  opcode, by its position in `Opcode` from 1
    bits 55..48  memory or register, by its position in `Memory` or `Register` from 1, or 0
    bits 47..40  MFU
    bits 39..32  1 if the operand is another one for each window, or 0
    bits 31..0   index or value
"""

import struct
from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import TypeVar

from deltawave.errors import OptionError, ProgramError
from deltawave.machines.brainwave.isa import (
    COUNTS,
    BwProgram,
    Instruction,
    Memory,
    Opcode,
    Register,
    Window,
)

MAGIC = int.from_bytes(b"BWNPU\0\0\2", "little")
HEADER_WORDS = 4 + len(COUNTS)
WINDOW_WORDS = len(fields(Window))
Name = TypeVar("Name")
OPCODES, MEMORIES, REGISTERS = list(Opcode), list(Memory), list(Register)


def encode(program: BwProgram) -> bytes:
    """The program in binary; `decode` is the inverse. Raises OptionError for a number that its field can't hold."""
    counts = [getattr(program, name) for name in COUNTS]
    for count in counts:
        _check_field("a count", count, 64)
    header = [MAGIC, len(program.preamble), len(program.body), *counts, len(program.windows)]
    sizes = [size % (1 << 64) for window in program.windows for size in astuple(window)]
    words = [*header, *sizes, *(_word(i) for i in program.preamble + program.body)]
    return struct.pack(f"<{len(words)}Q", *words)


def decode(data: bytes) -> BwProgram:
    """The program of its binary form, not yet checked. Raises ProgramError for bytes that are no program."""
    words = _words(data)
    preamble, body, *counts, windows = words[1:HEADER_WORDS]
    first = HEADER_WORDS + windows * WINDOW_WORDS
    if first + preamble + body != len(words):
        raise ProgramError(
            f"a program of {preamble} + {body} instructions and {windows} windows has "
            f"{len(words) - HEADER_WORDS} words of them; the file is truncated or altered"
        )
    code = [_instruction(position, word) for position, word in enumerate(words[first:], first)]
    return BwProgram(
        tuple(code[:preamble]),
        tuple(code[preamble:]),
        **dict(zip(COUNTS, counts, strict=True)),
        windows=tuple(_window(words, at) for at in range(HEADER_WORDS, first, WINDOW_WORDS)),
    )


def _words(data: bytes) -> Sequence[int]:
    if len(data) % 8 or len(data) < 8 * HEADER_WORDS:
        raise ProgramError(f"{len(data)} bytes make no program; it has 64-bit words, at least {HEADER_WORDS}")
    words = struct.unpack(f"<{len(data) // 8}Q", data)
    if words[0] != MAGIC:
        raise ProgramError(
            f"the first word is {words[0]:#018x}, not {MAGIC:#018x}: this is no Brainwave program"
        )
    return words


def _word(instruction: Instruction) -> int:
    _check_field(f"the MFU of {instruction}", instruction.mfu, 8)
    number = instruction.value if instruction.register else instruction.index
    _check_field(f"the number of {instruction}", number, 32)
    where = 0
    if instruction.memory:
        where = MEMORIES.index(instruction.memory) + 1
    elif instruction.register:
        where = REGISTERS.index(instruction.register) + 1
    opcode = OPCODES.index(instruction.opcode) + 1
    return opcode << 56 | where << 48 | instruction.mfu << 40 | instruction.each << 32 | number


def _check_field(name: str, number: int, bits: int) -> None:
    if not 0 <= number < 1 << bits:
        raise OptionError(f"{name} is {number}; its field goes from 0 to {(1 << bits) - 1}")


def _window(words: Sequence[int], first: int) -> Window:
    sizes = words[first : first + WINDOW_WORDS]
    try:
        return Window(*(size - (size >> 63 << 64) for size in sizes))
    except OptionError as error:
        raise ProgramError(f"words {first} to {first + WINDOW_WORDS - 1} are no window: {error}") from None


def _instruction(position: int, word: int) -> Instruction:
    try:
        return _fields(word)
    except (OptionError, ValueError) as error:
        raise ProgramError(f"word {position} ({word:#018x}) is no instruction: {error}") from None


def _fields(word: int) -> Instruction:
    opcode_code, where, mfu, each = (word >> shift & 0xFF for shift in (56, 48, 40, 32))
    number = word & 0xFFFFFFFF
    if each > 1:
        raise ValueError("bits 39..33 are not zero")
    opcode = _named(OPCODES, opcode_code)
    if opcode is Opcode.S_WR:
        register = _named(REGISTERS, where)
        return Instruction(opcode, mfu=mfu, register=register, value=number, each=bool(each))
    return Instruction(opcode, _named(MEMORIES, where) if where else None, mfu, number, each=bool(each))


def _named(names: Sequence[Name], code: int) -> Name:
    """The name with that code, counted from 1."""
    if not 1 <= code <= len(names):
        raise ValueError(f"there is no code {code}; codes go from 1 to {len(names)}")
    return names[code - 1]
