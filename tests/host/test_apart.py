"""Graphs that call functions from outside: cut around them, run in parts, the same as the op means in one piece."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import webkeras
from tests.host.test_custom import CODE, METADATA, WEIGHTS, X, row, sequential
from webkeras import ops
from webkeras.backends import choose
from webkeras.backends.apart import Apart, Parts
from webkeras.backends.auto import Auto
from webkeras.backends.reference import Reference
from webkeras.graph import Graph, Literal, Value, run
from webkeras.layers.outside import Outside


def outside(f: Callable[..., Any], shape: tuple[int | None, ...] | None = None, name: str = "f") -> Outside:
    """A function of arrays in their shapes, as one from outside: it sees flat buffers."""

    def call(inputs: Any, config: Any, weights: Any) -> Any:
        xs, ws = ([np.asarray(x).reshape(s) for x, s in part] for part in (inputs, weights))
        return np.asarray(f(*xs, *ws, **config), "float32").ravel()

    return Outside(name, call, shape)


def later(one: Outside) -> Outside:
    """The same, to be waited for."""

    async def call(*args: Any) -> Any:
        await asyncio.sleep(0)
        return one.call(*args)

    return Outside(one.name, call, one.shape)


double, total = outside(lambda x: x * 2), outside(lambda a, b: a + b)
turned = outside(lambda x: x.transpose(0, 2, 1), (3, 2))
W = np.array([[1.0, -1.0, 0.5], [0.0, 2.0, 1.0], [3.0, 0.0, 0.0]], "float32")


def weight() -> Value:
    return Value(W.shape, constant=Literal(W.shape, tuple(W.ravel().tolist())))


def scan(f: Any, x: Any) -> Any:
    """Running sums of x (n, 3), as steps over its columns."""
    start = ops.reshape(ops.reduce(x, fn="sum", axes=(1,)), shape=x.shape[:1]) * 0.0
    return ops.scan(lambda s, xs: ([f(s[0] + xs[0])], [s[0]]), [start], [x])[1][0]


# a function of x (n, 3) and y (n, 3), how many parts compute something, how many calls there are
GRAPHS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "in the middle": (lambda x, y, d: [d(x * 3.0) + y], 2, 1),
    "first and last": (lambda x, y, d: [d(x)], 0, 1),
    "two in a row": (lambda x, y, d: [d(d(x + 1.0))], 1, 2),
    "two side by side": (lambda x, y, d: [d(x + y) * d(x - y)], 2, 2),
    "three levels, shared": (lambda x, y, d: [shared(x, y, d)], 3, 2),
    "what crosses is an output": (lambda x, y, d: crossing(x, y, d), 2, 1),
    "an input is an output": (lambda x, y, d: [x, d(y)], 1, 1),
    "constants on both sides": (lambda x, y, d: [ops.matmul(d(ops.matmul(x, weight())), weight() * 2.0)], 2, 1),
    "of a constant": (lambda x, y, d: [ops.matmul(x, d(weight() + 1.0))], 2, 1),
    "a constant is an output": (lambda x, y, d: [weight() + 1.0, d(x)], 1, 1),
    "past a scan": (lambda x, y, d: [scan(lambda v: v, d(x)) + y], 1, 1),
    "another shape": (lambda x, y, d: [turned(ops.reshape(ops.concat(x, y, axis=1), shape=(x.shape[0], 2, 3)))], 1, 1),
    "two inputs": (lambda x, y, d: [total([x * y, x]) - y], 2, 1),
}


def shared(x: Any, y: Any, d: Any) -> Any:
    a = ops.exp(x)
    b = d(a) + a
    return d(b * y) + a + b


def crossing(x: Any, y: Any, d: Any) -> list[Any]:
    a = x * y
    b = d(a)
    return [a, b, b + a, b]


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("name", GRAPHS)
def test_parts_together_are_the_whole(name: str, n: int) -> None:
    build, graphs, calls = GRAPHS[name]
    x, y = Value((n, 3), name="x"), Value((n, 3), name="y")
    rng = np.random.default_rng(0)
    feed = {k: rng.uniform(-1, 1, (n, 3)).astype("float32") for k in "xy"}
    flat = {k: a.ravel() for k, a in feed.items()}
    for f, asynchronous in ((double, False), (later(double), True)):
        graph = Graph({"x": x, "y": y}, {f"out{i}": v for i, v in enumerate(build(x, y, f))})
        whole = Graph(graph.inputs, {f"out{i}": v for i, v in enumerate(build(x, y, double))})
        want = run(whole, feed)
        backend: Any = Apart(Reference())
        made = asyncio.run(backend.prepare_async(graph)) if asynchronous else backend.prepare(graph)
        assert isinstance(made, Parts)
        assert sum(r is not None for r in made.ready) == graphs
        assert sum(len(p.calls) for p in made.parts) == calls
        for _ in range(2):
            got = asyncio.run(made.run_async(flat)) if asynchronous else made.run(flat)
            assert list(got) == list(want)
            for k, a in want.items():
                np.testing.assert_allclose(got[k], a.ravel(), rtol=1e-6, err_msg=k)
        steps = asyncio.run(made.profile_async(flat))
        assert sum(op == "outside" for _, op, _ in steps) == calls
        assert str(made).count("custom function f") == calls


def test_a_graph_without_them_is_the_backends_own() -> None:
    x = Value((1, 3), name="x")
    made = choose("reference").prepare(Graph({"x": x}, {"y": x * 2.0}))
    assert not isinstance(made, Parts)


def test_what_one_part_refuses_frees_the_others() -> None:
    freed = []

    class Some:
        name = "some"

        def prepare(self, graph: Graph) -> Any:
            if "=exp(" in str(graph):
                raise webkeras.BackendError("no exp here")
            return type("Made", (), {"free": lambda self: freed.append(1)})()

    x = Value((1, 3), name="x")
    backend: Any = Some()
    with pytest.raises(webkeras.BackendError, match="no exp here"):
        Apart(backend).prepare(Graph({"x": x}, {"y": ops.exp(double(x * 2.0))}))
    assert freed == [1]


def test_auto_measures_the_whole() -> None:
    """Every backend runs all the parts; a function that fails is not the backend's fault."""
    x = Value((1, 3), name="x")
    broken = Outside("f", lambda *_: np.zeros(2, "float32"))
    for f, fails in ((double, False), (broken, True)):
        auto = Auto(("one", "two"), lambda name: Apart(Reference()))
        made = auto.prepare(Graph({"x": x}, {"y": f(x * 2.0) + 1.0}))
        for _ in range(8):
            if fails:
                with pytest.raises(webkeras.errors.FunctionError):
                    made.run({"x": [1, 2, 3]})
            else:
                np.testing.assert_array_equal(made.run({"x": [1, 2, 3]})["y"], [5, 9, 13])
        assert not auto.refused
        assert (auto.chosen is None) == fails


