"""Our HDF5 reader against h5py: every form that Keras' files come in, and files that lie."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webkeras.buffer import HostBuffer
from webkeras.errors import WeightsError
from webkeras.hdf5 import Dataset, Group, open_file

VERSIONS = ["earliest", "v108", "v110", "v112", "v114", "v200"]


def written(fill: Any, libver: str = "earliest", **options: Any) -> bytes:
    """The bytes of a file that `fill` fills."""
    file = io.BytesIO()
    with h5py.File(file, "w", libver=(libver, "latest") if libver != "earliest" else "earliest", **options) as h:
        fill(h)
    return file.getvalue()


def opened(data: bytes) -> Group:
    return open_file(HostBuffer(data), "f.h5")


def array(d: Dataset) -> Any:
    """A dataset's elements by numpy."""
    buffer, offset = d.bytes()
    return np.frombuffer(buffer.read(offset, d.nbytes), d.type.code).reshape(d.shape)


def plain(x: Any) -> Any:
    """h5py's value of an attribute as Python's."""
    if isinstance(x, np.ndarray):
        return [plain(v) for v in x.ravel()]
    return x.decode() if isinstance(x, bytes) else x.item() if isinstance(x, np.generic) else x


def same(ours: Group, theirs: h5py.Group) -> int:
    """Compare two trees whole; return how many datasets they hold."""
    assert sorted(ours) == sorted(theirs)
    assert dict(ours.attrs) == {k: plain(v) for k, v in theirs.attrs.items()}
    count = 0
    for name in ours:
        a, b = ours[name], theirs[name]
        if isinstance(a, Group):
            count += same(a, b)
        else:
            assert a.shape == b.shape
            assert dict(a.attrs) == {k: plain(v) for k, v in b.attrs.items()}
            expected = b[()]
            if expected.dtype.kind == "b":
                expected = expected.astype("i1")
            assert array(a).dtype == expected.dtype
            assert array(a).tobytes() == expected.tobytes()
            count += 1
    return count


def compare(data: bytes) -> int:
    with h5py.File(io.BytesIO(data)) as theirs:
        return same(opened(data), theirs)


def numbers(shape: tuple[int, ...], dtype: str = "<f4") -> Any:
    return (np.random.default_rng(1).standard_normal(shape) * 100).astype(dtype)


def everything(h: h5py.Group) -> None:
    """Groups, attributes and datasets of all kinds."""
    h.attrs["keras_version"] = "2.0.5"
    h.attrs["bytes"] = b"2.0.5"
    h.attrs["config"] = "{" * 100_000  # in the global heap: it is larger than a header
    h.attrs["empty"] = ""
    h.attrs["names"] = [b"conv/kernel:0", b"b"]
    h.attrs["none"] = np.zeros(0)
    h.attrs["texts"] = ["eins", "zw\u00f6lf"]
    h.attrs["number"] = 3
    h.attrs["floats"] = np.array([0.5, -2.0], ">f8")
    h.attrs["half"] = np.float16(1.5)
    h.attrs["matrix"] = np.arange(6, dtype="u2").reshape(2, 3)
    g = h.create_group("model_weights")
    for dtype in ("<f4", ">f4", "<f2", "<f8", "|i1", "|u1", "<u2", "<i4", ">i8", "?", "|V2", "S5"):
        data = np.frombuffer(numbers((6, 4), "<f8").tobytes(), "|V2") if dtype == "|V2" else numbers((3, 4), dtype)
        g.create_dataset(f"d {dtype}", data=data)
    g["scalar"] = np.float32(7)
    g["a/b.c/d:0"] = numbers((2, 3, 4, 5))
    g.create_dataset("nothing", shape=(0, 4), dtype="f4")
    few = h.create_group("few")
    few.attrs["dtype"] = "bfloat16"


@pytest.mark.parametrize("libver", VERSIONS)
def test_files_of_every_age_read_as_h5py_reads_them(libver: str) -> None:
    assert compare(written(everything, libver)) == 15


@pytest.mark.parametrize("libver", VERSIONS)
@pytest.mark.parametrize("count", [7, 9, 40, 700])
def test_groups_of_many_members(libver: str, count: int) -> None:
    """B-trees and heaps with one block, several, and indirect ones."""

    def fill(h: h5py.File) -> None:
        for i in range(count):
            h.create_group(f"a layer with a name of some length, number {i}")
        h["x"] = numbers((2,))

    assert compare(written(fill, libver)) == 1


