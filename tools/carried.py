"""Models of other formats as ours: TF.js layers models, EfficientNet-Lite0's torch weights. No framework needed."""

from __future__ import annotations

import json
import pickle
import struct
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from webkeras import format as layout

# As Keras keeps a layer's weights; TF.js files have them in the order of the alphabet.
ORDER = "depthwise_kernel pointwise_kernel kernel gamma beta bias moving_mean moving_variance".split()
BYTES = {"float32": 4, "float16": 2, "uint8": 1, "uint16": 2, "int32": 4}


def write(folder: Path, name: str, model: dict[str, Any], rows: list[tuple[str, str, Any, float, float]]) -> None:
    """The three files of a model; rows are (layer, weight, array, min, scale), in the file's order."""
    folder.mkdir(parents=True, exist_ok=True)
    entries, offset = [], 0
    with open(folder / f"{name}_weights.buf", "wb") as buf:
        for layer, weight, array, low, scale in rows:
            entries.append(layout.Entry(layer, weight, offset, array.shape, array.dtype.name, low, scale))
            offset += buf.write(np.ascontiguousarray(array).tobytes())
    (folder / f"{name}_metadata.json").write_text(layout.dump(entries, [], model["keras_version"]))
    (folder / f"{name}.json").write_text(json.dumps(model, separators=(",", ":")))


def tfjs(document: dict[str, Any], data: bytes, folder: Path, name: str) -> None:
    """A TF.js layers model (model.json as a dict, its shards joined) -> our files; what is quantised stays so."""
    topology, at, rows = document["modelTopology"], 0, []
    for group in document["weightsManifest"]:
        for w in group["weights"]:
            q = w.get("quantization", {})
            dtype, count = q.get("dtype", w["dtype"]), int(np.prod(w["shape"]))
            array = np.frombuffer(data, np.dtype(dtype).newbyteorder("<"), count, at).reshape(w["shape"])
            at += count * BYTES[dtype]
            layer, _, weight = w["name"].rpartition("/")
            rows.append((layer, f"{layer}/{weight}:0", array, q.get("min", 0.0), q.get("scale", 1.0)))
    if at != len(data):
        raise ValueError(f"{name}: {len(data)} bytes of weights, the manifest describes {at}")
    rows.sort(key=lambda r: ORDER.index(r[1].rpartition("/")[2].removesuffix(":0")))
    layers = [spec["config"]["name"] for spec in topology["model_config"]["config"]["layers"]]
    rows.sort(key=lambda r: layers.index(r[0]))  # stable: within a layer, Keras' order
    model = {**topology["model_config"], "keras_version": topology["keras_version"].removeprefix("v").split("-")[0]}
    write(folder, name, model, rows)


# EfficientNet-Lite0 (Tan and Le 2019; "lite": relu6, nothing squeezed): repeats, kernel, stride, expand, filters.
BLOCKS = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192)]
BLOCKS += [(1, 3, 1, 6, 320)]


