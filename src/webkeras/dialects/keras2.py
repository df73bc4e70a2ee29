"""Keras 2.0 to 2.15 (and tf_keras): `inbound_nodes` are lists of [layer, call, tensor, kwargs].

Source: keras/engine/network.py and sequential.py, get_config and from_config
"""

from __future__ import annotations

from typing import Any

from webkeras.errors import ConfigError
from webkeras.spec import Call, LayerSpec, Ref, Spec

MODELS = ("Sequential", "Model", "Functional")


def read(data: dict[str, Any], version: str) -> Spec:
    """A whole model's JSON -> Spec."""
    return model(data["class_name"], data["config"], version)


def model(class_name: str, config: Any, version: str) -> Spec:
    """A model, the outermost or a nested one."""
    if class_name not in MODELS:
        raise ConfigError(f"model class {class_name!r}; expected {', '.join(MODELS)}")
    return (sequential if class_name == "Sequential" else functional)(class_name, config, version)


def layer(row: dict[str, Any], version: str) -> LayerSpec:
    """One layer of a model's list, without its calls."""
    class_name, config = row["class_name"], row["config"]
    if class_name in MODELS:
        spec = model(class_name, config, version)
        return LayerSpec(class_name, row.get("name") or spec.name, {}, model=spec)
    inner = config.get("layer")  # of a wrapper, which may wrap a whole model
    wraps = isinstance(inner, dict) and inner.get("class_name") in MODELS
    nested = model(inner["class_name"], inner["config"], version) if wraps else None
    return LayerSpec(class_name, row.get("name") or config["name"], config, model=nested)


def sequential(class_name: str, config: Any, version: str) -> Spec:
    """A chain; the list of layers stood alone before Keras 2.2.3."""
    rows, name = (config, "sequential") if isinstance(config, list) else (config["layers"], config["name"])
    layers = [layer(row, version) for row in rows]
    if not layers:
        raise ConfigError(f"Sequential {name!r} has no layers")
    if layers[0].class_name != "InputLayer":
        layers.insert(0, implied_input(layers[0]))
    for before, here in zip([None, *layers], layers, strict=False):
        here.calls = [Call([Ref(before.name)] if before else [])]
    return Spec(name, class_name, layers, [Ref(layers[0].name)], [Ref(layers[-1].name)], 2, version)


def implied_input(first: LayerSpec) -> LayerSpec:
    """The InputLayer that a Sequential leaves out: its shape stands in the first layer, or comes with the data."""
    inside = first.model.layers[0].config if first.model and first.class_name in MODELS else first.config
    shape = inside.get("batch_input_shape")
    return LayerSpec("InputLayer", f"{first.name}_input", {"name": f"{first.name}_input", "batch_input_shape": shape})


def functional(class_name: str, config: dict[str, Any], version: str) -> Spec:
    """A graph."""
    layers = []
    for row in config["layers"]:
        here = layer(row, version)
        fed = [Call([])] if here.class_name == "InputLayer" else []
        here.calls = [call(node) for node in row["inbound_nodes"]] or fed
        layers.append(here)
    inputs, outputs = ([Ref(*r) for r in rows(config[k])] for k in ("input_layers", "output_layers"))
    return Spec(config["name"], class_name, layers, inputs, outputs, 2, version)


def call(node: list[Any]) -> Call:
    """One inbound node: the tensors in order, and the keyword arguments of the first."""
    kwargs = dict(node[0][3]) if node and len(node[0]) > 3 else {}
    tensors = [Ref(*entry[:3]) for entry in node]
    return Call(tensors if len(tensors) == 1 else [tensors], kwargs)


def rows(x: Any) -> list[Any]:
    """Input or output layers as a list: one stands unwrapped, several may stand in a dict, or in lists of lists."""
    if isinstance(x, dict):
        return [r for v in x.values() for r in rows(v)]
    return [x] if x and isinstance(x[0], str) else [r for v in x for r in rows(v)]