@pytest.mark.parametrize("libver", VERSIONS)
@pytest.mark.parametrize("count", [7, 9, 100])
def test_many_attributes(libver: str, count: int) -> None:
    def fill(h: h5py.File) -> None:
        for i in range(count):
            h.attrs[f"attribute {i}"] = f"value {i}" * (i % 7)
        h["x"] = numbers((2,))

    assert compare(written(fill, libver)) == 1


CHUNKED = {
    "gzip": {"compression": "gzip"},
    "shuffle": {"shuffle": True, "compression": "gzip"},
    "fletcher": {"fletcher32": True},
    "all": {"shuffle": True, "compression": 9, "fletcher32": True},
    "plain": {"chunks": True},
}


@pytest.mark.parametrize("libver", VERSIONS)
@pytest.mark.parametrize("options", CHUNKED)
def test_chunks_and_filters(libver: str, options: str) -> None:
    def fill(h: h5py.File) -> None:
        for i, (shape, chunks) in enumerate(
            [
                ((10,), (10,)),
                ((10,), (3,)),
                ((7, 9), (7, 9)),
                ((7, 9), (2, 4)),
                ((5, 6, 7), (2, 6, 3)),
                ((300, 5), (1, 5)),
            ]
        ):
            for dtype in ("<f4", "|u1", "<f2"):
                h.create_dataset(f"{i}{dtype}", data=numbers(shape, dtype), **{**CHUNKED[options], "chunks": chunks})

    assert compare(written(fill, libver)) == 18


GROWS = {  # shape, chunks, how far it may grow: each is another index, and another order in it
    "on every axis": ((40, 50), (2, 4), (None, None)),
    "on the first axis": ((7, 9, 3), (2, 4, 2), (None, 9, 3)),
    "on the last axis": ((7, 9, 3), (2, 4, 2), (7, 9, None)),
    "to an end": ((7, 9), (2, 4), (20, 11)),
    "on one axis, the others to an end": ((7, 9, 3), (2, 4, 1), (8, None, 5)),
    "without end, of many chunks": ((2000,), (1,), (None,)),
    "to an end, of many chunks": ((2000,), (1,), (3000,)),
    "not, of many chunks": ((2000,), (1,), None),
}


@pytest.mark.parametrize("libver", ["earliest", "v110", "v200"])
@pytest.mark.parametrize("options", ["plain", "all"])
def test_datasets_that_can_grow(libver: str, options: str) -> None:
    def fill(h: h5py.File) -> None:
        for i, (shape, chunks, most) in enumerate(GROWS.values()):
            kind = {**CHUNKED[options], "chunks": chunks, "maxshape": most}
            h.create_dataset(str(i), data=numbers(shape), **kind)

    assert compare(written(fill, libver)) == len(GROWS)


@pytest.mark.parametrize("most", [None, (9, 12)])
def test_chunks_whose_places_follow_from_their_number(most: Any, tmp_path: Path) -> None:
    """The implicit index: all room is taken at once."""
    with h5py.File(tmp_path / "f.h5", "w", libver=("v110", "latest")) as h:
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_chunk((2, 4))
        created.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        space = h5py.h5s.create_simple((7, 9), most)
        made = h5py.h5d.create(h.id, b"x", h5py.h5t.IEEE_F32LE, space, created)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, numbers((7, 9)))
    data = (tmp_path / "f.h5").read_bytes()
    assert b"FAHD" not in data
    assert compare(data) == 1


def test_filters_that_leave_out_the_edge_are_refused() -> None:
    """h5py cannot ask for them: the flag of the layout (version 4, chunked, flags, rank, ...) is set by hand."""
    data = written(lambda h: h.create_dataset("a", data=numbers((7, 9)), chunks=(2, 4), compression="gzip"), "v110")
    here = bytes([4, 2, 0, 3, 1, 2, 4, 4])
    assert data.count(here) == 1
    with pytest.raises(WeightsError, match="leave out the chunks at its edge"):
        array(opened(data.replace(here, bytes([4, 2, 1, 3, 1, 2, 4, 4])))["a"])  # type: ignore[arg-type]


@pytest.mark.parametrize("libver", VERSIONS)
def test_a_user_block_and_creation_order(libver: str) -> None:
    def fill(h: h5py.File) -> None:
        g = h.create_group("z", track_order=True)
        for i in range(20):
            g[f"w{19 - i}"] = numbers((3,))
            g.attrs[f"a{19 - i}"] = i

    assert compare(written(fill, libver, userblock_size=1024, track_order=True)) == 20


