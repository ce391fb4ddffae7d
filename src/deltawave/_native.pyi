"""Types of the native module."""

from numpy import bool_, int8, int16, int32, int64, uint8, uint16
from numpy.typing import NDArray

class Cell:
    x: NDArray[int16]
    h: NDArray[int16]
    sent: NDArray[bool_]
    simd: str
    def __init__(
        self,
        kind: int,
        weights_x: NDArray[int16],
        weights_h: NDArray[int16],
        formats: tuple[int, int, int, bool, int, bool],
        gate: NDArray[int16],
        gate_first: int,
        candidate: NDArray[int16],
        candidate_first: int,
        output: NDArray[int16],
        output_first: int,
        dense: bool,
        theta_x: int,
        theta_h: int,
        threads: int,
        simd: str | None,
    ) -> None: ...
    def step(self) -> None: ...
    def run(self, xs: NDArray[int16], hs: NDArray[int32], sent: NDArray[uint8] | None) -> None: ...
    def load(
        self,
        h: NDArray[int16],
        c: NDArray[int16],
        x_sent: NDArray[int16],
        h_sent: NDArray[int16],
        rh_sent: NDArray[int16],
        memory: NDArray[int32],
    ) -> None: ...
    def save(
        self,
        h: NDArray[int32],
        c: NDArray[int32],
        x_sent: NDArray[int32],
        h_sent: NDArray[int32],
        rh_sent: NDArray[int32],
        memory: NDArray[int32],
    ) -> None: ...
    def sent_count(self, stream: int) -> int: ...

class BlockFloatCell:
    x: NDArray[uint16]
    h: NDArray[uint16]
    c: NDArray[uint16]
    simd: str
    def __init__(
        self,
        kind: int,
        inputs: int,
        hidden: int,
        mantissa_bits: int,
        weights_x: NDArray[int8],
        exponents_x: NDArray[int8],
        weights_h: NDArray[int8],
        exponents_h: NDArray[int8],
        bias: NDArray[uint16],
        peepholes: NDArray[uint16] | None,
        gate: NDArray[uint16],
        candidate: NDArray[uint16],
        output: NDArray[uint16],
        threads: int,
        simd: str | None,
    ) -> None: ...
    def step(self) -> None: ...
    def run(self, xs: NDArray[uint16], hs: NDArray[uint16]) -> None: ...
    def load(self, h: NDArray[uint16], c: NDArray[uint16]) -> None: ...

class BlockFloatProduct:
    simd: str
    def __init__(
        self,
        mantissa_bits: int,
        weights: NDArray[int8],
        exponents: NDArray[int8],
        threads: int,
        simd: str | None,
    ) -> None: ...
    def run(self, xs: NDArray[uint16], out: NDArray[uint16]) -> None: ...

class StationaryLstm:
    def __init__(
        self,
        weights_x: NDArray[int8],
        weights_h: NDArray[int8],
        bias: NDArray[int32],
        peepholes: NDArray[int8] | None,
        formats: tuple[int, ...],
        gate: NDArray[int16],
        gate_first: int,
        candidate: NDArray[int16],
        candidate_first: int,
        output: NDArray[int16],
        output_first: int,
        simd: str | None,
    ) -> None: ...
    def run(self, xs: NDArray[int16], hs: NDArray[int32], flags: NDArray[uint8]) -> None: ...
    def load(self, h: NDArray[int32], c: NDArray[int32]) -> None: ...
    def save(self, h: NDArray[int32], c: NDArray[int32]) -> None: ...

def solve_timeline(
    units: list[tuple[NDArray[int64], NDArray[int64], NDArray[int64], int]],
    relations: list[tuple[int, int, int, NDArray[int64], NDArray[int64], NDArray[int64]]],
    begin: int,
) -> list[int]: ...
