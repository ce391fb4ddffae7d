"""A binary form of programs. Microsoft published none; this one is ours.

Little-endian words of 64 bits. First the magic word "BWNPU\\0\\0\\1", then six counts: instructions of the preamble and
of the body, vectors_per_step, tiles_before, dram_vectors, dram_tiles. Then one word for each instruction:

    bits 63..56  opcode, by its position in `Opcode` from 1
    bits 55..48  memory or register, by its position in `Memory` or `Register` from 1, or 0
    bits 47..40  MFU
    bits 39..32  zero
    bits 31..0   index or value
"""

import struct
from collections.abc import Sequence
from typing import TypeVar

from deltawave.errors import OptionError, ProgramError
from deltawave.machines.brainwave.isa import BwProgram, Instruction, Memory, Opcode, Register

MAGIC = int.from_bytes(b"BWNPU\0\0\1", "little")
HEADER_WORDS = 7
Name = TypeVar("Name")
OPCODES, MEMORIES, REGISTERS = list(Opcode), list(Memory), list(Register)


def encode(program: BwProgram) -> bytes:
    """The program in binary; `decode` is the inverse. Raises OptionError for a number that its field can't hold."""
    counts = (program.vectors_per_step, program.tiles_before, program.dram_vectors, program.dram_tiles)
    for count in counts:
        _check_field("a count", count, 64)
    instructions = [_word(i) for i in program.preamble + program.body]
    words = [MAGIC, len(program.preamble), len(program.body), *counts, *instructions]
    return struct.pack(f"<{len(words)}Q", *words)


def decode(data: bytes) -> BwProgram:
    """The program of its binary form, not yet checked. Raises ProgramError for bytes that are no program."""
    words = _words(data)
    preamble, body, *counts = words[1:HEADER_WORDS]
    if preamble + body != len(words) - HEADER_WORDS:
        raise ProgramError(
            f"a program of {preamble} + {body} instructions has {len(words) - HEADER_WORDS} words of them; "
            "the file is truncated or altered"
        )
    code = [_instruction(i, word) for i, word in enumerate(words[HEADER_WORDS:])]
    return BwProgram(tuple(code[:preamble]), tuple(code[preamble:]), *counts)


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
    return opcode << 56 | where << 48 | instruction.mfu << 40 | number


def _check_field(name: str, number: int, bits: int) -> None:
    if not 0 <= number < 1 << bits:
        raise OptionError(f"{name} is {number}; its field goes from 0 to {(1 << bits) - 1}")


def _instruction(position: int, word: int) -> Instruction:
    try:
        return _fields(word)
    except (OptionError, ValueError) as error:
        raise ProgramError(
            f"word {position + HEADER_WORDS} ({word:#018x}) is no instruction: {error}"
        ) from None


def _fields(word: int) -> Instruction:
    opcode_code, where, mfu, zero = (word >> shift & 0xFF for shift in (56, 48, 40, 32))
    number = word & 0xFFFFFFFF
    if zero:
        raise ValueError("bits 39..32 are not zero")
    opcode = _named(OPCODES, opcode_code)
    if opcode is Opcode.S_WR:
        return Instruction(opcode, mfu=mfu, register=_named(REGISTERS, where), value=number)
    return Instruction(opcode, _named(MEMORIES, where) if where else None, mfu, number)


def _named(names: Sequence[Name], code: int) -> Name:
    """The name with that code, counted from 1."""
    if not 1 <= code <= len(names):
        raise ValueError(f"there is no code {code}; codes go from 1 to {len(names)}")
    return names[code - 1]