def load(*layers: dict[str, Any], objects: dict[str, Any], **more: Any) -> Any:
    return webkeras.load_model(sequential(*layers), backend="reference", custom_objects=objects, **more)


LAMBDA = row("Lambda", function=CODE, function_type="lambda", arguments={"by": 3})
AFTER = {"class_name": "ReLU", "config": {"name": "after", "max_value": 5}}


def test_a_lambda_is_handed_its_arguments() -> None:
    model = load(LAMBDA, AFTER, objects={"mine": outside(lambda x, by: x * by)})
    np.testing.assert_array_equal(model.predict(X), np.clip(X * 3, 0, 5))
    np.testing.assert_array_equal(model.predict(np.concatenate([X, -X])), np.clip(np.concatenate([X, -X]) * 3, 0, 5))
    assert {t.op for t in model.profile(X)} == {"outside", "map"}
    assert "custom function f   Lambda 'mine'" in model.explain()


def test_a_custom_layer_is_handed_config_and_weights() -> None:
    """Whatever is in them: nobody but the function knows the class."""
    scale = outside(lambda x, w, name, factor, odd: x * w * factor + len(odd), name="Scale")
    model = load(row("Scale", factor=2, odd=[1, {"a": None}]), AFTER, objects={"Scale": scale}, **WEIGHTS)
    np.testing.assert_array_equal(model.predict(X), np.clip(X * np.arange(4) * 2 + 2, 0, 5))
    with pytest.raises(webkeras.ConfigError, match=r"unknown layer 'Scale'.*a page new WebKeras.Model\(.*\"Scale\""):
        load(row("Scale", factor=2), objects={}, **WEIGHTS)


