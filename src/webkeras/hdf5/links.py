"""Members of groups, old and new; the fractal heap and version 2 B-tree that hold them (and attributes) when many."""

from __future__ import annotations

from collections.abc import Iterator

from webkeras.hdf5.structure import LINK, LINKS, SYMBOLS, Cursor, Message, Reader

Links = dict[str, int | None]  # addresses by name; None where the link is soft or external


def members(reader: Reader, messages: list[Message]) -> Links:
    """The members of a group, from its object header."""
    found: Links = {}
    for kind, data, _ in messages:
        if kind == SYMBOLS:
            found.update(_symbols(reader, data))
        elif kind == LINK:
            found.update([_link(reader, data)])
        elif kind == LINKS:
            c = Cursor(reader, data)
            c.take(1)
            c.take(8 if c.uint(1) & 1 else 0)
            heap, tree = c.address(), c.address()
            if heap is not None:
                found.update(_link(reader, r) for r in _records(reader, heap, tree, 4, 7))
    return found


def dense_attributes(reader: Reader, data: bytes) -> Iterator[bytes]:
    """The attribute messages that an attribute info message points to."""
    c = Cursor(reader, data)
    c.take(1)
    c.take(2 if c.uint(1) & 1 else 0)
    heap, tree = c.address(), c.address()
    if heap is not None:
        yield from _records(reader, heap, tree, 0, 8)


def _symbols(reader: Reader, data: bytes) -> Iterator[tuple[str, int | None]]:
    """An old group: a B-tree of symbol tables, and a heap of names."""
    c = Cursor(reader, data)
    tree, heap = c.address(), c.address()
    c = reader.cursor(heap, 8 + 2 * reader.lengths + reader.offsets, "a local heap")
    c.expect(b"HEAP")
    c.take(4)
    nbytes, _, start = c.length(), c.length(), c.address()
    names = reader.read(start, nbytes, "a local heap")
    entry = 2 * reader.offsets + 24
    for _, table in reader.leaves(tree, 0, reader.lengths):
        c = reader.cursor(table, 8, "a symbol table")
        c.expect(b"SNOD")
        c.take(2)
        count = c.uint(2)
        c = reader.cursor(table + 8, count * entry, "a symbol table")
        for _ in range(count):
            at, address, cached = c.uint(reader.offsets), c.address(), c.uint(4)
            c.take(20)
            if at >= len(names):
                reader.damaged("a name lies outside its heap")
            name = names[at : names.find(b"\0", at)].decode("utf-8", "replace")
            yield name, None if cached == 2 else address


def _link(reader: Reader, data: bytes) -> tuple[str, int | None]:
    """A new group's link message."""
    c = Cursor(reader, data)
    c.take(1)
    flags = c.uint(1)
    kind = c.uint(1) if flags & 8 else 0
    c.take((8 if flags & 4 else 0) + (1 if flags & 16 else 0))
    name = c.take(c.uint(1 << (flags & 3))).decode("utf-8", "replace")
    return name, c.address() if kind == 0 else None


def _records(reader: Reader, heap: int, tree: int | None, skip: int, width: int) -> Iterator[bytes]:
    """The objects in a fractal heap whose IDs, `width` bytes after `skip`, are a version 2 B-tree's records."""
    storage = FractalHeap(reader, heap)
    for record in tree_records(reader, tree):
        yield storage.get(record[skip : skip + width])


