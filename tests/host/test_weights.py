"""Bytes to tensors: every type, and every way in which weights do not fit a model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import webkeras
from webkeras.buffer import HostBuffer
from webkeras.matching import match, owner, split
from webkeras.spec import LayerSpec, Ref, Spec
from webkeras.weights import ARRAYS, Tensor, floats, read, tensor


def model(*layers: dict[str, Any]) -> bytes:
    config = [{"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 4]}}, *layers]
    return json.dumps(
        {"class_name": "Sequential", "config": {"name": "m", "layers": config}, "keras_version": "2.15.0"}
    ).encode()


def dense(name: str = "d", units: int = 3, **config: Any) -> dict[str, Any]:
    return {"class_name": "Dense", "config": {"name": name, "units": units, **config}}


def rows(*shapes: tuple[str, str, tuple[int, ...]]) -> tuple[bytes, bytes]:
    """(metadata, weights) of these layers, names and shapes."""
    out, offset = [], 0
    for layer, name, shape in shapes:
        n = int(np.prod(shape))
        out.append(
            {
                "layer_name": layer,
                "weight_name": name,
                "offset": offset,
                "length": n,
                "shape": list(shape),
                "type": "float32",
            }
        )
        offset += 4 * n
    return json.dumps(out).encode(), np.arange(offset // 4, dtype="<f4").tobytes()


KERNEL, BIAS = ("d", "d/kernel:0", (4, 3)), ("d", "d/bias:0", (3,))

REFUSE: dict[str, tuple[Any, str]] = {
    "a truncated file": (
        lambda: (*rows(KERNEL, BIAS)[:1], rows(KERNEL, BIAS)[1][:-4]),
        "weights: 56 bytes, but the metadata describes 60",
    ),
    "a file too long": (lambda: (*rows(KERNEL, BIAS)[:1], rows(KERNEL, BIAS)[1] + b"1234"), "weights: 64 bytes"),
    "an empty file": (lambda: (*rows(KERNEL, BIAS)[:1], b""), "weights: 0 bytes"),
    "a wrong kernel": (
        lambda: rows(("d", "k", (5, 3)), BIAS),
        r"Dense 'd': kernel is \(5, 3\) in the file, config and input make it \(4, 3\)",
    ),
    "a wrong rank": (lambda: rows(("d", "k", (12,)), BIAS), r"Dense 'd': kernel is \(12,\)"),
    "a weight too few": (
        lambda: rows(KERNEL),
        r"Dense 'd': the file has 1 weights, the layer takes 2 \(kernel, bias\)",
    ),
    "a weight too many": (lambda: rows(KERNEL, BIAS, ("d", "q", (3,))), "Dense 'd': the file has 3 weights"),
    "no weights": (lambda: (b"[]", b""), "Dense 'd': the file has 0 weights"),
    "another model's": (
        lambda: rows(KERNEL, BIAS, ("e", "e/k", (1,))),
        "'e/k' belongs to 'e', a layer the model 'm' does not have",
    ),
    "an input's": (
        lambda: rows(KERNEL, BIAS, ("x", "x/k", (1,))),
        "InputLayer 'x': the file has 1 weights, the layer takes 0",
    ),
}


@pytest.mark.parametrize("name", REFUSE)
def test_weights_that_do_not_fit_are_refused(name: str) -> None:
    make, says = REFUSE[name]
    metadata, weights = make()
    with pytest.raises(webkeras.WeightsError, match=says) as e:
        webkeras.load_model(model(dense()), weights=weights, metadata=metadata, backend="reference").predict(
            np.ones((1, 4))
        )
    assert "\n" not in str(e.value)


def test_weights_go_by_order_within_a_layer() -> None:
    metadata, weights = rows(("d", "z/whatever", (4, 3)), ("d", "a", (3,)))
    found = webkeras.load_model(model(dense()), weights=weights, metadata=metadata, backend="reference")
    kernel, bias = np.arange(12).reshape(4, 3), np.arange(12, 15)
    np.testing.assert_allclose(found.predict(np.ones((1, 4))), [kernel.sum(0) + bias])


@pytest.mark.parametrize("code", [*ARRAYS, ">f2", "|V2"])
def test_every_type_becomes_float32(code: str) -> None:
    values = np.array([0, 1, -1.5, 100, 3.25, 127], "f8")
    if "u" in code:
        values = np.abs(values)
    if code == "|V2":
        wanted = values.astype("f4")
        raw = (wanted.view("u4") >> 16).astype("<u2").tobytes()
    else:
        raw, wanted = values.astype(code).tobytes(), values.astype(code).astype("f4")
    assert np.array_equal(np.frombuffer(floats(raw, code), "<f4"), wanted)
    t = tensor("l", "n", (2, 3), code, HostBuffer(b"??" + raw), 2, "f")
    assert np.array_equal(t.array(), wanted.reshape(2, 3))
    assert t.type == ("float32")


def test_text_is_no_weight() -> None:
    with pytest.raises(webkeras.WeightsError, match="f: 'l' 'n' is of type S3; expected floats or whole numbers"):
        tensor("l", "n", (1,), "S3", HostBuffer(b"abc"), 0, "f")


def test_tensors_are_ranges_of_the_one_buffer() -> None:
    metadata, weights = rows(KERNEL, BIAS)
    buffer = HostBuffer(weights)
    kernel, bias = read(metadata.decode(), buffer)["d"]
    assert isinstance(kernel, Tensor)
    assert isinstance(bias, Tensor)
    assert kernel.buffer is buffer
    assert bias.buffer is buffer
    assert (kernel.offset, bias.offset) == (0, 48)


def spec(*names: str | tuple[str, tuple[str, ...]], **config: Any) -> Spec:
    """A model of layers by name; a pair is a model inside."""
    layers = []
    for n in names:
        if isinstance(n, str):
            layers.append(LayerSpec("Dense", n, config.get(n, {})))
        else:
            layers.append(LayerSpec("Functional", n[0], {}, model=spec(*n[1])))
    return Spec("sub", "Functional", layers, Ref(layers[0].name), Ref(layers[-1].name), 2)


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        ("a/kernel:0", "a"),
        ("a/b/kernel:0", "a/b"),
        ("sub2/a/kernel", "a"),
        ("my_dense_1/kernel:0", "my_dense_1"),
        ("dense_1/kernel:0", "dense_1"),
        ("a.b/kernel:0", "a.b"),
        ("aXb/kernel:0", None),
        ("dense_1_W", "dense_1"),
        ("inner_d/kernel:0", "in"),
    ],
)
def test_names_that_are_parts_of_one_another(name: str, belongs: str | None) -> None:
    assert owner(spec("a", "b", "a/b", "a.b", "dense_1", "my_dense_1", ("in", ("inner_d",))), name) == belongs


def some(*names: str) -> list[Tensor]:
    return [Tensor("m", n, (1,), "float32", HostBuffer(b"1234"), 0) for n in names]


def shown(found: Any) -> dict[str, list[str]]:
    return {k: [t.name for t in v] for k, v in found.items()}


def test_names_tell_weights_apart_though_trainable_ones_come_first() -> None:
    found = split(spec("d", "bn", "d1"), some("d/k", "d/b", "bn/gamma", "d1/k", "bn/mean"), lambda _: True)
    assert shown(found) == {"d": ["d/k", "d/b"], "bn": ["bn/gamma", "bn/mean"], "d1": ["d1/k"]}


def test_where_names_say_nothing_the_order_does_and_frozen_layers_come_last() -> None:
    sub = spec("d", "bn", "d1", bn={"trainable": False})
    found = split(sub, some("p/k", "q/k", "r/gamma"), lambda _: True)
    assert shown(found) == {"d": ["p/k"], "d1": ["q/k"], "bn": ["r/gamma"]}


def test_where_neither_tells_the_weights_are_refused() -> None:
    with pytest.raises(
        webkeras.WeightsError, match="weight 'q/k' belongs to none of its layers by name; by order, 1 groups"
    ):
        split(spec("d", "e"), some("q/k"), lambda _: True)


def test_what_is_matched_may_be_matched_again() -> None:
    whole = spec("d", ("in", ("a", "b")))
    once = match(whole, {"d": some("d/k"), "in": some("a/k", "b/k")}, lambda _: True)
    assert match(whole, once, lambda _: True) == once
    assert isinstance(once["in"], dict)
    assert shown(once["in"]) == {"a": ["a/k"], "b": ["b/k"]}
