"""Architectures that cannot be: one sentence each, whatever the JSON says; and what the dialects read out of one."""

from __future__ import annotations

import copy
import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import webkeras
from webkeras import dialects, files
from webkeras.buffer import HostBuffer
from webkeras.spec import Ref, Spec
from webkeras.trace import Network, input_shapes

GOLDEN = Path(__file__).parents[1] / "golden" / "files"


def tensor(layer: str, call: int = 0, index: int = 0) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [layer, call, index]}}


def graph(dialect: int, **changes: Any) -> dict[str, Any]:
    """x -> a -> b, changed: rows by layer name, other keys as they are."""
    shape = {1: "batch_input_shape", 2: "batch_input_shape", 3: "batch_shape"}[dialect]

    def row(class_name: str, name: str, *reads: str, **config: Any) -> dict[str, Any]:
        node: Any = {"args": [tensor(reads[0])], "kwargs": {}} if reads and dialect == 3 else [[r, 0, 0] for r in reads]
        base = {"name": name, "trainable": True, **config}
        return {"class_name": class_name, "name": name, "config": base, "inbound_nodes": [node] if reads else []}

    rows = [row("InputLayer", "x", **{shape: [None, 4]}), row("Activation", "a", "x", activation="relu")]
    rows.append(row("Activation", "b", "a", activation="tanh"))
    rows = [{**r, **changes.pop(r["name"], {})} for r in rows]
    config = {"name": "m", "layers": rows, "input_layers": [["x", 0, 0]], "output_layers": [["b", 0, 0]], **changes}
    version = {1: "1.2.2", 2: "2.15.0", 3: "3.15.1"}[dialect]
    return {"class_name": "Model" if dialect < 3 else "Functional", "config": config, "keras_version": version}


def opened(model: Any) -> Network:
    return Network(dialects.read(json.dumps(model), "m.json"), {})


def reads(dialect: int, *layers: str) -> dict[str, Any]:
    """Inbound nodes that read these."""
    if dialect == 3:
        return {"inbound_nodes": [{"args": [tensor(n)], "kwargs": {}} for n in layers]}
    return {"inbound_nodes": [[[n, 0, 0]] for n in layers]}


REFUSE: dict[str, tuple[Any, str]] = {
    "a cycle": (lambda d: graph(d, a=reads(d, "b")), "depends on its own output"),
    "a layer that reads itself": (lambda d: graph(d, a=reads(d, "a")), "depends on its own output"),
    "a layer that is not there": (lambda d: graph(d, a=reads(d, "q")), "reads call 0 of 'q'"),
    "an input that is not there": (lambda d: graph(d, input_layers=[["q", 0, 0]]), "names .*'q'.* as its input"),
    "an output that is not there": (lambda d: graph(d, output_layers=[["q", 0, 0]]), "names .*'q'.* as its output"),
    "no outputs": (lambda d: graph(d, output_layers=[]), "no output"),
    "outputs that are numbers": (lambda d: graph(d, output_layers=[[1, 2, 3]]), r"1 stands where \[layer, call, "),
    "a name twice": (lambda d: graph(d, b={"name": "a"}), "two layers named 'a'"),
    "a name that is a number": (lambda d: graph(d, a={"name": 3}), "3 stands where a name was expected"),
    "an unknown layer": (lambda d: graph(d, a={"class_name": "Odd"}), r"unknown layer 'Odd'.*register it with"),
    "an unknown key": (
        lambda d: graph(d, a={"config": {"name": "a", "trainable": True, "activation": "relu", "odd": 1}}),
        "'a': config key 'odd' is read by nobody",
    ),
    "a missing key": (
        lambda d: graph(d, a={"config": {"name": "a", "trainable": True}}),
        "'a': config has no 'activation'",
    ),
    "a config that is a list": (lambda d: graph(d, a={"config": [1]}), "m.json: "),
    "layers that are a number": (lambda d: graph(d, layers=7), "m.json: the graph cannot be read"),
    "layers that are numbers": (lambda d: graph(d, layers=[7]), "m.json: "),
    "no layers": (lambda d: graph(d, layers=[]), "m.json: "),
    "a class that is no model": (
        lambda d: {**graph(d), "class_name": "Dense", "config": {"units": 3}},
        "model class 'Dense'|m.json",
    ),
    "a config that is text": (lambda d: {**graph(d), "config": "text"}, "m.json: "),
    "an unknown Keras": (lambda d: {**graph(d), "keras_version": "7.0"}, "'7.0'; expected 1, 2 or 3"),
}


