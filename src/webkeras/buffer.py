"""Bytes that somebody holds, read in ranges: a weight stays where it came from until a backend wants it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from webkeras.errors import WeightsError


class Buffer(Protocol):
    """Bytes that somebody holds: Python, or JavaScript (which never hands them to Python unless asked)."""

    @property
    def nbytes(self) -> int:
        """How many."""

    def expect(self, nbytes: int, file: str) -> None:
        """Raises WeightsError, naming the file, unless there are exactly so many."""

    def read(self, offset: int, nbytes: int) -> bytes:
        """A copy of a range that lies inside."""

    def part(self, offset: int, nbytes: int) -> Buffer:
        """A range that lies inside, as a buffer of its own."""

    def followed(self, others: Sequence[Any]) -> Buffer:
        """This and others of its kind, one after another, as one."""


def exactly(expected: int, found: int, file: str) -> None:
    """Raises WeightsError where a file of weights does not hold what its metadata describes."""
    if found != expected:
        raise WeightsError(
            f"{file}: {found} bytes, but the metadata describes {expected}; fetch it whole or encode the model again"
        )


@dataclass(frozen=True)
class HostBuffer:
    """Bytes in Python's hands."""

    data: bytes

    @property
    def nbytes(self) -> int:
        return len(self.data)

    def expect(self, nbytes: int, file: str) -> None:
        exactly(nbytes, self.nbytes, file)

    def read(self, offset: int, nbytes: int) -> bytes:
        return self.data[offset : offset + nbytes]

    def part(self, offset: int, nbytes: int) -> HostBuffer:
        return HostBuffer(self.data[offset : offset + nbytes])

    def followed(self, others: Sequence[HostBuffer]) -> HostBuffer:
        return HostBuffer(b"".join(b.data for b in (self, *others)))
