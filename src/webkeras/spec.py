"""What an architecture file says, in one form for every Keras: layers by name, and which call reads what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from webkeras.errors import ConfigError
from webkeras.text import short


@dataclass(frozen=True)
class Ref:
    """A tensor of the model: output `tensor` of call number `call` of a layer."""

    layer: str
    call: int = 0
    tensor: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.layer, str) or type(self.call) is not int or type(self.tensor) is not int:
            parts = ", ".join(map(short, (self.layer, self.call, self.tensor)))
            raise ConfigError(f"[{parts}]; expected [layer, call, tensor]")


@dataclass
class Call:
    """One use of a layer: args and kwargs hold Refs, anywhere inside lists, tuples and dicts."""

    args: list[Any]
    kwargs: dict[str, Any] = field(default_factory=dict)

    def refs(self) -> Iterator[Ref]:
        """Every tensor the call reads."""
        yield from refs(self.args)
        yield from refs(self.kwargs)


@dataclass
class LayerSpec:
    """A layer as the file has it: its class, its config in the file's own spelling, its calls.

    `model` is the nested model itself, or the one inside a wrapper (which has a config). `shared` is
    the number of an object that the file has in several places.
    """

    class_name: str
    name: str
    config: dict[str, Any]
    calls: list[Call] = field(default_factory=list)
    model: Spec | None = None
    shared: int | None = None


@dataclass
class Spec:
    """A model. `dialect` is 1, 2 or 3: whose spelling and whose meaning its layers have.

    `takes` and `gives` are inputs and outputs as the file nests them in lists and dicts; `inputs` and `outputs` are the
    same, flat.
    """

    name: str
    class_name: str
    layers: list[LayerSpec]
    takes: Any
    gives: Any
    dialect: int
    keras_version: str = ""
    backend: str = ""  # what Keras ran on, where the file says so

    @property
    def inputs(self) -> list[Ref]:
        return flat(self.takes)

    @property
    def outputs(self) -> list[Ref]:
        return flat(self.gives)

    def __str__(self) -> str:
        lines = [f"{self.class_name} {self.name!r}, Keras {self.keras_version or self.dialect}"]
        for s in self.layers:
            for c in s.calls:
                lines.append(f"  {s.name:<28} {s.class_name:<24} <- {', '.join(r.layer for r in c.refs()) or 'input'}")
        return "\n".join(lines)


def refs(x: Any) -> Iterator[Ref]:
    """Every Ref inside nested lists, tuples and dicts."""
    if isinstance(x, Ref):
        yield x
    elif isinstance(x, list | tuple):
        for v in x:
            yield from refs(v)
    elif isinstance(x, dict):
        for v in x.values():
            yield from refs(v)


def flat(x: Any) -> list[Any]:
    """The leaves of nested lists, tuples and dicts, in Keras' order: dicts by sorted keys.

    Source: tf.nest.flatten, keras/src/tree
    """
    if isinstance(x, dict):
        return [leaf for k in sorted(x) for leaf in flat(x[k])]
    return [leaf for v in x for leaf in flat(v)] if isinstance(x, list | tuple) else [x]


def replace(x: Any, get: Any) -> Any:
    """x with every Ref replaced by get(ref)."""
    if isinstance(x, Ref):
        return get(x)
    if isinstance(x, list | tuple):
        return type(x)(replace(v, get) for v in x)
    return {k: replace(v, get) for k, v in x.items()} if isinstance(x, dict) else x


def snake(name: str) -> str:
    """Keras' snake_case: the function of an operation's class, and the key of an object in a `.keras` file.

    Source: keras/src/utils/naming.py:to_snake_case
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