@pytest.mark.parametrize("dialect", [1, 2, 3])
@pytest.mark.parametrize("name", REFUSE)
def test_refused(name: str, dialect: int) -> None:
    make, says = REFUSE[name]
    with pytest.raises(webkeras.ConfigError, match=says) as e:
        opened(make(dialect)).trace({"x": (1, 4)})
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("dialect", [1, 2, 3])
def test_the_graph_that_the_others_are_made_from_is_good(dialect: int) -> None:
    network = opened(graph(dialect))
    assert network.spec.dialect == dialect
    assert list(network.trace({"x": (1, 4)}).outputs) == ["b"]


@pytest.mark.parametrize("dialect", [2, 3])
def test_a_tensor_that_a_layer_does_not_give(dialect: int) -> None:
    node = {"args": [tensor("x", 0, 4)], "kwargs": {}} if dialect == 3 else [["x", 0, 4]]
    with pytest.raises(webkeras.ConfigError, match="output 4 of call 0 of layer 'x' is read"):
        opened(graph(dialect, a={"inbound_nodes": [node]})).trace({"x": (1, 4)})


@pytest.mark.parametrize("dialect", [2, 3])
def test_training_is_refused_and_inference_is_nothing(dialect: int) -> None:
    def called(training: Any) -> dict[str, Any]:
        kwargs = {"training": training, "mask": None}
        node = {"args": [tensor("x")], "kwargs": kwargs} if dialect == 3 else [["x", 0, 0, kwargs]]
        return graph(dialect, a={"inbound_nodes": [node]})

    for harmless in (None, False, 0):
        assert opened(called(harmless)).spec.layers[1].calls[0].kwargs == {}
    if dialect == 2:
        with pytest.raises(webkeras.ConfigError, match="training=True"):
            opened(called(True))
    else:  # Keras 3 writes what it was called with, and does not mean it
        assert opened(called(True)).spec.layers[1].calls[0].kwargs == {}


@pytest.mark.parametrize("classes", [("Sequential", 1), ("Functional", 1), ("Functional", 0)])
def test_calls_of_nested_models_count_from_one_in_keras_2(classes: tuple[str, int]) -> None:
    """A model was called once when it was made; files where it was not count from 0."""
    class_name, first = classes
    inner: Any = graph(2)["config"]
    if class_name == "Sequential":
        inner = {"name": "sub", "layers": inner["layers"]}
    rows = [
        {
            "class_name": "InputLayer",
            "name": "i",
            "config": {"name": "i", "batch_input_shape": [None, 4]},
            "inbound_nodes": [],
        },
        {
            "class_name": class_name,
            "name": "sub",
            "config": inner,
            "inbound_nodes": [[["i", 0, 0]], [["sub", first, 0]]],
        },
    ]
    config = {"name": "m", "layers": rows, "input_layers": [["i", 0, 0]], "output_layers": [["sub", first + 1, 0]]}
    spec = opened({"class_name": "Model", "config": config, "keras_version": "2.3.1"}).spec
    assert spec.layers[1].calls[1].args == [Ref("sub", 0)]
    assert spec.outputs == [Ref("sub", 1)]


def test_deep_nesting_is_refused_not_a_crash() -> None:
    model: Any = {"class_name": "Dense", "config": {"name": "d", "units": 1}}
    for i in range(3000):
        model = {"class_name": "Sequential", "config": {"name": f"s{i}", "layers": [model]}}
    model["keras_version"] = "2.15.0"
    with pytest.raises(webkeras.ConfigError, match=r"too deep"):
        dialects.read(dumped(model), "m.json")


def dumped(model: Any) -> str:
    """JSON of what nests too deep for json.dumps."""
    depth, inner = 0, model
    while isinstance(inner["config"].get("layers"), list):
        inner, depth = inner["config"]["layers"][0], depth + 1
    row = '{"class_name": "Sequential", "keras_version": "2.15.0", "config": {"name": "s", "layers": ['
    return row * depth + json.dumps(inner) + "]}}" * depth


# Fuzzing: whatever is done to a good file, it is read or refused, and neither hangs nor raises anything else.

SMALL = {
    p: (GOLDEN / p).read_bytes() for p in ("keras3.15.1/dicts.keras", "keras2.15.0/nested.h5", "keras2.1.2/shared.h5")
}
TEXTS = [json.dumps(graph(d)) for d in (1, 2, 3)]
TEXTS += [zipfile.ZipFile(GOLDEN / f"keras{v}/dicts.keras").read("config.json").decode() for v in ("3.15.1", "2.15.0")]
JUNK = [
    None,
    True,
    -1,
    0,
    1e300,
    "",
    "x",
    [],
    {},
    [None],
    ["x", 0, 0],
    [["x", 0, 0]],
    {"class_name": "Dense"},
    2**70,
    "\x00",
    -0.5,
]