def tree_records(reader: Reader, address: int | None) -> Iterator[bytes]:
    """Every record of a version 2 B-tree, in no particular order."""
    c = reader.cursor(address, 16 + reader.offsets + 2 + reader.lengths, "a B-tree")
    c.expect(b"BTHD")
    c.take(2)
    node, record, depth = c.uint(4), c.uint(2), c.uint(2)
    c.take(2)
    root, count = c.address(), c.uint(2)
    if not record or node < 10 + record or depth > 16:
        reader.damaged(f"a B-tree of depth {depth} with records of {record} bytes in nodes of {node}")
    most = (node - 10) // record
    width, totals = _width(most), [(most, 0)]  # records at most under a node of each level, bytes to count them
    for _ in range(depth):
        pointer = reader.offsets + width + totals[-1][1]
        here = max((node - 10 - pointer) // (record + pointer), 1)
        under = (here + 1) * totals[-1][0] + here
        totals.append((under, _width(under)))
    stack, seen = [(root, count, depth)] if root is not None else [], set()
    while stack:
        at, count, level = stack.pop()
        if at in seen:
            reader.damaged("a B-tree runs in a circle")
        seen.add(at)
        c = reader.cursor(at, node, "a B-tree")
        c.expect(b"BTIN" if level else b"BTLF")
        c.take(2)
        for _ in range(count):
            yield c.take(record)
        for _ in range(count + 1 if level else 0):
            child, n = c.address(), c.uint(width)
            c.take(totals[level - 1][1] if level > 1 else 0)
            if child is None:
                reader.damaged("a B-tree with an empty child")
            stack.append((child, n, level - 1))


def _width(n: int) -> int:
    """How many bytes hold n."""
    return (n.bit_length() + 7) // 8


class FractalHeap:
    """Objects by ID, in blocks of doubling sizes."""

    def __init__(self, reader: Reader, address: int) -> None:
        self.reader = r = reader
        c = r.cursor(address, 22 + 12 * r.lengths + 3 * r.offsets, "a fractal heap")
        c.expect(b"FRHP")
        c.take(3)
        filters = c.uint(2)
        c.take(1)
        largest = c.uint(4)
        c.take(r.lengths * 10 + r.offsets * 2)
        self.columns, self.first, direct, bits = c.uint(2), c.length(), c.length(), c.uint(2)
        c.take(2)
        self.root, self.rows = c.address(), c.uint(2)
        if filters:
            r.refuse("a compressed heap")
        if not self.columns or not self.first or bits > 64 or self.rows > 64 or self.first & (self.first - 1):
            r.damaged("a fractal heap without blocks")
        self.direct_rows = max(direct.bit_length() - self.first.bit_length(), 0) + 2
        self.offset_bytes = (bits + 7) // 8
        self.length_bytes = min(_width(direct), _width(largest))

    def get(self, key: bytes) -> bytes:
        """The object of an ID."""
        c = Cursor(self.reader, key)
        kind = c.uint(1)
        if kind & 0x30 == 0x20:
            return c.take((kind & 15) + 1)
        if kind & 0x30:
            self.reader.refuse("an attribute or link above 64 kB")
        offset, nbytes = c.uint(self.offset_bytes), c.uint(self.length_bytes)
        block, rows = self.root, self.rows
        while rows:
            offset, block, rows = self._step(offset, block, rows)
        if block is None:
            self.reader.damaged("a fractal heap lacks a block")
        return self.reader.read(block + offset, nbytes, "an object of a fractal heap")

    def _step(self, offset: int, block: int | None, rows: int) -> tuple[int, int | None, int]:
        """One indirect block down: (offset in the child, the child, its rows; 0 for a direct block)."""
        for row in range(rows):
            nbytes = self.first << max(row - 1, 0)
            if offset < nbytes * self.columns:
                i = row * self.columns + offset // nbytes
                at = 5 + self.reader.offsets * (1 + i) + self.offset_bytes
                if block is None:
                    self.reader.damaged("a fractal heap lacks a block")
                child = self.reader.cursor(block + at, self.reader.offsets, "a heap").address()
                below = 0
                if row >= self.direct_rows:
                    below = max((nbytes // (self.first * self.columns)).bit_length(), 1)
                    if below >= rows:
                        self.reader.damaged("a fractal heap nests without end")
                return offset % nbytes, child, below
            offset -= nbytes * self.columns
        self.reader.damaged("an object lies outside its heap")
