"""Files as Keras saves them -> Spec and weights: `.keras`, `.h5`, `.weights.h5`, or JSON with any of the weight files,
or a TF.js layers model.

What a file is says its content, not its name. Weights stay byte ranges of the buffer that was handed in.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from webkeras import dialects, hdf5, shards
from webkeras.buffer import Buffer, HostBuffer
from webkeras.errors import ConfigError, WeightsError
from webkeras.hdf5.structure import SIGNATURE
from webkeras.shards import Shards
from webkeras.spec import Spec
from webkeras.text import loads
from webkeras.weights import Found, Stored, Tensor, Weights, tensor
from webkeras.weights import read as read_listed

WEIGHTS = "model.weights.h5"
ASSET = re.compile(r"assets(/[^/]+){1,99}/vocabulary\.txt")  # of a layer that was adapted, at the place of its weights
LARGEST_TEXT = 256 << 20
RATIO = 1032  # deflate cannot do better
BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, KeyError, NotImplementedError)


# What else is taken for a model's file: how it begins, or what it is called; and what it is.
BEGINS = {
    rb"\s*<(?i:!doctype|html|\?xml)": "a web page, not a model; does the server have the file at that address?",
    rb"version https://git-lfs": "only Git LFS' note of where the file is kept; fetch the file itself (git lfs pull)",
    rb".{4}TFL3": "a model of TensorFlow Lite",
}
CALLED = {
    r"\.tflite": "a model of TensorFlow Lite",
    r"\.pb": "a graph of TensorFlow (SavedModel)",
    r"\.onnx": "an ONNX model",
    r"\.safetensors": "weights without a model",
    r"\.(pt|pth|ckpt)": "a file of PyTorch",
    r"\.(npy|npz|pkl|pickle)": "Python's arrays or objects",
}
FROM_KERAS = "webkeras reads what Keras saved, as with model.save('NAME.keras')"


@dataclass(frozen=True)
class File:
    """Bytes and the name to call them by in errors."""

    buffer: Buffer
    name: str

    @property
    def kind(self) -> str:
        """ "hdf5", "zip", or "text" for whatever else."""
        head = self.buffer.read(0, min(8, self.buffer.nbytes))
        return "hdf5" if head == SIGNATURE else "zip" if head[:4] == b"PK\x03\x04" else "text"

    def text(self) -> str:
        """All of it, decoded. Raises ConfigError, saying what it is where it is something else."""
        if self.buffer.nbytes > LARGEST_TEXT:
            raise ConfigError(f"{self.name}: {self.buffer.nbytes} bytes; expected a model's JSON")
        if not self.buffer.nbytes:
            raise ConfigError(f"{self.name}: an empty file; fetch it again, or save the model again")
        if known := self.known():
            raise ConfigError(f"{self.name}: {known}")
        data = self.buffer.read(0, self.buffer.nbytes)
        try:
            return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        except UnicodeDecodeError:
            raise ConfigError(f"{self.name}: neither .keras, HDF5 nor JSON; {FROM_KERAS}") from None

    def known(self) -> str:
        """What a file that is no model of Keras' is, and what to do; "" where nobody knows."""
        head = self.buffer.read(0, min(64, self.buffer.nbytes))
        whole = [what for begins, what in BEGINS.items() if re.match(begins, head, re.DOTALL)]
        other = [what for ends, what in CALLED.items() if re.search(f"(?i:{ends})$", self.name)]
        found = [*whole, *other]
        return "" if not found else found[0] if ";" in found[0] else f"{found[0]}; {FROM_KERAS}"


Opener = Callable[[Buffer, str], Any]  # HDF5 bytes and the file's name -> root group, ours or one like it


@dataclass(frozen=True)
class Contents:
    """What a file holds: the architecture's JSON, the Keras that wrote it and its backend, its weights; None for what
    it has not."""

    architecture: str | None
    version: str | None
    weights: Found | None
    backend: str = ""


NONE: Shards = {}


def contents(file: File, opener: Opener = hdf5.open_file, with_weights: bool = True, others: Shards = NONE) -> Contents:
    """A model's file, taken apart; `others` are the files that it names.

    Raises ConfigError or WeightsError, naming the file.
    """
    if file.kind == "zip":
        return archived(file, opener, with_weights)
    if file.kind == "text":
        return textual(file, opener, with_weights, others)
    root = opener(file.buffer, file.name)
    config, version = (root.attrs.get(k) for k in ("model_config", "keras_version"))
    found = h5_weights(root, file.name) if with_weights else None
    backend = str(root.attrs.get("backend") or "")
    return Contents(config if isinstance(config, str) else None, str(version) if version else None, found, backend)