def test_an_activation_and_a_step() -> None:
    model = load(row("Dense", units=1, use_bias=False, activation="crest"), objects={"crest": double}, **dense())
    np.testing.assert_array_equal(model.predict(X), [[2 * (X * np.arange(4)).sum()]])
    steps = [row("Reshape", target_shape=[4, 1]), {"class_name": "SimpleRNN", "config": RNN}]
    one = {**METADATA[0], "layer_name": "rnn", "length": 1}
    shapes = enumerate(([1, 1], [1, 1], [1]))
    metadata = [{**one, "weight_name": f"w{i}", "shape": s, "offset": 4 * i} for i, s in shapes]
    weights = {"weights": bytes(12), "metadata": json.dumps(metadata).encode()}
    model = load(*steps, objects={"crest": double}, **weights)
    with pytest.raises(webkeras.ConfigError, match="SimpleRNN 'rnn': its step calls a custom function"):
        model.predict(X)


RNN = {"name": "rnn", "units": 1, "activation": "crest"}


def dense() -> dict[str, Any]:
    return {**WEIGHTS, "metadata": json.dumps([{**METADATA[0], "shape": [4, 1]}]).encode()}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (outside(lambda x, by: x[:, :1]), "Lambda 'mine': custom function 'f' gave 1 numbers; expected 4 for .*1, 4"),
        (outside(lambda x, by: x, (2,)), "Lambda 'mine': custom function 'f' gave 4 numbers; expected 2 for .*1, 2"),
        (later(outside(lambda x, by: x)), "predict_async"),
        (outside(lambda x, by: x, (2, None)), r"Lambda 'mine': custom function 'f' .*\(None, 2, None\).*\(1, 4\)"),
    ],
)
def test_what_does_not_fit_is_said(given: Outside, words: str) -> None:
    with pytest.raises(webkeras.WebKerasError, match=words) as e:
        load(LAMBDA, objects={"mine": given}).predict(X)
    assert "\n" not in str(e.value)


def test_a_failure_names_the_layer() -> None:
    def fails(*_: Any) -> Any:
        raise webkeras.errors.FunctionError("custom function 'f' threw: no")

    with pytest.raises(webkeras.errors.FunctionError, match=r"^Lambda 'mine': custom function 'f' threw: no$"):
        load(LAMBDA, objects={"mine": Outside("f", fails)}).predict(X)


def test_open_dimensions_are_the_first_inputs() -> None:
    source = json.loads(sequential(LAMBDA))
    source["config"]["layers"][0]["config"]["batch_input_shape"] = [None, None, 2]
    sums = outside(lambda x, by: x.sum(2) * by, (None,))
    model = webkeras.load_model(json.dumps(source).encode(), backend="reference", custom_objects={"mine": sums})
    for shape in ((1, 3, 2), (2, 5, 2)):
        np.testing.assert_array_equal(model.predict(np.ones(shape, "float32")), np.full(shape[:2], 6))


GOLDEN = Path(__file__).parents[1] / "golden/files/custom"
MEANINGS = {
    "crest": outside(lambda x: x * np.abs(x), name="crest"),
    "mine": outside(lambda x, by: x * by + x * x, name="mine"),
    "Scale": outside(lambda x, weight, shift, factor, **config: x * weight * factor + shift, name="Scale"),
    "sums": outside(lambda x: x.sum(2), (None,), name="sums"),
}


@pytest.mark.parametrize("version", ["keras2.15.0", "keras3.15.1"])
@pytest.mark.parametrize("name", ["middle", "open"])
def test_models_answer_as_keras_does(version: str, name: str) -> None:
    (file,) = GOLDEN.glob(f"{version}_{name}.*")
    model = webkeras.load_model(file, backend="reference", custom_objects=MEANINGS)
    with np.load(GOLDEN / f"{version}.npz") as answers:
        x, want = answers[f"{name}/input"], answers[f"{name}/output"]
    np.testing.assert_allclose(model.predict(x), want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(x[:1]), want[:1], rtol=1e-5, atol=1e-6)
