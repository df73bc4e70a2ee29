"""The outer structure of an HDF5 file: superblock, object headers, B-trees of version 1; every read is checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from webkeras.buffer import Buffer
from webkeras.errors import WeightsError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
DATASPACE, LINKS, DATATYPE, LINK, EXTERNAL, LAYOUT, FILTERS, ATTRIBUTE = 0x1, 0x2, 0x3, 0x6, 0x7, 0x8, 0xB, 0xC
CONTINUATION, SYMBOLS, ATTRIBUTES = 0x10, 0x11, 0x15

Message = tuple[int, bytes, bool]  # type, data, whether the data only says where it is shared
BLOCK = 4096


class Cursor:
    """Reads little-endian numbers one after another."""

    def __init__(self, reader: Reader, data: bytes, at: int = 0) -> None:
        self.reader, self.data, self.at = reader, data, at

    def take(self, n: int) -> bytes:
        """The next n bytes."""
        if self.at + n > len(self.data):
            self.reader.damaged(f"a structure of {len(self.data)} bytes ends early")
        self.at += n
        return self.data[self.at - n : self.at]

    def uint(self, n: int) -> int:
        """The next n bytes as a number."""
        return int.from_bytes(self.take(n), "little")

    def address(self) -> int | None:
        """The next address; None where it is undefined."""
        n = self.reader.offsets
        value = self.uint(n)
        return None if value == (1 << 8 * n) - 1 else value

    def length(self) -> int:
        """The next length."""
        return self.uint(self.reader.lengths)

    def expect(self, signature: bytes) -> None:
        """Skip a signature that must be here."""
        if (found := self.take(len(signature))) != signature:
            self.reader.damaged(f"{found!r} stands where {signature!r} was expected")

    @property
    def left(self) -> int:
        return len(self.data) - self.at


class Reader:
    """A file's bytes, its superblock, and the ways to fail."""

    def __init__(self, buffer: Buffer, file: str) -> None:
        self.buffer, self.file = buffer, file
        self.base, self.offsets, self.lengths = 0, 8, 8
        self._blocks: dict[int, bytes] = {}
        self._headers: dict[int, list[Message]] = {}
        self.root = self._superblock()

    def damaged(self, what: str) -> NoReturn:
        """Raise: the file contradicts itself."""
        raise WeightsError(f"{self.file}: damaged HDF5: {what}")

    def refuse(self, what: str) -> NoReturn:
        """Raise: HDF5 can do this, we cannot."""
        raise WeightsError(f"{self.file}: {what}, which is not read here; encode the file, or save it again with Keras")

    def position(self, address: int, nbytes: int, what: str) -> int:
        """Where in the buffer an address is, checked to have nbytes behind it."""
        at = self.base + address
        if nbytes < 0 or at + nbytes > self.buffer.nbytes:
            self.damaged(f"{what} ends at byte {at + nbytes} of a file of {self.buffer.nbytes}")
        return at

    def read(self, address: int | None, nbytes: int, what: str) -> bytes:
        """Bytes of the structure; small reads come from blocks that are kept, for the buffer may be JavaScript's."""
        if address is None:
            self.damaged(f"{what} has no address")
        at = self.position(address, nbytes, what)
        if nbytes > BLOCK:
            return self.buffer.read(at, nbytes)
        parts = b"".join(self._block(i) for i in range(at // BLOCK, (at + nbytes - 1) // BLOCK + 1 if nbytes else 0))
        return parts[at % BLOCK : at % BLOCK + nbytes]

    def _block(self, i: int) -> bytes:
        if i not in self._blocks:
            self._blocks[i] = self.buffer.read(i * BLOCK, min(BLOCK, self.buffer.nbytes - i * BLOCK))
        return self._blocks[i]

    def cursor(self, address: int | None, nbytes: int, what: str) -> Cursor:
        """A cursor over a range of the structure."""
        return Cursor(self, self.read(address, nbytes, what))

    def _superblock(self) -> int:
        start = 0
        while start + 48 <= self.buffer.nbytes and self.buffer.read(start, 8) != SIGNATURE:
            start = start * 2 or 512
        if start + 48 > self.buffer.nbytes:
            raise WeightsError(f"{self.file}: not HDF5 ({self.buffer.nbytes} bytes); expected a file that Keras saved")
        c = self.cursor(start, min(112, self.buffer.nbytes - start), "the superblock")
        c.expect(SIGNATURE)
        version = c.uint(1)
        if version > 3:
            self.refuse(f"superblock version {version}")
        c.take(4 if version < 2 else 0)
        self.offsets, self.lengths = c.uint(1), c.uint(1)
        if self.offsets not in (2, 4, 8) or self.lengths not in (2, 4, 8):
            self.damaged(f"addresses of {self.offsets} bytes and lengths of {self.lengths}")
        c.take({0: 9, 1: 13}.get(version, 1))
        base = c.address()
        c.address()
        end = c.address()
        if base is None or end is None or start + end - base > self.buffer.nbytes:
            self.damaged(f"it is truncated: {self.buffer.nbytes} bytes of {end}; fetch it whole")
        self.base = start
        if version < 2:
            c.address()
            c.address()  # the root's name
        root = c.address()
        if root is None:
            self.damaged("it has no root group")
        return root

    def header(self, address: int) -> list[Message]:
        """All messages of an object header, continuation blocks included."""
        if address not in self._headers:
            start = self.read(address, 16, "an object header")
            messages = self._new_header(address) if start[:4] == b"OHDR" else self._old_header(address)
            self._headers[address] = list(messages)
        return self._headers[address]

    def _old_header(self, address: int) -> Iterator[Message]:
        c = self.cursor(address, 16, "an object header")
        if (version := c.uint(1)) != 1:
            self.damaged(f"an object header at byte {address} of version {version}")
        c.take(1)
        count = c.uint(2)
        c.take(4)
        blocks, seen = [(address + 16, c.uint(4))], {address + 16}
        for start, nbytes in blocks:
            c = self.cursor(start, nbytes, "an object header")
            while c.left >= 8 and count:
                kind, length, flags, _ = c.uint(2), c.uint(2), c.uint(1), c.take(3)
                yield from self._message(kind, c.take(length), flags, blocks, seen)
                count -= 1

    def _new_header(self, address: int) -> Iterator[Message]:
        flags = self.cursor(address, 6, "an object header").data[5]
        skip = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        length = self.cursor(address + skip, width, "an object header").uint(width)
        blocks, seen, first = [(address + skip + width, length)], {address + skip + width}, True
        for start, nbytes in blocks:
            c = self.cursor(start, nbytes, "an object header")
            if not first:
                c.expect(b"OCHK")
                c.data = c.data[:-4]
            first = False
            while c.left >= (6 if flags & 4 else 4):
                kind, length, marks = c.uint(1), c.uint(2), c.uint(1)
                c.take(2 if flags & 4 else 0)
                yield from self._message(kind, c.take(length), marks, blocks, seen)

    def _message(
        self, kind: int, data: bytes, flags: int, blocks: list[tuple[int, int]], seen: set[int]
    ) -> Iterator[Message]:
        if kind != CONTINUATION:
            yield kind, data, bool(flags & 2)
            return
        c = Cursor(self, data)
        start, nbytes = c.address(), c.length()
        if start is None or start in seen:
            self.damaged("an object header continues in a circle")
        seen.add(start)
        blocks.append((start, nbytes))

    def leaves(self, address: int | None, kind: int, key: int) -> Iterator[tuple[bytes, int]]:
        """(key before it, address) of every child of a version 1 B-tree's leaves; `key` is the size of its keys."""
        stack, seen = [address], set()
        while stack:
            here = stack.pop()
            if here in seen:
                self.damaged("a B-tree runs in a circle")
            seen.add(here)
            c = self.cursor(here, 8 + 2 * self.offsets, "a B-tree")
            c.expect(b"TREE")
            found, level, entries = c.uint(1), c.uint(1), c.uint(2)
            if found != kind or here is None:
                self.damaged(f"a B-tree of type {found} where {kind} was expected")
            c = self.cursor(here + 8 + 2 * self.offsets, entries * (key + self.offsets), "a B-tree")
            below: list[int | None] = []
            for _ in range(entries):
                k, child = c.take(key), c.address()
                if level:
                    below.append(child)
                elif child is None:
                    self.damaged("a B-tree with an empty child")
                else:
                    yield k, child
            stack.extend(reversed(below))
