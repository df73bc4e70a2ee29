"""Chunk indexes: where each chunk of a dataset is, by any of HDF5's six ways to say so.

Source: the HDF5 File Format Specification, version 3.0, "Appendix C: Types of Indexes for Dataset Chunks"
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from webkeras.hdf5.links import tree_records
from webkeras.hdf5.structure import Cursor, Reader
from webkeras.shapes import Shape

BTREE, SINGLE, IMPLICIT, FIXED, EXTENSIBLE, BTREE2 = 0, 1, 2, 3, 4, 5
PARAMETERS = {SINGLE: 0, IMPLICIT: 0, FIXED: 1, EXTENSIBLE: 5, BTREE2: 6}  # bytes of each that the layout repeats

Chunk = tuple[Shape, int, int, int]  # where it begins, address, bytes stored, filters left out


@dataclass(frozen=True)
class Grid:
    """A dataset's chunks: their shape, how many lie along each axis, and how many may (None: any number)."""

    chunk: Shape
    counts: Shape
    most: tuple[int | None, ...]
    nbytes: int  # of a chunk without filters

    def numbered(self) -> Iterator[tuple[Shape, int]]:
        """(where it begins, number) of every chunk; an axis that grows without end is the slowest to count."""
        axes = sorted(range(len(self.chunk)), key=lambda i: self.most[i] is not None)
        steps, step = dict.fromkeys(axes, 1), 1
        for i in reversed(axes):
            steps[i], step = step, step * (self.most[i] or 1)
        for at in itertools.product(*map(range, self.counts)):
            yield self.begins(at), sum(n * steps[i] for i, n in enumerate(at))

    def begins(self, at: Shape) -> Shape:
        """The first element of the chunk at a place of the grid."""
        return tuple(n * c for n, c in zip(at, self.chunk, strict=True))


def chunks(
    reader: Reader, name: str, address: int | None, index: int, grid: Grid, stored: int | None, filtered: bool
) -> Iterator[Chunk]:
    """Every chunk of a dataset; `stored` is how many bytes its only chunk takes where filters packed it."""
    if address is None:
        reader.damaged(f"{name} has no data")
    if index == BTREE:
        rank = len(grid.chunk)
        for key, at in reader.leaves(address, 1, 8 + 8 * (rank + 1)):
            c = Cursor(reader, key)
            nbytes, skipped = c.uint(4), c.uint(4)
            yield tuple(c.uint(8) for _ in range(rank)), at, nbytes, skipped
    elif index in (SINGLE, IMPLICIT):
        for start, i in grid.numbered():
            yield start, address + i * grid.nbytes, grid.nbytes if stored is None else stored, 0
    elif index in (FIXED, EXTENSIBLE):
        array = fixed(reader, address) if index == FIXED else extensible(reader, address)
        for start, i in grid.numbered():
            yield start, *_entry(reader, name, array(i), filtered, grid)
    else:
        for record in tree_records(reader, address):
            tail = 8 * len(grid.chunk)
            c = Cursor(reader, record[-tail:] if tail else b"")
            start = grid.begins(tuple(c.uint(8) for _ in grid.chunk))
            yield start, *_entry(reader, name, record[: len(record) - tail], filtered, grid)


def _entry(reader: Reader, name: str, entry: bytes, filtered: bool, grid: Grid) -> tuple[int, int, int]:
    """(address, bytes stored, filters left out) of an index's entry; without filters it has the first only."""
    c = Cursor(reader, entry)
    address = c.address()
    if address is None:
        reader.damaged(f"{name} lacks a chunk")
    return (address, c.uint(max(c.left - 4, 0)), c.uint(4)) if filtered else (address, grid.nbytes, 0)


def fixed(reader: Reader, address: int) -> Callable[[int], bytes]:
    """A fixed array: its entries by number."""
    c = reader.cursor(address, 8 + reader.lengths + reader.offsets, "a chunk index")
    c.expect(b"FAHD")
    c.take(2)
    width, bits, count, block = c.uint(1), c.uint(1), c.length(), c.address()
    _sane(reader, width, bits)
    page, head = 1 << bits, 6 + reader.offsets
    reader.cursor(block, 4, "a chunk index").expect(b"FADB")
    marks = (-(-count // page) + 7) // 8

    def entry(i: int) -> bytes:
        if i >= count or block is None:
            reader.damaged(f"chunk {i} in an index of {count}")
        at = block + head
        if count > page:
            at = _page(reader, at, at + marks + 4, i // page, i // page, page * width + 4)
            i %= page
        return reader.read(at + i * width, width, "a chunk index")

    return entry


def _page(reader: Reader, bitmap: int, pages: int, bit: int, nth: int, nbytes: int) -> int:
    """Where the nth of a block's pages is; a bit of a bitmap says whether it was ever written."""
    if not reader.read(bitmap + bit // 8, 1, "a chunk index")[0] & 0x80 >> bit % 8:
        reader.damaged("a chunk index lacks a page")
    return pages + nth * nbytes


def extensible(reader: Reader, address: int) -> Callable[[int], bytes]:
    """An extensible array: its entries by number.

    The first lie in the index block, the others in data blocks, which come in groups ("super blocks") of twice the room
    of the one before: by turns its blocks are twice as large, or twice as many. The first have no block of their own.
    """
    offsets = reader.offsets
    c = reader.cursor(address, 12 + 6 * reader.lengths + offsets, "a chunk index")
    c.expect(b"EAHD")
    c.take(2)
    width, bits, first, least, fewest, page_bits = (c.uint(1) for _ in range(6))
    c.take(5 * reader.lengths)
    count, block = c.length(), c.address()
    _sane(reader, width, page_bits)
    if bits > 64 or not least or not fewest or least & (least - 1) or fewest & (fewest - 1):
        reader.damaged("an extensible array of blocks that are no powers of two")
    head, page, marks = 6 + offsets, 1 << page_bits, (bits + 7) // 8
    reader.cursor(block, 4, "a chunk index").expect(b"EAIB")
    direct = 2 * fewest.bit_length() - 2  # groups whose data blocks the index block points to
    table = 0 if block is None else block + head + first * width  # the pointers of the index block

    def pointer(at: int) -> int:
        found = reader.cursor(at, offsets, "a chunk index").address()
        if found is None:
            reader.damaged("a chunk index lacks a block")
        return found

    def entry(i: int) -> bytes:
        if i >= count:
            reader.damaged(f"chunk {i} in an index of {count}")
        if i < first:
            return reader.read(table - (first - i) * width, width, "a chunk index")
        i, before = i - first, 0
        for group in range(bits + 1):
            blocks, entries = 1 << group // 2, least << (group + 1) // 2
            if i < blocks * entries:
                break
            i, before = i - blocks * entries, before + blocks
        n, i = divmod(i, entries)
        if group < direct:
            at = pointer(table + (before + n) * offsets) + head + marks + i * width
            return reader.read(at, width, "a chunk index")
        above = pointer(table + (2 * fewest - 2 + group - direct) * offsets)
        reader.cursor(above, 4, "a chunk index").expect(b"EASB")
        bitmap, pages = above + head + marks, entries // page if entries > page else 0
        at = pointer(bitmap + blocks * ((pages + 7) // 8) + n * offsets) + head + marks
        if pages:
            at = _page(reader, bitmap, at + 4, n * pages + i // page, i // page, page * width + 4)
            i %= page
        return reader.read(at + i * width, width, "a chunk index")

    return entry


def _sane(reader: Reader, width: int, bits: int) -> None:
    if width < reader.offsets or bits > 32:
        reader.damaged(f"a chunk index with entries of {width} bytes in pages of 2^{bits}")
