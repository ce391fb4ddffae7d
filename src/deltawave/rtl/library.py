"""The functions of a verilated core's shared object, as driver.cpp exports them."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import SimulationError
from deltawave.rtl.ports import Port

INT, LONG, POINTER, TEXT = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p, ctypes.c_char_p
STALLS = (POINTER, LONG)
FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "ports": (TEXT, ()),
    "open": (POINTER, (TEXT,)),
    "close": (None, (POINTER,)),
    "error": (TEXT, (POINTER,)),
    "reset": (INT, (POINTER, LONG)),
    "source": (None, (POINTER, INT, POINTER, LONG, *STALLS)),
    "sink": (None, (POINTER, INT, LONG, LONG, *STALLS)),
    "memory": (None, (POINTER, INT, INT, POINTER, POINTER, POINTER, LONG, LONG)),
    "begin": (None, (POINTER,)),
    "run": (INT, (POINTER, LONG, INT)),
    "cycles": (LONG, (POINTER,)),
    "progress": (None, (POINTER, INT, INT, POINTER)),
    "beats": (POINTER, (POINTER, INT)),
    "beat_cycles": (POINTER, (POINTER, INT)),
}


class Library:
    """A shared object with one simulation in it. Arrays are the caller's to keep."""

    def __init__(self, path: Path, waves: str) -> None:
        self._functions = ctypes.CDLL(str(path))
        for name, (result, arguments) in FUNCTIONS.items():
            function = self._functions[f"simulation_{name}"]
            function.restype, function.argtypes = result, arguments
            setattr(self._functions, name, function)
        self._handle: int | None = self._functions.open(waves.encode())

    def ports(self) -> tuple[Port, ...]:
        """The core's ports."""
        lines = [line.split() for line in self._functions.ports().decode().splitlines()]
        return tuple(Port(name, int(bits), is_input == "1") for name, bits, is_input in lines)

    def call(self, name: str, *arguments: Any) -> int:
        """A function's result; arrays are passed by their data. Raises SimulationError if the core failed."""
        plain = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
        result = getattr(self._functions, name)(self._handle, *plain)
        if result == -1:
            raise SimulationError(f"the core fails {self._functions.error(self._handle).decode()}")
        return int(result or 0)

    def copied(self, name: str, number: int, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
        """An array of the simulation's."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        address = getattr(self._functions, name)(self._handle, number)
        return np.frombuffer(ctypes.string_at(address, size) if size else b"", dtype).reshape(shape)

    def close(self) -> None:
        """End the simulation."""
        self._functions.close(self._handle)
        self._handle = None
