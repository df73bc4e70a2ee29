"""Reads the HDF5 that Keras writes, as byte ranges: no numpy, no copy of what is stored contiguously.

Why not a library: a weight of a page must go from the fetched ArrayBuffer to the GPU without passing through Python's
heap, and the page's path has no numpy. jsfive and pyfive both read well, but the first hands out copies and lives in
JavaScript (so CPython would need a second reader), the second is made of numpy; and neither was written for files that
nobody vouches for. This one gives (buffer, offset) for contiguous data, runs unchanged in CPython and Pyodide, checks
every address before it is followed and every size before it is allocated. tests/host/test_hdf5.py compares it to h5py.

Read: superblocks 0 to 3; old and new groups, compact and dense; attributes of numbers and strings, fixed and variable;
contiguous, compact and chunked data by all six chunk indexes, with gzip, shuffle and Fletcher-32.
Anything else is refused by name; the encoder, which has h5py, reads it.

Source: the HDF5 File Format Specification, version 3.0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from webkeras.buffer import Buffer, HostBuffer
from webkeras.errors import WeightsError
from webkeras.hdf5 import chunks, links
from webkeras.hdf5.messages import Type, attribute, dataspace, datatype
from webkeras.hdf5.structure import ATTRIBUTE, ATTRIBUTES, DATASPACE, DATATYPE, EXTERNAL, FILTERS, LAYOUT, Reader
from webkeras.shapes import Shape, size

__all__ = ["Dataset", "Group", "open_file"]


def open_file(buffer: Buffer, file: str) -> Group:
    """The root group.

    Raises WeightsError, naming the file, where it is no HDF5, truncated or damaged.
    """
    reader = Reader(buffer, file)
    return Group(reader, reader.root, "/")


class Object:
    """What a group and a dataset share."""

    def __init__(self, reader: Reader, address: int, name: str) -> None:
        self.reader, self.name = reader, name
        self.messages = reader.header(address)
        self._attrs: dict[str, Any] | None = None

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Attributes by name: numbers, strings, or flat lists of them."""
        if self._attrs is None:
            stored = [(data, shared) for kind, data, shared in self.messages if kind == ATTRIBUTE]
            for kind, data, _ in self.messages:
                if kind == ATTRIBUTES:
                    stored += [(record, False) for record in links.dense_attributes(self.reader, data)]
            self._attrs = dict(attribute(self.reader, data, shared) for data, shared in stored)
        return self._attrs

    def message(self, kind: int) -> bytes | None:
        """The data of the only message of a kind."""
        for k, data, shared in self.messages:
            if k == kind:
                if shared:
                    self.reader.refuse(f"{self.name} uses a shared message of type {kind}")
                return data
        return None


class Group(Object):
    """Named groups and datasets."""

    def __init__(self, reader: Reader, address: int, name: str) -> None:
        super().__init__(reader, address, name)
        self._links: dict[str, int | None] | None = None
        self._open: dict[str, Group | Dataset] = {}

    @property
    def links(self) -> dict[str, int | None]:
        """Addresses by name, None for links that are not hard."""
        if self._links is None:
            self._links = links.members(self.reader, self.messages)
        return self._links

    def __contains__(self, path: str) -> bool:
        return self.get(path) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.links)

    def get(self, path: str) -> Group | Dataset | None:
        """What lies under a path, names joined by slashes; None where nothing does."""
        here: Group | Dataset | None = self
        for part in filter(None, path.split("/")):
            here = here._member(part) if isinstance(here, Group) else None
        return here

    def __getitem__(self, path: str) -> Group | Dataset:
        found = self.get(path)
        if found is None:
            raise WeightsError(f"{self.reader.file}: {self.name} holds no {path!r}")
        return found

    def group(self, path: str) -> Group | None:
        """The group under a path, or None."""
        found = self.get(path)
        return found if isinstance(found, Group) else None

    def dataset(self, path: str) -> Dataset | None:
        """The dataset under a path, or None."""
        found = self.get(path)
        return found if isinstance(found, Dataset) else None

    def _member(self, name: str) -> Group | Dataset | None:
        if name not in self._open:
            if name not in self.links:
                return None
            address, full = self.links[name], f"{self.name.rstrip('/')}/{name}"
            if address is None:
                self.reader.refuse(f"{full} is a soft or external link")
            self._open[name] = _opened(self.reader, address, full)
        return self._open[name]


class Dataset(Object):
    """An array: its shape, its type, and where its bytes are."""

    def __init__(self, reader: Reader, address: int, name: str) -> None:
        super().__init__(reader, address, name)
        space, kind = self.message(DATASPACE), self.message(DATATYPE)
        if space is None or kind is None:
            reader.damaged(f"{name} has no dataspace or no datatype")
        self.space = dataspace(reader, space)
        self.shape: Shape = self.space.shape
        self.type: Type = datatype(reader, kind)

    @property
    def nbytes(self) -> int:
        return size(self.shape) * self.type.size

    def bytes(self) -> tuple[Buffer, int]:
        """(buffer, offset) of the elements in row-major order: the file's own where it stores them so."""
        r, layout = self.reader, self.message(LAYOUT)
        if layout is None or self.message(EXTERNAL) is not None:
            r.refuse(f"{self.name} is stored in another file")
        stored = chunks.layout(r, layout, self.name)
        if stored.compact is not None:
            if len(stored.compact) < self.nbytes:
                r.damaged(f"{self.name} holds {len(stored.compact)} bytes, its shape {self.shape} takes {self.nbytes}")
            return HostBuffer(stored.compact), 0
        if stored.chunk is None:
            if self.nbytes == 0:
                return HostBuffer(b""), 0
            if stored.address is None:
                r.damaged(f"{self.name} has no data; expected {self.nbytes} bytes")
            if stored.nbytes < self.nbytes:
                r.damaged(f"{self.name} holds {stored.nbytes} bytes, its shape {self.shape} takes {self.nbytes}")
            return r.buffer, r.position(stored.address, self.nbytes, self.name)
        return HostBuffer(chunks.joined(r, self.name, self.space, self.type.size, stored, self.message(FILTERS))), 0


def _opened(reader: Reader, address: int, name: str) -> Group | Dataset:
    kinds = {kind for kind, _, _ in reader.header(address)}
    return Dataset(reader, address, name) if LAYOUT in kinds else Group(reader, address, name)
