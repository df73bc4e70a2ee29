"""What the JSON of all Keras has in common: models of layers that call each other, to any depth.

Source: get_config and from_config of Sequential and Functional, in Keras 2 (engine/network.py, sequential.py) and 3
(models/functional.py, sequential.py)
"""

from __future__ import annotations

from typing import Any, ClassVar

from webkeras.errors import ConfigError
from webkeras.spec import Call, LayerSpec, Ref, Spec, flat, replace
from webkeras.text import short

MODELS = ("Sequential", "Model", "Functional")


class Reader:
    """Reads one dialect; a subclass says how a call stands in the file."""

    dialect: ClassVar[int]

    def __init__(self, version: str) -> None:
        self.version = version

    def call(self, node: Any) -> Call:
        """One entry of `inbound_nodes`."""
        raise NotImplementedError

    def model(self, class_name: str, config: Any) -> Spec:
        """A model, the outermost or a nested one."""
        if class_name == "Sequential":
            return self.sequential(config)
        if class_name not in MODELS and not is_functional(config):
            raise ConfigError(f"model class {short(class_name)}; expected {', '.join(MODELS)}")
        return self.functional(class_name, config)

    def layer(self, row: dict[str, Any]) -> LayerSpec:
        """One layer of a model's list, without its calls."""
        class_name, config = text(row["class_name"]).rpartition(">")[2], row["config"]
        name, shared = row.get("name"), row.get("shared_object_id")
        if class_name in MODELS or is_functional(config):
            nested = self.model(class_name, config)
            nested.name = text(name or nested.name)
            return LayerSpec(class_name, nested.name, {}, model=nested, shared=shared)
        if not isinstance(config, dict):
            raise ConfigError(f"layer {name!r} ({class_name}) has no config")
        inner = config.get("layer")
        wrapped = self.layer(inner).model if isinstance(inner, dict) and "class_name" in inner else None
        return LayerSpec(class_name, text(name or config["name"]), config, model=wrapped, shared=shared)

    def sequential(self, config: Any) -> Spec:
        """A chain; the list of layers stood alone before Keras 2.2.3."""
        rows, name = (config, "sequential") if isinstance(config, list) else (config["layers"], config.get("name"))
        layers = [self.layer(row) for row in rows]
        if not layers:
            raise ConfigError(f"Sequential {name!r} has no layers")
        if layers[0].class_name != "InputLayer":
            layers.insert(0, implied_input(layers[0]))
        for before, here in zip([None, *layers], layers, strict=False):
            here.calls = [Call([Ref(before.name)] if before else [])]
        return self.spec(name or "sequential", "Sequential", layers, Ref(layers[0].name), Ref(layers[-1].name))

    def functional(self, class_name: str, config: dict[str, Any]) -> Spec:
        """A graph."""
        layers = []
        for row in config["layers"]:
            here = self.layer(row)
            here.calls = [self.call(node) for node in row["inbound_nodes"]]
            if not here.calls and here.class_name == "InputLayer":
                here.calls = [Call([])]
            layers.append(here)
        takes, gives = structure(config["input_layers"]), structure(config["output_layers"])
        gives = self.counted(layers, gives)
        return self.spec(config["name"], class_name, layers, takes, gives)

    def spec(self, name: Any, class_name: str, layers: list[LayerSpec], takes: Any, gives: Any) -> Spec:
        """A Spec whose layers are told apart by their names."""
        seen: set[str] = set()
        for s in layers:
            if s.name in seen:
                raise ConfigError(f"model {name!r} has two layers named {s.name!r}; expected each name once")
            seen.add(s.name)
        spec = Spec(text(name), class_name, layers, takes, gives, self.dialect, self.version)
        for what, found in (("input", spec.inputs), ("output", spec.outputs)):
            for r in found:
                if not isinstance(r, Ref) or r.layer not in seen:
                    raise ConfigError(f"model {name!r} names {r} as its {what}; expected one of its layers")
            if not found:
                raise ConfigError(f"model {name!r} has no {what}")
        return spec

    def counted(self, layers: list[LayerSpec], gives: Any) -> Any:
        """`gives`, and the calls of `layers`, with the calls of nested models counted from 0.

        A model was called once when it was made, which Keras 1 and 2 count: its calls in a graph start at 1. Keras 3
        does so in the model's outputs only.
        """
        for s in layers:
            if s.model is None:
                continue
            inside = [r.call for t in layers for c in t.calls for r in c.refs() if r.layer == s.name]
            outside = [r.call for r in flat(gives) if isinstance(r, Ref) and r.layer == s.name]
            if max(inside + outside, default=0) >= len(s.calls):
                everywhere = max(inside, default=0) >= len(s.calls) or self.dialect < 3
                gives = replace(gives, lambda r, s=s: lowered(r, s.name))
                for t in layers if everywhere else []:
                    for c in t.calls:
                        c.args = replace(c.args, lambda r, s=s: lowered(r, s.name))
                        c.kwargs = replace(c.kwargs, lambda r, s=s: lowered(r, s.name))
        return gives


def lowered(r: Ref, name: str) -> Ref:
    """The reference, one call less where it is to this layer."""
    return Ref(r.layer, r.call - 1, r.tensor) if r.layer == name else r


def is_functional(config: Any) -> bool:
    """Whether a config is a graph's, whatever its class is called: a user's subclass of Model."""
    return isinstance(config, dict) and {"layers", "input_layers", "output_layers"} <= set(config)


def implied_input(first: LayerSpec) -> LayerSpec:
    """The InputLayer that a Sequential leaves out: its shape stands in the first layer, or comes with the data."""
    inner: LayerSpec | None = first
    while inner is not None and inner.model is not None and not inner.config:
        inner = next((s for s in inner.model.layers if s.name == (first.model or inner.model).inputs[0].layer), None)
        first = inner or first
    config = first.config
    shape = config.get("batch_input_shape") or config.get("batch_shape")
    return LayerSpec("InputLayer", f"{first.name}_input", {"name": f"{first.name}_input", "batch_input_shape": shape})


def text(name: Any) -> str:
    """A name, which must be text."""
    if not isinstance(name, str):
        raise ConfigError(f"{short(name)} stands where a name was expected")
    return name


def is_ref(x: Any) -> bool:
    """Whether x is [layer, call, tensor], perhaps with keyword arguments behind."""
    return isinstance(x, list) and len(x) in (3, 4) and isinstance(x[0], str) and all(type(n) is int for n in x[1:3])


def structure(x: Any) -> Any:
    """Input or output layers, nested in lists and dicts as the file has them; a list of one is the one."""
    if is_ref(x):
        return Ref(*x[:3])
    if isinstance(x, dict):
        return {k: structure(v) for k, v in x.items()}
    if not isinstance(x, list):
        raise ConfigError(f"{short(x)} stands where [layer, call, tensor] was expected")
    return structure(x[0]) if len(x) == 1 else [structure(v) for v in x]


def without_training(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments that matter: not those that say "inference", or nothing.

    Raises ConfigError where a call insists on training.
    """
    if kwargs.get("training") not in (None, False, 0):
        raise ConfigError("a layer is called with training=True; expected a model saved for inference")
    return {k: v for k, v in kwargs.items() if k != "training" and not (v is None and k == "mask")}