def textual(file: File, opener: Opener, with_weights: bool, others: Shards) -> Contents:
    """A model's JSON: Keras', or TF.js' with its weights in files of their own; or Keras' list of files of weights."""
    text = file.text()
    told = shards.told(text)
    if shards.MANIFEST in told:
        config, version, backend = shards.topology(told, file.name)
        found = shards.tensorflow_js(told, others, file.name) if with_weights else None
        return Contents(json.dumps(config), version, found, backend)
    if shards.MAP in told:
        parts = [(n, shards.shard(n, others, file.name)) for n in shards.named(told, file.name)]
        trees = [h5_weights(opener(buffer, name), name) for name, buffer in parts]
        return Contents(None, None, shards.merged((t for t in trees if isinstance(t, Stored)), file.name))
    return Contents(text, None, None)


def named(files: Mapping[str, File]) -> dict[str, list[str]]:
    """The files that a model's files ("model", "weights", "metadata") name, which must lie beside them, by who it is.

    Weights with metadata are numbers whatever they look like, and metadata with weights need no shards.
    Raises WeightsError for other names.
    """
    silent = {"weights", "metadata"} if {"weights", "metadata"} <= set(files) else set()
    return {kind: _named(file) for kind, file in files.items() if kind not in silent}


def _named(file: File) -> list[str]:
    if file.kind != "text" or file.buffer.read(0, 1) != b"{":
        return []
    return shards.named(shards.told(file.text()), file.name)


def open_model(
    model: File,
    weights: File | None = None,
    metadata: File | None = None,
    keras_version: str | None = None,
    others: Shards = NONE,
) -> tuple[Spec, Found]:
    """The Spec of a model file, and its weights: those in the file, or those of a file of their own.

    `others` are the files that one of the three names (see `named`), by name.
    Raises ConfigError or WeightsError, naming the file.
    """
    if weights is not None and weights.name in _named(model):
        others, weights = {**others, weights.name: weights.buffer}, None
    held = contents(model, with_weights=weights is None, others=others)
    if held.architecture is None:
        raise ConfigError(f"{model.name}: holds weights only; expected the model's JSON first, and this as weights")
    old = "1" if model.kind == "hdf5" else None  # Keras 1 did not always say so
    spec = dialects.read(held.architecture, model.name, held.version or keras_version or old)
    spec.backend = held.backend or spec.backend
    if weights is None and metadata is None:
        return spec, {} if held.weights is None else held.weights
    return spec, read_weights(weights, metadata, others)


def read_weights(weights: File | None, metadata: File | None, others: Shards = NONE) -> Found:
    """The weights of a file of their own: the encoder's with its metadata, HDF5, or those of a `.keras`."""
    if metadata is not None:
        if weights is None:
            names = _named(metadata)
            if not names:
                raise WeightsError(f"{metadata.name}: metadata without weights; expected both or neither")
            weights = File(shards.joined(names, others, metadata.name), f"the files of {metadata.name}")
        return read_listed(metadata.text(), weights.buffer, weights.name)
    if weights is None or (weights.kind == "text" and not _named(weights)):
        name = weights.name if weights else "weights"
        raise WeightsError(f"{name}: weights of the encoder need their metadata; give NAME_metadata.json too")
    found = contents(weights, others=others).weights
    return {} if found is None else found


def archived(file: File, opener: Opener, with_weights: bool) -> Contents:
    """A `.keras` file: config.json, metadata.json and model.weights.h5 in a zip."""
    try:
        with zipfile.ZipFile(io.BufferedReader(Raw(file.buffer))) as archive:
            members = {i.filename: i for i in archive.infolist()}
            for name in ("config.json", "metadata.json"):
                if name not in members:
                    known = file.known() or f"a zip without {name}; {FROM_KERAS}"
                    raise ConfigError(f"{file.name}: {known}")
            config, about = (
                unpacked(file, archive, members[n], LARGEST_TEXT).decode() for n in ("config.json", "metadata.json")
            )
            held: Buffer | None = None
            if with_weights and WEIGHTS in members:
                held = member(file, archive, members[WEIGHTS])
            words = {n: i for n, i in members.items() if ASSET.fullmatch(n)}
            texts = {n: unpacked(file, archive, i, LARGEST_TEXT).decode() for n, i in words.items()}
    except BAD_ZIP as e:
        raise ConfigError(f"{file.name}: a damaged .keras file ({' '.join(str(e).split())}); fetch it whole") from None
    told = loads(about, f"{file.name}: metadata.json", ConfigError, "what Keras wrote")
    version = told.get("keras_version") if isinstance(told, dict) else None
    if with_weights and held is None and any(n.endswith(".npz") for n in members):
        raise WeightsError(
            f"{file.name}: keeps its weights as Python's pickles (.npz), which can run code; save it with HDF5"
        )
    if with_weights and held is None:
        raise WeightsError(f"{file.name}: has no {WEIGHTS}; expected a .keras file with HDF5 weights")
    found = None if held is None else h5_weights(opener(held, file.name), file.name)
    for name, text in texts.items():
        place = found if isinstance(found, Stored) else Stored()
        for part in name.split("/")[1:-1]:
            place = place.children.setdefault(part, Stored())
        place.vocabulary = text.split("\n")
    return Contents(config, str(version) if version else None, found)


