"""Bytes to named tensors: every byte accounted for, nothing turned into an array before somebody wants one."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field
from typing import Any

from webkeras.buffer import Buffer, HostBuffer
from webkeras.errors import WeightsError
from webkeras.format import BYTES, Entry, Metadata, parse
from webkeras.lazy import np
from webkeras.shapes import Shape, size


@dataclass(frozen=True)
class Tensor:
    """One weight: a byte range of a buffer and how to read it. The constant behind a graph's Value."""

    layer: str
    name: str
    shape: Shape
    type: str
    buffer: Buffer
    offset: int
    min: float = 0.0
    scale: float = 1.0

    @property
    def nbytes(self) -> int:
        return size(self.shape) * BYTES[self.type]

    def array(self) -> Any:
        """The numpy array, float32, dequantised."""
        raw = np.frombuffer(self.buffer.read(self.offset, self.nbytes), np.dtype(self.type).newbyteorder("<"))
        values = raw.reshape(self.shape).astype("float32")
        return values * np.float32(self.scale) + np.float32(self.min) if self.type.startswith("uint") else values


__all__ = ["Buffer", "Found", "HostBuffer", "Stored", "Tensor", "Weights", "read", "tensor"]

# By layer, in the file's order; a nested model's are a mapping again, once it is known which belongs to which.
Weights = dict[str, "list[Tensor] | Weights"]


@dataclass
class Stored:
    """An object of a Keras 3 weights file: its own variables in order, and the objects inside it by attribute.

    `vocabulary` is what a layer that was adapted to text keeps beside the weights.
    """

    tensors: list[Tensor] = field(default_factory=list)
    children: dict[str, Stored] = field(default_factory=dict)
    vocabulary: list[str] | None = None


# What a file of weights gave: by layer, as a tree, or in the model's order without a word on whose they are.
Found = Weights | Stored | list[Tensor]


def tensor(layer: str, name: str, shape: Shape, code: str, buffer: Buffer, offset: int, file: str) -> Tensor:
    """The weight at a place, of a numpy type: float32 and float16 stay where they are, others become float32.

    Raises WeightsError where the type holds no numbers.
    """
    if code in PLACED:
        return Tensor(layer, name, shape, PLACED[code], buffer, offset)
    if code not in ARRAYS and code not in ("|V2", ">f2"):
        raise WeightsError(f"{file}: {layer!r} {name!r} is of type {code}; expected floats or whole numbers")
    nbytes = size(shape) * int(code[2:])
    return Tensor(layer, name, shape, "float32", HostBuffer(floats(buffer.read(offset, nbytes), code)), 0)


PLACED = {"<f4": "float32", "<f2": "float16"}
NUMBERS = {"f4": "f", "f8": "d", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q"}
ARRAYS = {f"{order}{kind}": letter for kind, letter in NUMBERS.items() for order in "<>"}  # the array module's letters
ARRAYS |= {"|i1": "b", "|u1": "B"}


def floats(raw: bytes, code: str) -> bytes:
    """Numbers of another type as little-endian float32; bfloat16 ("|V2") is float32's upper half."""
    if code == "|V2":
        out = bytearray(2 * len(raw))
        out[2::4], out[3::4] = raw[::2], raw[1::2]
        return bytes(out)
    if code == ">f2":
        return struct.pack(f"<{len(raw) // 2}f", *struct.unpack(f">{len(raw) // 2}e", raw))
    values = array(ARRAYS[code], raw)
    if code[0] == ">":
        values.byteswap()
    return array("f", values).tobytes()


def read(metadata: str | Metadata, buffer: Buffer, file: str = "weights") -> Weights:
    """The tensors of a weight file by layer.

    Raises WeightsError where the file is shorter or longer than the metadata says.
    """
    meta = parse(metadata) if isinstance(metadata, str) else metadata
    buffer.expect(meta.nbytes, file)
    weights: dict[str, list[Tensor]] = {}
    for e in meta.entries:
        weights.setdefault(e.layer, []).append(_tensor(e, buffer))
    return dict(weights)


def _tensor(e: Entry, buffer: Buffer) -> Tensor:
    return Tensor(e.layer, e.name, e.shape, e.type, buffer, e.offset, e.min, e.scale)
