"""The metadata file: what is read, and every way in which one can be wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webkeras.errors import WeightsError
from webkeras.format import Entry, Metadata, Shard, dump, parse


def row(**changes: Any) -> dict[str, Any]:
    """A good row, changed."""
    good = {"layer_name": "a", "weight_name": "a/k", "offset": 0, "length": 6, "shape": [2, 3], "type": "float32"}
    return {k: v for k, v in {**good, **changes}.items() if v is not ...}


def second(**changes: Any) -> dict[str, Any]:
    return row(weight_name="a/b", offset=24, length=3, shape=[3]) | changes


QUANT = {"scheme": "linear", "min": -1.0, "scale": 0.5}


def whole(**changes: Any) -> dict[str, Any]:
    good = {
        "format": "webkeras-1",
        "keras_version": "2.0.5",
        "shards": [{"file": "w.0.buf", "bytes": 24}],
        "weights": [row()],
    }
    return {k: v for k, v in {**good, **changes}.items() if v is not ...}


def test_the_ancestors_list_is_read() -> None:
    meta = parse(json.dumps([row(), second()]))
    assert meta == Metadata((Entry("a", "a/k", 0, (2, 3), "float32"), Entry("a", "a/b", 24, (3,), "float32")))
    assert meta.nbytes == 36


def test_types_quantisation_scalars_and_empty_tensors_are_read() -> None:
    rows = [
        row(type="float16"),
        row(weight_name="q", type="uint8", offset=12, quantization=QUANT),
        row(weight_name="s", offset=18, shape=[], length=1),
        row(weight_name="e", offset=22, shape=[0, 4], length=0),
        row(weight_name="r", type="uint16", offset=22, quantization={**QUANT, "scale": 1}),
    ]
    meta = parse(json.dumps(rows))
    assert [e.nbytes for e in meta.entries] == [12, 6, 4, 0, 12]
    assert (meta.entries[1].min, meta.entries[1].scale) == (-1.0, 0.5)


def test_the_object_form_is_read() -> None:
    meta = parse(json.dumps(whole()))
    assert meta.keras_version == "2.0.5"
    assert meta.shards == (Shard("w.0.buf", 24),)


REFUSE = {
    "not JSON": ("{", "not JSON"),
    "no list": ("7", "no list"),
    "null": ("null", "no list"),
    "nested beyond reason": ("[" * 100_000, "not JSON"),
    "a list of numbers": ([1], "has no 'layer_name'"),
    "a key too few": ([row(shape=...)], "has no 'shape'"),
    "a key too many": ([row(size=4)], "unknown key 'size'"),
    "an unknown type": ([row(type="float8")], "type 'float8'"),
    "a type that is a list": ([row(type=["float32"])], r"type \['float32'\]"),
    "a name that is no text": ([row(weight_name=None)], "names must be text"),
    "a layer that is a list": ([row(layer_name=["a"])], "names must be text"),
    "a negative size": ([row(shape=[-2, -3])], "not negative"),
    "a broken size": ([row(shape=[2, 3.5])], "whole numbers"),
    "a size that is true": ([row(shape=[True, 6])], "whole numbers"),
    "a shape that is a number": ([row(shape=6)], "whole numbers"),
    "a length that is text": ([row(length="6")], "whole numbers"),
    "a wrong length": ([row(length=5)], "has 6 elements"),
    "an offset below 0": ([row(offset=-4)], "not negative"),
    "a hole at the start": ([row(offset=4)], "leaves a hole"),
    "a hole": ([row(), second(offset=28)], "leaves a hole.*expected 24"),
    "an overlap": ([row(), second(offset=20)], "overlaps.*expected 24"),
    "a weight twice": ([row(), row(offset=24)], "twice"),
    "float with quantization": ([row(quantization=QUANT)], "takes no 'quantization'"),
    "uint8 without": ([row(type="uint8")], "needs 'quantization'"),
    "an unknown scheme": ([row(type="uint8", quantization={**QUANT, "scheme": "log"})], "expected scheme 'linear'"),
    "a scale that is text": ([row(type="uint8", quantization={**QUANT, "scale": "1"})], "finite"),
    "a scale that is true": ([row(type="uint8", quantization={**QUANT, "scale": True})], "finite"),
    "a scale beyond float32": ([row(type="uint8", quantization={**QUANT, "scale": 10**400})], "finite"),
    "a small beyond float32": ([row(type="uint8", quantization={**QUANT, "min": -1e39})], "finite"),
    "a scale that is NaN": ([row(type="uint8", quantization={**QUANT, "scale": float("nan")})], "finite"),
    "an unknown format": (whole(format="webkeras-9"), "format 'webkeras-9'"),
    "an unknown key": (whole(extra=1), "unknown key 'extra'"),
    "a version that is a number": (whole(keras_version=2), "keras_version 2"),
    "an object without weights": (whole(weights=...), "no list"),
    "shards that do not add up": (whole(shards=[{"file": "w", "bytes": 20}]), "shards hold 20 bytes.*24"),
    "shards that are a number": (whole(shards=3), "shards 3"),
    "a shard without a size": (whole(shards=[{"file": "w"}]), "shard"),
    "a shard out of the folder": (whole(shards=[{"file": "../w", "bytes": 24}]), "plain name"),
    "a shard elsewhere": (whole(shards=[{"file": "https://x/w", "bytes": 24}]), "plain name"),
    "a shard's own server": (whole(shards=[{"file": "data:,w", "bytes": 24}]), "plain name"),
    "a shard with an unknown key": (whole(shards=[{"file": "w", "bytes": 24, "url": "x"}]), "shard"),
}


@pytest.mark.parametrize("name", REFUSE)
def test_refused(name: str) -> None:
    content, says = REFUSE[name]
    with pytest.raises(WeightsError, match=says) as e:
        parse(content if isinstance(content, str) else json.dumps(content), "m_metadata.json")
    assert str(e.value).startswith("m_metadata.json")
    assert "\n" not in str(e.value)


names = st.text(max_size=6)
shapes = st.lists(st.integers(0, 5), max_size=3).map(tuple)


@given(
    st.lists(
        st.tuples(names, names, shapes, st.sampled_from(["float32", "float16", "uint8", "uint16"])),
        unique_by=lambda r: r[:2],
    )
)
def test_what_is_dumped_is_parsed(weights: list[tuple[str, str, tuple[int, ...], str]]) -> None:
    entries, offset = [], 0
    for layer, name, shape, kind in weights:
        low, scale = (-0.1, 0.3) if kind.startswith("uint") else (0.0, 1.0)
        entries.append(Entry(layer, name, offset, shape, kind, low, scale))
        offset += entries[-1].nbytes
    assert parse(dump(entries)) == Metadata(tuple(entries))
    shards = [Shard("x", offset)]
    assert parse(dump(entries, shards, "3.1")) == Metadata(tuple(entries), tuple(shards), "3.1")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*row(), *whole(), "file", "bytes"]), inner)
    ),
    max_leaves=6,
)


@given(
    st.sampled_from([row(), second(), row(type="uint8", quantization=QUANT)]),
    st.sampled_from([*row(), "quantization"]),
    JUNK,
)
def test_any_value_under_any_key_of_a_row_is_taken_or_refused(good: dict[str, Any], key: str, junk: Any) -> None:
    for content in (
        [row(), good | {key: junk}],
        [good | {key: junk}],
        whole(weights=[good | {key: junk}]),
        whole(**{key: junk}),
    ):
        _taken_or_refused(json.dumps(content))


@given(st.sampled_from([*whole()]), JUNK)
def test_any_value_under_any_key_of_the_object_is_taken_or_refused(key: str, junk: Any) -> None:
    _taken_or_refused(json.dumps(whole(**{key: junk})))
    _taken_or_refused(json.dumps(junk))


def _taken_or_refused(text: str) -> None:
    with suppress(WeightsError):
        assert isinstance(parse(text), Metadata)