def unpacked(file: File, archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """A member's bytes, no more than its size and what deflate can do allow."""
    if info.file_size > min(limit, info.compress_size * RATIO + 64) or info.compress_size > file.buffer.nbytes:
        raise ConfigError(
            f"{file.name}: {info.filename} claims {info.file_size} bytes of {info.compress_size} stored ones"
        )
    return archive.read(info)


def member(file: File, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Buffer:
    """A member as a buffer: a range of the file where it is stored as it is."""
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        return HostBuffer(unpacked(file, archive, info, 1 << 40))
    with archive.open(info):  # checks the local header
        pass
    head = file.buffer.read(info.header_offset + 26, 4)
    start = info.header_offset + 30 + int.from_bytes(head[:2], "little") + int.from_bytes(head[2:], "little")
    if start + info.file_size > file.buffer.nbytes:
        raise WeightsError(f"{file.name}: {info.filename} ends behind the end of the file; fetch it whole")
    return file.buffer.part(start, info.file_size)


class Raw(io.RawIOBase):
    """A buffer as a file to seek in."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer, self.at = buffer, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        at = offset + (0, self.at, self.buffer.nbytes)[whence]
        if at < 0:
            raise OSError("a seek before the start")
        self.at = at
        return self.at

    def tell(self) -> int:
        return self.at

    def readinto(self, into: Any) -> int:
        data = self.buffer.read(self.at, max(0, min(len(into), self.buffer.nbytes - self.at)))
        into[: len(data)] = data
        self.at += len(data)
        return len(data)


def h5_weights(root: Any, file: str) -> Weights | Stored:
    """The weights of an HDF5 file, of either layout."""
    inner = root.group("model_weights")
    for group in (root, inner):
        if group is not None and ("layer_names" in group.attrs or "layer_names0" in group.attrs):
            return listed(group, file)
    for name in ("layers", "_layer_checkpoint_dependencies", "vars"):
        if root.group(name) is not None:
            return tree(root, "", file, set())
    raise WeightsError(
        f"{file}: HDF5, but neither Keras' layer_names nor layers are in it; expected a file Keras saved"
    )


def listed(root: Any, file: str) -> Weights:
    """Weights by layer name: `layer_names`, and in each layer's group `weight_names`."""
    found: dict[str, list[Tensor]] = {}
    for layer in strings(root, "layer_names", file):
        group = root.group(layer)
        if group is None:
            raise WeightsError(f"{file}: the list of layers names {layer!r}, but the file does not hold it")
        if layer in found:
            raise WeightsError(f"{file}: the list of layers names {layer!r} twice; expected each once")
        found[layer] = []
        names = strings(group, "weight_names", file)
        if twice := {n for n in names if names.count(n) > 1}:
            raise WeightsError(f"{file}: layer {layer!r} names the weight {min(twice)!r} twice; expected each once")
        for name in names:
            data = group.dataset(name)
            if data is None:
                raise WeightsError(f"{file}: layer {layer!r} names the weight {name!r}, but the file does not hold it")
            found[layer].append(placed(data, layer, name, file))
    return dict(found)


def strings(group: Any, name: str, file: str) -> list[str]:
    """A list of names; Keras splits one above 64 kB into name0, name1, ..."""
    if name in group.attrs:
        parts = [group.attrs[name]]
    else:
        count = next(i for i in range(len(group.attrs) + 1) if f"{name}{i}" not in group.attrs)
        parts = [group.attrs[f"{name}{i}"] for i in range(count)]
    if not parts:
        raise WeightsError(f"{file}: {group.name} has no attribute {name!r}; expected a file Keras saved")
    out = [n for part in parts for n in (part if isinstance(part, list) else [part])]
    if not all(isinstance(n, str) for n in out):
        raise WeightsError(f"{file}: {group.name}: {name!r} holds no names")
    return out


def tree(group: Any, path: str, file: str, seen: set[int], depth: int = 0) -> Stored:
    """Keras 3's layout: `vars` holds an object's own variables by number, other groups the objects inside."""
    out = Stored()
    if depth > 100:
        raise WeightsError(f"{file}: groups nest too deep at {path}")
    for name in group:
        if name == "optimizer" and not path:
            continue
        inside = group.group(name)
        where = f"{path}/{name}".lstrip("/")
        if inside is None:
            continue
        if group.links[name] in seen:
            raise WeightsError(f"{file}: {where} is there twice; expected a tree")
        seen.add(group.links[name] or 0)
        if name == "vars":
            keys = sorted(inside, key=lambda k: (len(k), k))
            data = [(k, inside.dataset(k)) for k in keys]
            out.tensors = [placed(d, "", k, file, where) for k, d in data if d is not None]
        else:
            out.children[name] = tree(inside, where, file, seen, depth + 1)
    return out


def placed(data: Any, layer: str, name: str, file: str, where: str = "") -> Tensor:
    """A dataset as a weight."""
    buffer, offset = data.bytes()
    code = "|V2" if data.attrs.get("dtype") == "bfloat16" and data.type.code == "|V2" else data.type.code
    return tensor(layer or where, name, data.shape, code, buffer, offset, file)
