"""How a dataset's elements are stored: layouts, and chunks with their filters."""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass

from webkeras.hdf5.indexes import BTREE, PARAMETERS, SINGLE, Chunk, Grid, chunks
from webkeras.hdf5.messages import Dataspace
from webkeras.hdf5.structure import Cursor, Reader
from webkeras.shapes import Shape, size

GZIP, SHUFFLE, FLETCHER = 1, 2, 3
RATIO = 1032  # deflate cannot do better


@dataclass(frozen=True)
class Layout:
    """Where elements are: inside the header (`compact`), in one piece, or in chunks of shape `chunk`."""

    address: int | None = None
    nbytes: int = 0
    compact: bytes | None = None
    chunk: Shape | None = None
    index: int = BTREE
    stored: int | None = None  # bytes of the single filtered chunk
    whole_edges: bool = True  # chunks that stick out over the edge went through the filters, too


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
    if version not in (3, 4, 5) or kind > 2:
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
    if index not in PARAMETERS:
        reader.refuse(f"{name} has chunks in an index of type {index}")
    c.take(PARAMETERS[index])
    return Layout(c.address(), chunk=dims[:-1], index=index, stored=stored, whole_edges=not flags & 1)


def joined(reader: Reader, name: str, space: Dataspace, item: int, where: Layout, pipeline: bytes | None) -> bytes:
    """The elements of a chunked dataset in row-major order.

    Everything is checked before memory is taken: chunks cannot hold more than deflate can, nor overlap in the file.
    """
    shape, chunk, filters = space.shape, where.chunk or (), _filters(reader, pipeline, name)
    if len(chunk) != len(shape) or not all(chunk):
        reader.damaged(f"{name} of shape {shape} has chunks of shape {chunk}")
    if filters and not where.whole_edges:
        reader.refuse(f"{name} has filters that leave out the chunks at its edge")
    total, piece = size(shape) * item, size(chunk) * item
    counts = tuple(-(-n // c) for n, c in zip(shape, chunk, strict=True))
    most = tuple(None if n is None else -(-n // c) for n, c in zip(space.most, chunk, strict=True))
    if size(counts) * reader.offsets > reader.buffer.nbytes or size(counts) > 1 << 20:
        reader.damaged(f"{name} has {size(counts)} chunks in a file of {reader.buffer.nbytes} bytes")
    grid = Grid(chunk, counts, most, piece)
    found: dict[Shape, Chunk] = {}
    every = chunks(reader, name, where.address, where.index, grid, where.stored, bool(filters))
    for c in itertools.islice(every, size(counts) + 1):
        found[c[0]] = c
    expected = {start for start, _ in grid.numbered()}
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
