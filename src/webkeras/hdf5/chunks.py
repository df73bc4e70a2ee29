"""How a dataset's elements are stored: layouts, chunk indexes and filters."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webkeras.hdf5.links import tree_records
from webkeras.hdf5.structure import Cursor, Reader
from webkeras.shapes import Shape, size

GZIP, SHUFFLE, FLETCHER = 1, 2, 3
RATIO = 1032  # deflate cannot do better
BTREE, SINGLE, IMPLICIT, FIXED, BTREE2 = 0, 1, 2, 3, 5


@dataclass(frozen=True)
class Layout:
    """Where elements are: inside the header (`compact`), in one piece, or in chunks of shape `chunk`."""

    address: int | None = None
    nbytes: int = 0
    compact: bytes | None = None
    chunk: Shape | None = None
    index: int = BTREE
    stored: int | None = None  # bytes of the single filtered chunk


Chunk = tuple[Shape, int, int, int]  # where it begins, address, bytes stored, filters left out


def layout(reader: Reader, data: bytes, name: str) -> Layout:
    """The layout message."""
    c = Cursor(reader, data)
    version = c.uint(1)
    if version in (1, 2):
        rank, kind, _ = c.uint(1), c.uint(1), c.take(5)
        address = c.address() if kind else None
        dims = tuple(c.uint(4) for _ in range(rank))
        if kind == 0:
            return Layout(compact=c.take(c.uint(4)))
        if kind == 1:
            return Layout(address, 1 << 48)  # old layouts do not say; the file's end bounds it
        return Layout(address, chunk=dims[:-1])
    kind = c.uint(1)
    if version not in (3, 4) or kind > 2:
        reader.refuse(f"{name} has a layout of version {version}, class {kind}")
    if kind == 0:
        return Layout(compact=c.take(c.uint(2)))
    if kind == 1:
        return Layout(c.address(), c.length())
    if version == 3:
        rank, address = c.uint(1), c.address()
        return Layout(address, chunk=tuple(c.uint(4) for _ in range(rank))[:-1])
    flags, rank, width = c.uint(1), c.uint(1), c.uint(1)
    dims = tuple(c.uint(width) for _ in range(rank))
    index, stored = c.uint(1), None
    if index == SINGLE and flags & 2:
        stored = c.length()
        c.take(4)
    c.take({FIXED: 1, BTREE2: 6}.get(index, 0))
    if index not in (SINGLE, IMPLICIT, FIXED, BTREE2):
        reader.refuse(f"{name} can grow (chunk index {index})")
    return Layout(c.address(), chunk=dims[:-1], index=index, stored=stored)


def joined(reader: Reader, name: str, shape: Shape, item: int, where: Layout, pipeline: bytes | None) -> bytes:
    """The elements of a chunked dataset in row-major order.

    Everything is checked before memory is taken: chunks cannot hold more than deflate can, nor overlap in the file.
    """
    chunk, filters = where.chunk or (), _filters(reader, pipeline, name)
    if len(chunk) != len(shape) or not all(chunk):
        reader.damaged(f"{name} of shape {shape} has chunks of shape {chunk}")
    total, piece = size(shape) * item, size(chunk) * item
    grid = [-(-n // c) for n, c in zip(shape, chunk, strict=True)]
    if size(grid) * reader.offsets > reader.buffer.nbytes or size(grid) > 1 << 20:
        reader.damaged(f"{name} has {size(grid)} chunks in a file of {reader.buffer.nbytes} bytes")
    found: dict[Shape, Chunk] = {}
    for c in itertools.islice(_chunks(reader, name, where, grid, piece, bool(filters)), size(grid) + 1):
        found[c[0]] = c
    expected = {tuple(i * c for i, c in zip(at, chunk, strict=True)) for at in itertools.product(*map(range, grid))}
    if set(found) != expected:
        reader.damaged(f"{name} has {len(found)} chunks, its shape takes {len(expected)}")
    stored = sum(c[2] for c in found.values())
    limit = RATIO if any(f == GZIP for f, _ in filters) else 1
    if (
        stored > reader.buffer.nbytes
        or (stored + 64 * len(found)) * limit < total
        or any((c[2] + 64) * limit < piece for c in found.values())
    ):
        reader.damaged(f"{name} stores {stored} bytes; they cannot hold its {total}")
    out = bytearray(total)
    for start, address, nbytes, skipped in found.values():
        data = _decoded(reader, name, reader.read(address, nbytes, name), filters, skipped, piece)
        _place(out, shape, data, chunk, start, item)
    return bytes(out)


def _filters(reader: Reader, data: bytes | None, name: str) -> list[tuple[int, int]]:
    """(filter, its first parameter) in the order they were applied."""
    if data is None:
        return []
    c = Cursor(reader, data)
    version, count = c.uint(1), c.uint(1)
    c.take(6 if version == 1 else 0)
    found = []
    for _ in range(count):
        kind = c.uint(2)
        named = c.uint(2) if version == 1 or kind >= 256 else 0
        _, values = c.uint(2), c.uint(2)
        c.take(named + (-named % 8 if version == 1 else 0))
        parameters = [c.uint(4) for _ in range(values)]
        c.take(4 if version == 1 and values % 2 else 0)
        if kind not in (GZIP, SHUFFLE, FLETCHER):
            reader.refuse(f"{name} is packed by HDF5 filter {kind}")
        found.append((kind, parameters[0] if parameters else 0))
    return found


def _chunks(
    reader: Reader, name: str, where: Layout, grid: Sequence[int], piece: int, filtered: bool
) -> Iterator[Chunk]:
    """Every chunk of the index."""
    chunk = where.chunk or ()
    places = [tuple(i * c for i, c in zip(at, chunk, strict=True)) for at in itertools.product(*map(range, grid))]
    if where.address is None:
        reader.damaged(f"{name} has no data")
    if where.index == BTREE:
        for key, address in reader.leaves(where.address, 1, 8 + 8 * (len(chunk) + 1)):
            c = Cursor(reader, key)
            nbytes, skipped = c.uint(4), c.uint(4)
            yield tuple(c.uint(8) for _ in chunk), address, nbytes, skipped
    elif where.index in (SINGLE, IMPLICIT):
        for i, start in enumerate(places):
            yield start, where.address + i * piece, piece if where.stored is None else where.stored, 0
    elif where.index == FIXED:
        yield from _fixed(reader, name, where.address, places, piece)
    else:
        for record in tree_records(reader, where.address):
            c = Cursor(reader, record)
            at = c.address()
            width = len(record) - reader.offsets - 4 - 8 * len(chunk)
            nbytes, skipped = (c.uint(width), c.uint(4)) if filtered else (piece, 0)
            if at is None:
                reader.damaged(f"{name} lacks a chunk")
            yield tuple(c.uint(8) * n for n in chunk), at, nbytes, skipped


def _fixed(reader: Reader, name: str, address: int, places: list[Shape], piece: int) -> Iterator[Chunk]:
    """A fixed array of chunk addresses."""
    c = reader.cursor(address, 8 + reader.lengths + reader.offsets, "a chunk index")
    c.expect(b"FAHD")
    c.take(1)
    client, entry, page, count, block = c.uint(1), c.uint(1), c.uint(1), c.length(), c.address()
    if count > 1 << page:
        reader.refuse(f"{name} has {count} chunks in pages")
    skip = 6 + reader.offsets
    c = reader.cursor(block, skip + count * entry, "a chunk index")
    c.expect(b"FADB")
    c.take(skip - 4)
    for at in places[:count]:
        here = c.address()
        nbytes, skipped = (c.uint(entry - reader.offsets - 4), c.uint(4)) if client else (piece, 0)
        if here is None:
            reader.damaged(f"{name} lacks a chunk")
        yield at, here, nbytes, skipped


def _decoded(reader: Reader, name: str, data: bytes, filters: list[tuple[int, int]], skipped: int, piece: int) -> bytes:
    """A chunk's elements: the filters undone, last first."""
    for i, (kind, parameter) in reversed(list(enumerate(filters))):
        if skipped >> i & 1:
            continue
        if kind == GZIP:
            unpack = zlib.decompressobj()
            try:
                data = unpack.decompress(data, piece + 64)
            except zlib.error as e:
                reader.damaged(f"{name} does not decompress ({e})")
        elif kind == FLETCHER:
            data = data[:-4]
        elif parameter > 1:
            n = len(data) // parameter
            plain = bytearray(data)
            for j in range(parameter):
                plain[j : n * parameter : parameter] = data[j * n : (j + 1) * n]
            data = bytes(plain)
    if len(data) != piece:
        reader.damaged(f"{name} has a chunk of {len(data)} bytes; expected {piece}")
    return data


def _place(out: bytearray, shape: Shape, data: bytes, chunk: Shape, start: Shape, item: int) -> None:
    """Copy a chunk into the whole, row by row; what sticks out over the edge is left."""
    if not shape:
        out[:] = data
        return
    inside = [min(c, n - s) for c, n, s in zip(chunk, shape, start, strict=True)]
    row = inside[-1] * item
    steps, source = _strides(shape, item), _strides(chunk, item)
    for at in itertools.product(*(range(n) for n in inside[:-1])):
        into = start[-1] * item + sum((a + s) * w for a, s, w in zip(at, start, steps, strict=False))
        out_of = sum(a * w for a, w in zip(at, source, strict=False))
        out[into : into + row] = data[out_of : out_of + row]


def _strides(shape: Shape, item: int) -> list[int]:
    out = [item]
    for n in reversed(shape[1:]):
        out.append(out[-1] * n)
    return out[::-1]
