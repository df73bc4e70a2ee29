"""Bytes to named tensors: every byte accounted for, nothing turned into an array before somebody wants one."""

from __future__ import annotations

from dataclasses import dataclass
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


__all__ = ["Buffer", "HostBuffer", "Tensor", "Weights", "read"]

Weights = dict[str, list[Tensor]]  # by layer, in the file's order


def read(metadata: str | Metadata, buffer: Buffer, file: str = "weights") -> Weights:
    """The tensors of a weight file by layer.

    Raises WeightsError where the file is shorter or longer than the metadata says.
    """
    meta = parse(metadata) if isinstance(metadata, str) else metadata
    if buffer.nbytes != meta.nbytes:
        raise WeightsError(
            f"{file}: {buffer.nbytes} bytes, but the metadata describes {meta.nbytes}; "
            "fetch it whole or encode the model again"
        )
    weights: Weights = {}
    for e in meta.entries:
        weights.setdefault(e.layer, []).append(_tensor(e, buffer))
    return weights


def _tensor(e: Entry, buffer: Buffer) -> Tensor:
    return Tensor(e.layer, e.name, e.shape, e.type, buffer, e.offset, e.min, e.scale)
