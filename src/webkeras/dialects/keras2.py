"""Keras 2.0 to 2.15 (and tf_keras): `inbound_nodes` are lists of [layer, call, tensor, kwargs].

Source: keras/engine/network.py and sequential.py, functional.py, get_config and from_config
"""

from __future__ import annotations

from typing import Any

from webkeras.dialects.reader import Reader, is_ref, without_training
from webkeras.errors import ConfigError
from webkeras.spec import Call, Ref, Spec
from webkeras.text import short

CONSTANT = "_CONSTANT_VALUE"


def read(data: dict[str, Any], version: str) -> Spec:
    """A whole model's JSON -> Spec."""
    return Keras2(version).model(data["class_name"], data["config"])


class Keras2(Reader):
    """Keras 2's calls."""

    dialect = 2

    def call(self, node: Any) -> Call:
        """One inbound node: the tensors in order (one stands alone, several are a list), keywords of the first."""
        first = _first(node)
        kwargs = _argument(dict(first[3])) if len(first) > 3 else {}
        tensors = _tensors(node)
        if isinstance(tensors, list) and len(tensors) == 1:
            tensors = tensors[0]
        kwargs.pop("name", None)
        return Call([tensors], without_training(kwargs))


def is_constant(x: Any) -> bool:
    """Whether x is ["_CONSTANT_VALUE", -1, value], perhaps with keyword arguments behind."""
    return isinstance(x, list) and len(x) in (3, 4) and x[0] == CONSTANT


def _first(node: Any) -> list[Any]:
    """The first tensor of a node, however nested."""
    while not is_ref(node) and not is_constant(node):
        if not isinstance(node, list | dict) or not node:
            raise ConfigError(f"inbound node {short(node)}; expected [layer, call, tensor]")
        node = node[sorted(node)[0]] if isinstance(node, dict) else node[0]
    found: list[Any] = node
    return found


def _tensors(node: Any) -> Any:
    """The first argument of a call: tensors in lists and dicts, numbers among them."""
    if is_constant(node):
        return node[2]
    if is_ref(node):
        return Ref(*node[:3])
    if isinstance(node, dict):
        return {k: _tensors(v) for k, v in node.items()}
    if isinstance(node, list):
        return [_tensors(v) for v in node]
    raise ConfigError(f"{short(node)} stands in an inbound node; expected [layer, call, tensor]")


def _argument(x: Any) -> Any:
    """A keyword argument: tensors are [layer, call, tensor], slices and Ellipsis are dicts."""
    if is_ref(x) and len(x) == 3:
        return Ref(*x)
    if isinstance(x, list):
        return [_argument(v) for v in x]
    if isinstance(x, dict):
        if set(x) == {"start", "stop", "step"}:
            return slice(x["start"], x["stop"], x["step"])
        if x.get("class_name") == "__ellipsis__" or x.get("type") == "ellipsis":
            return ...
        return {k: _argument(v) for k, v in x.items()}
    return x
