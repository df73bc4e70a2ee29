"""The weight format: raw little-endian tensors one after another, and a JSON list that says which is where.

    NAME_metadata.json   [{"layer_name", "weight_name", "offset" (bytes), "length" (elements), "shape", "type"}, ...]
                         or {"format": "webkeras-1", "keras_version", "shards": [{"file", "bytes"}], "weights": [...]}
    NAME_weights.buf     C order, no header, no padding; the shards, joined, are one such file

`type` is "float32", "float16", or "uint8" / "uint16" with {"quantization": {"scheme": "linear", "min", "scale"}},
where a value is min + scale * q. The list without the optional keys is Keras.js' format, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webkeras.errors import WeightsError
from webkeras.shapes import Shape, size
from webkeras.text import loads, short

FORMAT = "webkeras-1"
BYTES = {"float32": 4, "float16": 2, "uint16": 2, "uint8": 1}
QUANTIZED = ("uint8", "uint16")
KEYS = {"layer_name", "weight_name", "offset", "length", "shape", "type"}
OPTIONAL = {"quantization"}
FLOAT32_MAX = 3.4028234663852886e38


@dataclass(frozen=True)
class Entry:
    """One tensor of a weight file. `min` and `scale` are 0 and 1 unless it is quantised."""

    layer: str
    name: str
    offset: int
    shape: Shape
    type: str
    min: float = 0.0
    scale: float = 1.0

    @property
    def nbytes(self) -> int:
        return size(self.shape) * BYTES[self.type]


@dataclass(frozen=True)
class Shard:
    """One file of several that joined make the weights."""

    file: str
    bytes: int


@dataclass(frozen=True)
class Metadata:
    """All of a metadata file, checked."""

    entries: tuple[Entry, ...]
    shards: tuple[Shard, ...] = ()
    keras_version: str | None = None

    @property
    def nbytes(self) -> int:
        return sum(e.nbytes for e in self.entries)


def parse(text: str, file: str = "metadata") -> Metadata:
    """Read and check a metadata file: types, sizes, no holes, no overlaps, names unique.

    Raises WeightsError, naming file, layer and weight.
    """
    data = loads(text, file, WeightsError, "what the encoder wrote")
    version: str | None = None
    shards: tuple[Shard, ...] = ()
    if isinstance(data, dict):
        if data.get("format") != FORMAT:
            raise WeightsError(f"{file}: format {data.get('format')!r}; expected {FORMAT!r} or a plain list")
        if unknown := set(data) - {"format", "keras_version", "shards", "weights"}:
            raise WeightsError(f"{file}: unknown key {min(unknown)!r}; expected format, keras_version, shards, weights")
        if not isinstance(data.get("keras_version"), str | None):
            raise WeightsError(f"{file}: keras_version {data['keras_version']!r}; expected text such as '2.0.5'")
        version, shards, data = data.get("keras_version"), listed(data.get("shards", []), file), data.get("weights")
    if not isinstance(data, list):
        raise WeightsError(f"{file}: holds no list of weights; expected what the encoder wrote")
    entries, end, seen = [], 0, set()
    for i, row in enumerate(data):
        e = _entry(row, f"{file}: weight {i}")
        if e.offset != end:
            what = "overlaps the one before" if e.offset < end else "leaves a hole before it"
            raise WeightsError(f"{file}: {e.layer!r} {e.name!r} starts at byte {e.offset} and {what}; expected {end}")
        if (e.layer, e.name) in seen:
            raise WeightsError(f"{file}: {e.layer!r} {e.name!r} stands there twice; expected each weight once")
        seen.add((e.layer, e.name))
        end += e.nbytes
        entries.append(e)
    if shards and sum(s.bytes for s in shards) != end:
        raise WeightsError(f"{file}: the shards hold {sum(s.bytes for s in shards)} bytes, the weights need {end}")
    return Metadata(tuple(entries), shards, version)


def _entry(row: Any, where: str) -> Entry:
    if not isinstance(row, Mapping) or not set(row) >= KEYS:
        missing = sorted(KEYS - set(row)) if isinstance(row, Mapping) else sorted(KEYS)
        raise WeightsError(f"{where}: has no {', '.join(map(repr, missing))}; expected what the encoder wrote")
    where = f"{where} ({row['layer_name']!r} {row['weight_name']!r})"
    if not isinstance(row["layer_name"], str) or not isinstance(row["weight_name"], str):
        raise WeightsError(f"{where}: layer and weight names must be text")
    if unknown := set(row) - KEYS - OPTIONAL:
        raise WeightsError(f"{where}: unknown key {min(unknown)!r}; expected {', '.join(sorted(KEYS | OPTIONAL))}")
    if row["type"] not in list(BYTES):  # not hashed: it may be anything
        raise WeightsError(f"{where}: type {row['type']!r}; expected one of {', '.join(BYTES)}")
    shape, numbers = row["shape"], (row["offset"], row["length"])
    if not isinstance(shape, list) or not all(whole(n) for n in (*shape, *numbers)):
        raise WeightsError(
            f"{where}: offset, length and shape must be whole numbers, not negative; found {shape}, {numbers}"
        )
    if size(shape) != row["length"]:
        raise WeightsError(f"{where}: length {row['length']}, but the shape {shape} has {size(shape)} elements")
    low, scale = 0.0, 1.0
    if (row["type"] in QUANTIZED) != ("quantization" in row):
        raise WeightsError(
            f"{where}: type {row['type']} {'needs' if row['type'] in QUANTIZED else 'takes no'} 'quantization'"
        )
    if "quantization" in row:
        q = row["quantization"]
        fits = isinstance(q, Mapping) and q.get("scheme") == "linear" and set(q) == {"scheme", "min", "scale"}
        if not fits or not all(finite(q[k]) for k in ("min", "scale")):
            raise WeightsError(f"{where}: quantization {q!r}; expected scheme 'linear', a finite min and scale")
        low, scale = float(q["min"]), float(q["scale"])
    return Entry(row["layer_name"], row["weight_name"], row["offset"], tuple(shape), row["type"], low, scale)


def whole(n: Any) -> bool:
    return isinstance(n, int) and not isinstance(n, bool) and n >= 0


def finite(n: Any) -> bool:
    return isinstance(n, int | float) and not isinstance(n, bool) and -FLOAT32_MAX <= n <= FLOAT32_MAX


def listed(rows: Any, file: str) -> tuple[Shard, ...]:
    """The shards that a metadata file lists. Raises WeightsError."""
    if not isinstance(rows, list):
        raise WeightsError(f"{file}: shards {rows!r}; expected a list")
    shards = []
    for row in rows:
        fits = isinstance(row, Mapping) and set(row) == {"file", "bytes"}
        if not fits or not isinstance(row["file"], str) or not whole(row["bytes"]):
            raise WeightsError(f"{file}: shard {row!r}; expected a file name and its bytes")
        shards.append(Shard(plain(row["file"], file), row["bytes"]))
    return tuple(shards)


def plain(name: Any, file: str) -> str:
    """The name of a file that `file` names. Raises WeightsError unless it lies in the same folder."""
    if not isinstance(name, str) or not name or any(c in name for c in "/\\:?#\0") or name.startswith("."):
        raise WeightsError(f"{file}: shard file {short(name)}; expected a plain name in the same folder")
    return name


def dump(entries: Sequence[Entry], shards: Sequence[Shard] = (), keras_version: str | None = None) -> str:
    """The metadata file's text: the plain list, or the object form where there are shards."""
    rows = []
    for e in entries:
        row: dict[str, Any] = {
            "layer_name": e.layer,
            "weight_name": e.name,
            "offset": e.offset,
            "length": size(e.shape),
            "shape": list(e.shape),
            "type": e.type,
        }
        if e.type in QUANTIZED:
            row["quantization"] = {"scheme": "linear", "min": e.min, "scale": e.scale}
        rows.append(row)
    if not shards:
        return json.dumps(rows)
    whole = {"format": FORMAT, "keras_version": keras_version}
    return json.dumps({**whole, "shards": [{"file": s.file, "bytes": s.bytes} for s in shards], "weights": rows})
