"""Weights in files that another file names: those of a TF.js layers model, of Keras' `.weights.json`, of the encoder.

Shards are looked up by name, in the folder of the file that names them or among those a visitor dropped; where they
come from is not asked here.

Source: tfjs-core io/types.ts (ModelJSON, WeightsManifestConfig); keras/src/saving/saving_lib.py (ShardedH5IOStore)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from webkeras.buffer import Buffer
from webkeras.errors import ConfigError, WeightsError
from webkeras.format import QUANTIZED, finite, listed, plain, whole
from webkeras.shapes import Shape, size
from webkeras.text import loads, short
from webkeras.weights import Stored, Tensor, tensor

Shards = Mapping[str, Buffer]  # by name

KINDS = {"float32": "<f4", "float16": "<f2", "uint8": "|u1", "uint16": "<u2", "int32": "<i4", "bool": "|u1"}
MANIFEST, MAP, SHARDS = (
    "weightsManifest",
    "weight_map",
    "shards",
)  # which of them names the files tells whose JSON it is


def told(text: str) -> dict[str, Any]:
    """The JSON of a text that names other files; {} for any other text."""
    if not any(f'"{key}"' in text for key in (MANIFEST, MAP, SHARDS)):
        return {}
    try:
        data = loads(text, "", ConfigError, "")
    except ConfigError:
        return {}  # what is wrong, who reads it for itself says
    return data if isinstance(data, dict) and {MANIFEST, MAP, SHARDS} & set(data) else {}


def named(data: Mapping[str, Any], file: str) -> list[str]:
    """The files that the JSON of `file` names, in order.

    Raises WeightsError for a name that is not one of a file in the same folder.
    """
    if MANIFEST in data:
        return list(dict.fromkeys(name for names, _ in manifest(data, file) for name in names))
    if MAP in data:
        return list(dict.fromkeys(name for names in mapped(data, file) for name in names))
    return [s.file for s in listed(data.get(SHARDS, []), file)]


def joined(names: Sequence[str], shards: Shards, file: str) -> Buffer:
    """Shards as one buffer. Raises WeightsError where one is missing."""
    parts = [shard(name, shards, file) for name in names]
    return parts[0] if len(parts) == 1 else parts[0].followed(parts[1:])


def shard(name: str, shards: Shards, file: str) -> Buffer:
    """One of the files that `file` names."""
    if name not in shards:
        raise WeightsError(f"{file}: names the file {name!r}, which is not here; give it too, among the weights")
    return shards[name]


def topology(data: Mapping[str, Any], file: str) -> tuple[Any, str | None, str]:
    """A TF.js layers model: (the model's JSON, the Keras that wrote it, its backend).

    TF.js itself means what Keras 2.2.4 meant on TensorFlow 1. Raises ConfigError, naming the file.
    """
    top = data.get("modelTopology")
    if data.get("format") == "graph-model" or not isinstance(top, dict) or "node" in top:
        raise ConfigError(f"{file}: a TF.js graph model, which keeps no layers; expected a layers model")
    config, version = (
        top.get("model_config", {k: top[k] for k in ("class_name", "config") if k in top}),
        top.get("keras_version"),
    )
    version = "2.2.4" if str(version).startswith("tfjs") else version
    return config, version if isinstance(version, str) else None, str(top.get("backend") or "")


def manifest(data: Mapping[str, Any], file: str) -> list[tuple[list[str], list[Any]]]:
    """The groups of a TF.js model's weightsManifest: (files, weights). Raises WeightsError."""
    groups = data.get("weightsManifest")
    fits = isinstance(groups, list) and all(
        isinstance(g, dict) and isinstance(g.get("paths"), list) and isinstance(g.get("weights"), list) for g in groups
    )
    if not fits or not isinstance(groups, list):
        raise WeightsError(f"{file}: weightsManifest {short(groups)}; expected a list of paths and weights")
    return [
        ([plain(p.removeprefix("./") if isinstance(p, str) else p, file) for p in g["paths"]], g["weights"])
        for g in groups
    ]


def tensorflow_js(data: Mapping[str, Any], shards: Shards, file: str) -> list[Tensor]:
    """The weights of a TF.js layers model in the order of the manifest, which does not say whose they are.

    Raises WeightsError, naming the file and the weight.
    """
    tensors: list[Tensor] = []
    for names, rows in manifest(data, file):
        if not names:
            continue
        buffer, offset = joined(names, shards, file), 0
        for row in rows:
            found, nbytes = _manifested(row, buffer, offset, file)
            tensors.append(found)
            offset += nbytes
        if offset != buffer.nbytes:
            held = f"{', '.join(names)} hold {buffer.nbytes} bytes"
            raise WeightsError(f"{file}: {held}, but the manifest describes {offset}; fetch them whole")
    return tensors


def _manifested(row: Any, buffer: Buffer, offset: int, file: str) -> tuple[Tensor, int]:
    """(weight, bytes it takes) of a manifest's row."""
    name, packed = (row.get("name"), row.get("quantization") or {}) if isinstance(row, dict) else (None, {})
    shape: Shape = tuple(row["shape"]) if isinstance(name, str) and isinstance(row.get("shape"), list) else (-1,)
    kind = packed.get("dtype", row.get("dtype")) if isinstance(packed, dict) and isinstance(name, str) else None
    if not isinstance(name, str) or kind not in list(KINDS) or not all(map(whole, shape)):
        raise WeightsError(f"{file}: weight {short(row)}; expected a name, a shape and one of {', '.join(KINDS)}")
    nbytes = size(shape) * int(KINDS[kind][2:])
    if offset + nbytes > buffer.nbytes:
        raise WeightsError(f"{file}: weight {name!r} ends at byte {offset + nbytes}, but there are {buffer.nbytes}")
    if packed and kind in QUANTIZED:
        low, scale = packed.get("min", ""), packed.get("scale", "")
        if not finite(low) or not finite(scale):
            raise WeightsError(
                f"{file}: weight {name!r} is quantised by {short(packed)}; expected a finite min and scale"
            )
        return Tensor("", name, shape, kind, buffer, offset, float(low), float(scale)), nbytes
    return tensor("", name, shape, KINDS[kind], buffer, offset, file), nbytes


def mapped(data: Mapping[str, Any], file: str) -> list[list[str]]:
    """Keras' `.weights.json`: the files that hold the variables of each object. Raises WeightsError."""
    found = data.get(MAP)
    if not isinstance(found, dict):
        raise WeightsError(f"{file}: weight_map {short(found)}; expected files by the path of what they hold")
    return [[plain(n, file) for n in (v if isinstance(v, list) else [v])] for v in found.values()]


def merged(trees: Iterable[Stored], file: str) -> Stored:
    """Trees of several files as one; an object's variables may be spread over them. Raises WeightsError."""
    out = Stored()
    inside: dict[str, list[Stored]] = {}
    for tree in trees:
        out.tensors += tree.tensors
        for name, child in tree.children.items():
            inside.setdefault(name, []).append(child)
    out.tensors.sort(key=lambda t: (len(t.name), t.name))
    for one, other in zip(out.tensors, out.tensors[1:], strict=False):
        if one.name == other.name:
            raise WeightsError(
                f"{file}: variable {one.name} of {one.layer} stands in two of its files; expected each once"
            )
    out.children = {name: merged(parts, file) for name, parts in inside.items()}
    return out