class Builder:
    """Layers of a functional model, each after the one before, and where in the torch file their weights are."""

    def __init__(self) -> None:
        self.layers: list[dict[str, Any]] = []
        self.sources: list[tuple[str, str, str, tuple[int, ...]]] = []  # layer, weight, torch name, axes
        self.last = ""

    def add(self, kind: str, name: str, *more: str, **config: Any) -> str:
        reads = [[x, 0, 0, {}] for x in (self.last, *more) if x]
        layer = {"class_name": kind, "name": name, "config": {"name": name, **config}}
        self.layers.append({**layer, "inbound_nodes": [reads] if reads else []})
        self.last = name
        return name

    def conv(self, name: str, filters: int, size: int, stride: int, torch: str, norm: str, act: bool = True) -> None:
        common = {"kernel_size": [size, size], "strides": [stride, stride], "padding": "same", "use_bias": False}
        if filters:
            self.add("Conv2D", name, filters=filters, **common)
            self.sources.append((name, "kernel", f"{torch}.weight", (2, 3, 1, 0)))
        else:
            self.add("DepthwiseConv2D", name, **common)
            self.sources.append((name, "depthwise_kernel", f"{torch}.weight", (2, 3, 0, 1)))
        self.add("BatchNormalization", f"{name}_bn", axis=[3], epsilon=1e-3)
        for ours, theirs in {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean"}.items():
            self.sources.append((f"{name}_bn", ours, f"{norm}.{theirs}", (0,)))
        self.sources.append((f"{name}_bn", "moving_variance", f"{norm}.running_var", (0,)))
        if act:
            self.add("ReLU", f"{name}_activation", max_value=6.0)


def efficientnet_lite0(file: Path, folder: Path, name: str = "efficientnet_lite0") -> None:
    """The torch weights -> our files, in float16. (n, 224, 224, 3), (v - 127) / 128 -> (n, 1000).

    The classifier stands before the pooling, as a 1 x 1 convolution: both are linear, so the answer is the same, and
    the layer `classes` is the class activation map of every class.
    """
    b, i = Builder(), 0
    b.add("InputLayer", "image", batch_input_shape=[None, 224, 224, 3], dtype="float32")
    b.conv("stem", 32, 3, 2, "_conv_stem", "_bn0")
    channels = 32
    for repeats, size, stride, expand, filters in BLOCKS:
        for r in range(repeats):
            before, torch = b.last, f"_blocks.{i}"
            if expand > 1:
                b.conv(f"block{i}_expand", channels * expand, 1, 1, f"{torch}._expand_conv", f"{torch}._bn0")
            b.conv(f"block{i}_depthwise", 0, size, 1 if r else stride, f"{torch}._depthwise_conv", f"{torch}._bn1")
            b.conv(f"block{i}_project", filters, 1, 1, f"{torch}._project_conv", f"{torch}._bn2", act=False)
            if r:
                b.add("Add", f"block{i}_add", before)
            channels, i = filters, i + 1
    b.conv("top", 1280, 1, 1, "_conv_head", "_bn1")
    b.add("Conv2D", "classes", filters=1000, kernel_size=[1, 1])
    b.sources += [("classes", "kernel", "_fc.weight", (1, 0)), ("classes", "bias", "_fc.bias", (0,))]
    b.add("GlobalAveragePooling2D", "mean")
    b.add("Activation", "label", activation="softmax")

    found = dict(state_dict(file))
    rows = []
    for layer, weight, source, axes in b.sources:
        array = found.pop(source).transpose(axes)
        array = array[None, None] if source == "_fc.weight" else array
        rows.append((layer, f"{layer}/{weight}:0", array.astype("<f2" if array.size > 2000 else "<f4"), 0.0, 1.0))
    if left := [k for k in found if not k.endswith("num_batches_tracked")]:
        raise ValueError(f"{file.name}: nobody took {left}")
    config = {"name": name, "layers": b.layers, "input_layers": [["image", 0, 0]], "output_layers": [["label", 0, 0]]}
    write(folder, name, {"class_name": "Functional", "config": config, "keras_version": "2.15.0"}, rows)


class Tensors(pickle.Unpickler):
    """Reads a state dict and nothing else: the only names it knows are those of tensors."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in ("FloatStorage", "LongStorage"):
            return name
        raise pickle.UnpicklingError(f"the state dict holds {module}.{name}; expected tensors only")

    def persistent_load(self, pid: Any) -> Any:
        return pid


def state_dict(path: Path) -> Iterator[tuple[str, Any]]:
    """(name, array) of a torch file in its first format: four pickles, the names of storages, the storages."""
    with open(path, "rb") as file:
        _, _, _, described, keys = (Tensors(file).load() for _ in range(5))
        storages = {key: storage(file, kinds(described)[key]) for key in keys}
    for name, (pid, offset, shape, strides) in described.items():
        flat = storages[pid[2]][offset:]
        yield name, np.lib.stride_tricks.as_strided(flat, shape, [s * flat.itemsize for s in strides], writeable=False)


def kinds(described: dict[str, Any]) -> dict[str, str]:
    return {pid[2]: pid[1] for pid, *_ in described.values()}


def storage(file: BinaryIO, kind: str) -> Any:
    dtype = np.dtype("<f4" if kind == "FloatStorage" else "<i8")
    (count,) = struct.unpack("<q", file.read(8))
    return np.frombuffer(file.read(count * dtype.itemsize), dtype)