def places(x: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested JSON."""
    inside = x.items() if isinstance(x, dict) else enumerate(x) if isinstance(x, list) else []
    return [path, *(p for k, v in inside for p in places(v, (*path, k)))]


def changed(model: Any, path: tuple[Any, ...], how: str, junk: Any, other: Any) -> Any:
    """The model with something put, taken away, or moved at a place."""
    if not path:
        return junk
    model = copy.deepcopy(model)
    *way, last = path
    here = model
    for k in way:
        here = here[k]
    if how == "put":
        here[last] = junk
    elif how == "take":
        del here[last]
    else:
        here[last] = copy.deepcopy(other)
    return model


def read_or_refused(model: bytes) -> None:
    """Open and trace; only our own errors may come out."""
    said = ""
    try:
        spec, found = files.open_model(files.File(HostBuffer(model), "m"))
        Network(spec, found).trace({k: shape(s) for k, s in input_shapes(spec).items()})
    except webkeras.WebKerasError as e:
        said = str(e)
    assert "\n" not in said
    assert len(said) < 2000


def shape(s: Any) -> tuple[int, ...]:
    """A shape for an input whose file says anything at all."""
    if not isinstance(s, tuple) or len(s) > 8:
        return (1, 4)
    return tuple(d if isinstance(d, int) and 0 < d < 20 else 1 for d in s)


@pytest.mark.parametrize("text", range(len(TEXTS)))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
@example(seed=999102101)  # a whole model where an activation's name is expected
@example(seed=1289754043)  # a list where a layer's config is
@example(seed=2800988687)  # a layer that reads one which was taken away
def test_changed_json_is_read_or_refused(text: int, seed: int) -> None:
    rng, model = random.Random(seed), json.loads(TEXTS[text])
    for _ in range(rng.randint(1, 3)):
        where = places(model)
        path, other = rng.choice(where), model
        for k in rng.choice(where):
            other = other[k]
        model = changed(model, path, rng.choice(["put", "put", "take", "move"]), rng.choice(JUNK), other)
    read_or_refused(json.dumps(model).encode())


@pytest.mark.parametrize("path", SMALL)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_damaged_files_are_read_or_refused(path: str, seed: int) -> None:
    rng, raw = random.Random(seed), bytearray(SMALL[path])
    how = rng.random()
    if how < 0.2:
        del raw[rng.randrange(len(raw)) :]
    elif how < 0.3:
        at = rng.randrange(len(raw))
        del raw[at : at + rng.randrange(1, 100)]
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(max(len(raw), 1))
        raw[at : at + 1] = rng.choice([b"\0", b"\xff", b"\x01", b"\x80", rng.randbytes(1), rng.randbytes(8)])
    read_or_refused(bytes(raw))


@pytest.mark.parametrize("version", ["3.15.1", "2.15.0"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_a_keras_file_with_damaged_members(version: str, seed: int) -> None:
    """The zip is sound, what is in it is not."""
    rng, out = random.Random(seed), io.BytesIO()
    with zipfile.ZipFile(GOLDEN / f"keras{version}/nested.keras") as good, zipfile.ZipFile(out, "w") as bad:
        hit = rng.choice(good.namelist())
        for name in good.namelist():
            content = bytearray(good.read(name))
            for _ in range(rng.randint(1, 4) if name == hit else 0):
                at = rng.randrange(len(content))
                content[at : at + 1] = rng.choice([b"\0", b"\xff", b"[", rng.randbytes(2)])
            bad.writestr(name, bytes(content))
    read_or_refused(out.getvalue())


def test_specs_print_themselves() -> None:
    spec: Spec = opened(graph(2)).spec
    assert str(spec).splitlines()[0] == "Model 'm', Keras 2.15.0"


def test_a_sentence_stays_short_whatever_a_file_says() -> None:
    words = " ".join(str(i) for i in range(10_000))
    said = str(webkeras.ConfigError(f"dense: {words}; expected a number"))
    assert said.startswith("dense: 0 1 2")
    assert said.endswith("9999; expected a number")
    assert len(said) <= 1500
    assert str(webkeras.ConfigError("dense: no")) == "dense: no"
