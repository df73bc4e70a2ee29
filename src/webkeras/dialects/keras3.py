"""Keras 3: `inbound_nodes` are calls, {"args", "kwargs"}, and a graph holds operations beside layers.

An operation (`keras.ops.relu(x)`, or `x + 1`) has its class's name, like a layer: `Add` is either. A `.keras` file
tells them apart by module; an `.h5` file has none, but there a layer has a dtype or can be trained, an operation not.

Source: keras/src/models/functional.py, keras/src/saving/serialization_lib.py
"""

from __future__ import annotations

from typing import Any

from webkeras.dialects.reader import Reader, without_training
from webkeras.errors import ConfigError
from webkeras.spec import Call, LayerSpec, Ref, Spec, snake
from webkeras.text import short

OPERATION = "Operation"
#: Operations that are given a dtype.
TYPED = frozenset("Cast Cumprod Cumsum FullLike MultiHot OneHot OnesLike Prod SaturateCast View ZerosLike".split())


def read(data: dict[str, Any], version: str) -> Spec:
    """A whole model's JSON -> Spec."""
    return Keras3(version).model(data["class_name"], data["config"])


class Keras3(Reader):
    """Keras 3's calls and operations."""

    dialect = 3

    def layer(self, row: dict[str, Any]) -> LayerSpec:
        if is_operation(row):
            config = {k: value(v) for k, v in row["config"].items()}
            return LayerSpec(OPERATION, row["name"], {**config, "function": snake(row["class_name"])})
        return super().layer(row)

    def call(self, node: Any) -> Call:
        """One inbound node: what the layer was called with."""
        if not isinstance(node, dict) or not isinstance(node.get("args"), list):
            raise ConfigError(f"inbound node {short(node)}; expected args and kwargs")
        kwargs = value(node.get("kwargs") or {})
        kwargs.pop("training", None)  # a graph of Keras 3 hands its own on, whatever stands here; images have true
        return Call([value(v) for v in node["args"]], without_training(kwargs))


def is_operation(row: dict[str, Any]) -> bool:
    """Whether a row of a graph is no layer; a Sequential has no rows of calls, and no operations."""
    if "inbound_nodes" not in row:
        return False
    if row.get("module"):
        return str(row["module"]).startswith(("keras.src.ops", "keras.ops"))
    config = row["config"]
    if not isinstance(config, dict) or {"trainable", "layers", "batch_shape"} & set(config):
        return False
    return "dtype" not in config or row["class_name"] in TYPED


def value(x: Any) -> Any:
    """An argument: tensors, slices, Ellipsis and constant arrays stand in dicts."""
    if isinstance(x, list):
        return [value(v) for v in x]
    if not isinstance(x, dict):
        return x
    kind, config = x.get("class_name"), x.get("config") or {}
    if kind == "__keras_tensor__":
        layer, call, tensor = config["keras_history"]
        return Ref(layer, call, tensor)
    if kind == "__slice__":
        return slice(value(config["start"]), value(config["stop"]), value(config["step"]))
    if kind == "__ellipsis__":
        return ...
    if kind in ("__numpy__", "__tensor__"):
        return config["value"]
    if kind == "__lambda__":
        raise ConfigError("a call holds a Python function; code in a file is never run")
    return {k: value(v) for k, v in x.items()}
