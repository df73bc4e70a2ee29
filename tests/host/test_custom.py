"""Layers and functions that a user brings: registered, or handed to load_model; code in a file never runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import webkeras
from webkeras import ops
from webkeras.layers import LAYERS
from webkeras.shapes import Shape


def sequential(*layers: dict[str, Any], version: str = "2.15.0") -> bytes:
    """A chain on four numbers."""
    first = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4], "name": "x"}}
    config = [first, *layers] if version < "2" else {"name": "m", "layers": [first, *layers]}
    return json.dumps({"class_name": "Sequential", "config": config, "keras_version": version}).encode()


def row(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": "mine", **config}}


CODE = ["4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMIAAAAfABkARQAUwApAk7pAgAAAKkA", None, None]
X = np.array([[-1.0, 0.0, 2.0, 3.0]], "float32")


class Scale(webkeras.Layer):
    """x times a number of the config and a weight."""

    factor = webkeras.key(float, 1.0)

    def build(self, x: Shape) -> dict[str, Shape]:
        return {"weight": (x[-1],)}

    def call(self, x: Any) -> Any:
        return x * self.factor * self.weight


@pytest.fixture
def registered() -> Iterator[None]:
    webkeras.layer("Scale")(Scale)
    yield
    del LAYERS["Scale"]


METADATA = [{"layer_name": "mine", "weight_name": "w", "offset": 0, "length": 4, "shape": [4], "type": "float32"}]
WEIGHTS = {"weights": np.arange(4, dtype="<f4").tobytes(), "metadata": json.dumps(METADATA).encode()}


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("name", ["Scale", "my_package>Scale"])
def test_a_registered_layer_is_made(name: str) -> None:
    model = webkeras.load_model(sequential(row(name, factor=2)), backend="reference", **WEIGHTS)
    assert np.array_equal(model.predict(X), X * 2 * np.arange(4))


def test_a_class_can_be_handed_in() -> None:
    objects = {"Scale": Scale}
    model = webkeras.load_model(sequential(row("Scale")), backend="reference", custom_objects=objects, **WEIGHTS)
    assert np.array_equal(model.predict(X), X * np.arange(4))
    with pytest.raises(webkeras.ConfigError, match="unknown layer 'Scale'"):
        webkeras.load_model(sequential(row("Scale")), backend="reference", **WEIGHTS)


@pytest.mark.usefixtures("registered")
def test_a_key_that_the_layer_does_not_declare_is_an_error() -> None:
    with pytest.raises(webkeras.ConfigError, match="Scale 'mine': config key 'power' is read by nobody"):
        webkeras.load_model(sequential(row("Scale", power=2)), backend="reference", **WEIGHTS)


def test_an_unknown_layer_is_refused_with_the_way_out() -> None:
    with pytest.raises(
        webkeras.ConfigError, match=r"unknown layer 'Odd' \('mine', Keras 2 dialect\).*@webkeras.layer\(\"Odd\"\)"
    ):
        webkeras.load_model(sequential(row("Odd")), backend="reference")


LAMBDAS: dict[str, tuple[dict[str, Any], str]] = {
    "Keras 1 code": (
        {"function": "\x03\x00code", "function_type": "lambda", "output_shape": None, "output_shape_type": "raw"},
        "1.2.2",
    ),
    "Keras 2 code": (
        {"function": CODE, "function_type": "lambda", "module": "m", "output_shape": None, "arguments": {}},
        "2.15.0",
    ),
    "Keras 2 name": ({"function": "double", "function_type": "function", "arguments": {}}, "2.15.0"),
    "Keras 3 code": (
        {"function": {"class_name": "__lambda__", "config": {"code": CODE[0]}}, "arguments": {}},
        "3.15.1",
    ),
    "Keras 3 name": ({"function": {"class_name": "function", "config": "double", "module": "m"}}, "3.15.1"),
}


@pytest.mark.parametrize("name", LAMBDAS)
def test_a_lambda_means_what_the_user_says(name: str) -> None:
    config, version = LAMBDAS[name]
    source = sequential(row("Lambda", **config), version=version)
    key = "double" if "name" in name else "mine"
    model = webkeras.load_model(source, backend="reference", custom_objects={key: lambda x: ops.maximum(x, 0.5) * 2})
    assert np.array_equal(model.predict(X), np.maximum(X, 0.5) * 2)
    with pytest.raises(
        webkeras.ConfigError, match=f"Lambda 'mine': its code .* is not run.*custom_objects={{\"{key}\""
    ):
        webkeras.load_model(source, backend="reference")


def test_a_lambdas_arguments_are_handed_on() -> None:
    source = sequential(row("Lambda", function=CODE, function_type="lambda", arguments={"by": 3}))
    model = webkeras.load_model(source, backend="reference", custom_objects={"mine": lambda x, by: x * by})
    assert np.array_equal(model.predict(X), X * 3)


@pytest.mark.parametrize(
    "written", ["crest", {"class_name": "function", "config": "crest", "registered_name": "p>crest"}]
)
def test_a_custom_activation(written: Any) -> None:
    source = sequential(row("Activation", activation=written))
    model = webkeras.load_model(source, backend="reference", custom_objects={"crest": lambda x: ops.minimum(x, 1.0)})
    assert np.array_equal(model.predict(X), np.minimum(X, 1))
    with pytest.raises(webkeras.ConfigError, match=r'unknown activation .crest.*custom_objects=\{"crest": function\}'):
        webkeras.load_model(source, backend="reference")


@pytest.mark.parametrize("odd", [3, "relu", dict, int])
def test_an_object_that_is_neither_function_nor_layer_is_refused(odd: Any) -> None:
    with pytest.raises(webkeras.ConfigError, match=r"custom_objects\['a'\]"):
        webkeras.load_model(sequential(row("ReLU")), backend="reference", custom_objects={"a": odd})


@pytest.mark.parametrize(
    ("config", "key"), [({"mode_type": "function", "mode": "apart"}, "apart"), ({"mode": CODE}, "mine")]
)
def test_the_function_of_a_merge_comes_from_outside(config: dict[str, Any], key: str) -> None:
    merge = {"class_name": "Merge", "name": "mine", "config": {"name": "mine", **config, "arguments": {"by": 2}}}
    rows = [
        {
            "class_name": "InputLayer",
            "name": n,
            "config": {"batch_input_shape": [None, 4], "name": n},
            "inbound_nodes": [],
        }
        for n in "ab"
    ]
    ends = {"input_layers": [["a", 0, 0], ["b", 0, 0]], "output_layers": [["mine", 0, 0]]}
    layers = [*rows, {**merge, "inbound_nodes": [[["a", 0, 0], ["b", 0, 0]]]}]
    source = json.dumps(
        {"class_name": "Model", "keras_version": "1.2.2", "config": {"name": "m", "layers": layers, **ends}}
    ).encode()
    with pytest.raises(webkeras.ConfigError, match=f"Merge 'mine': its mode is a function.*custom_objects={{\"{key}\""):
        webkeras.load_model(source, backend="reference")

    def apart(xs: list[Any], by: float) -> Any:
        return ops.multiply(ops.absolute(ops.subtract(*xs)), by)

    model = webkeras.load_model(source, backend="reference", custom_objects={key: apart})
    assert np.array_equal(model.predict([X, X * 3]), abs(X) * 4)