def test_contiguous_data_stay_where_they_are() -> None:
    data = written(lambda h: h.create_dataset("w", data=numbers((3, 4))))
    buffer = HostBuffer(data)
    w = open_file(buffer, "f").dataset("w")
    assert w is not None
    found, offset = w.bytes()
    assert found is buffer
    assert data[offset : offset + 48] == numbers((3, 4)).tobytes()


def test_lookups() -> None:
    root = opened(written(everything))
    assert isinstance(root["model_weights/a/b.c"], Group)
    assert "model_weights/a/b.c/d:0" in root
    assert "model_weights/a/b.c/d:0/e" not in root
    assert root.get("model_weights/q") is None
    with pytest.raises(WeightsError, match=r"f\.h5: / holds no 'q'"):
        root["q"]


def _soft(h: h5py.File) -> None:
    h["a"] = h5py.SoftLink("/b")


def _external(h: h5py.File) -> None:
    h["a"] = h5py.ExternalLink("/etc/passwd", "/b")


def _virtual(h: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "w", (4,))
    h.create_virtual_dataset("a", layout)


def _other_file(h: h5py.File) -> None:
    h.create_dataset("a", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def _committed(h: h5py.File) -> None:
    h["t"] = np.dtype("f4")
    h.create_dataset("a", (4,), dtype=h["t"])


REFUSE = {
    "a soft link": (_soft, "a soft or external link"),
    "an external link": (_external, "a soft or external link"),
    "a virtual dataset": (_virtual, "layout"),
    "data in another file": (_other_file, "another file|layout"),
    "a shared type": (_committed, "shared"),
    "lzf": (lambda h: h.create_dataset("a", data=numbers((9,)), compression="lzf"), "HDF5 filter 32000"),
    "a record": (lambda h: h.create_dataset("a", data=np.zeros(3, "f4,i4")), "compound"),
    "lists of any length": (lambda h: h.create_dataset("a", (2,), h5py.vlen_dtype("f4")), "class 9"),
    "a chunk that was never written": (lambda h: h.create_dataset("a", (9,), "f4", chunks=(3,)), "a"),
}


@pytest.mark.parametrize("libver", ["earliest", "v110"])
@pytest.mark.parametrize("name", REFUSE)
def test_refused_by_name(name: str, libver: str) -> None:
    fill, says = REFUSE[name]
    with pytest.raises(WeightsError, match=says) as e:
        array(opened(written(fill, libver))["a"])  # type: ignore[arg-type]
    assert str(e.value).startswith("f.h5: ")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04" + bytes(200), b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(40)]
)
def test_what_is_no_hdf5_is_refused(data: bytes) -> None:
    with pytest.raises(WeightsError, match=r"f\.h5: "):
        opened(data)


@pytest.mark.parametrize("libver", VERSIONS)
def test_every_truncation_is_refused(libver: str) -> None:
    data = written(everything, libver)
    for n in [*range(0, len(data), 997), len(data) - 1]:
        with pytest.raises(WeightsError):
            walk(opened(data[:n]))


def walk(group: Group, depth: int = 0) -> None:
    """Read all of a tree, as far as a circle of groups allows."""
    assert dict(group.attrs) is not None
    for name in group:
        member = group[name]
        if isinstance(member, Dataset):
            array(member)
        elif depth < 4:
            walk(member, depth + 1)


def small(h: h5py.Group) -> None:
    h.attrs["layer_names"] = [b"dense", b"b"]
    h.attrs["config"] = "{}"
    for i in range(10):
        h.create_group(f"g{i}").attrs["n"] = i
    h["w"] = numbers((4, 4))
    h.create_dataset("z", data=numbers((8, 8)), chunks=(4, 4), compression="gzip", shuffle=True)


SMALL = {libver: written(small, libver) for libver in ("earliest", "v110")}


@pytest.mark.parametrize("libver", SMALL)
@settings(max_examples=150, deadline=2000)
@given(st.data())
def test_damaged_bytes_are_read_or_refused(libver: str, data: st.DataObject) -> None:
    raw = bytearray(SMALL[libver])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        new = data.draw(st.sampled_from([b"\0", b"\1", b"\x7f", b"\x80", b"\xff"]) | st.binary(min_size=1, max_size=8))
        raw[at : at + len(new)] = new[: len(raw) - at]
    try:
        walk(opened(bytes(raw)))
    except WeightsError as e:
        text = str(e)
    else:
        text = ""
    assert "\n" not in text
