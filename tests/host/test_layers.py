"""Every layer against what the genuine Keras of its version answered: tests/golden/layers."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from webkeras.graph import Graph, run
from webkeras.loading import load_model
from webkeras.model import Model
from webkeras.passes import expand, fold, fuse
from webkeras.spec import flat

GOLDEN = Path(__file__).parent.parent / "golden" / "layers"
FILES = sorted(GOLDEN.glob("keras*/*.npz"))

#: Relative to the largest number of an output: both sides are float32 and sum in an order of their own.
TOLERANCE = 1e-5
#: Where Keras itself is less exact than that, by how a case's name begins, with the reason.
LOOSER: dict[str, tuple[float, str]] = {
    "keras2.15.0-UpSampling2D-interpolation=bicubic": (
        2e-3,
        "TensorFlow takes cubic weights from a table of 1024 steps",
    ),
    "keras2.15.0-Resizing-height=7,interpolation=bicubic": (2e-3, "the same table"),
    "keras2.15.0-Resizing-height=3,interpolation=bicubic": (2e-3, "the same table"),
}

spec = importlib.util.spec_from_file_location("golden_file", GOLDEN / "golden_file.py")
assert spec is not None
assert spec.loader is not None
golden_file: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(golden_file)


@cache
def cases(path: Path) -> tuple[str, dict[str, Any]]:
    version, found = golden_file.read(path)
    return version, {c.name: c for c in found}


ROWS = [pytest.param(f, name, id=f"{f.parent.name}-{f.stem}-{name}") for f in FILES for name in cases(f)[1]]


@pytest.mark.parametrize(("path", "name"), ROWS)
def test_layer_answers_as_keras(path: Path, name: str) -> None:
    version, of = cases(path)
    case = of[name]
    weights, metadata = case.buf()
    model = load_model(
        json.dumps(case.config).encode(),
        weights=weights,
        metadata=json.dumps(metadata).encode(),
        backend="reference",
        keras_version=version,
        theano_kernels=case.notes.get("theano"),
    )
    allowed = tolerance(f"{path.parent.name}-{path.stem}-{name}")
    check(answers(model, case), case, allowed)
    if model.texts:  # what goes into the graph is not what goes into the model
        return
    graph = model.network.trace({i.name: x.shape for i, (_, x) in zip(model.inputs, case.inputs, strict=True)})
    if set(graph.inputs) == {i.name for i in model.inputs}:  # no states
        feed = {i.name: x for i, (_, x) in zip(model.inputs, case.inputs, strict=True)}
        check(list(run(passes(graph), feed).values()), case, allowed)


def wanted(case: Any) -> list[Any]:
    """The outputs, flat: where the model gives a list within the list, the file has its members in one array."""
    config = case.config["config"]
    ends = config.get("output_layers", []) if isinstance(config, dict) else []
    rows = zip(ends, case.outputs, strict=True) if len(ends) == len(case.outputs) else ((None, o) for o in case.outputs)
    return [a for end, (_, y) in rows for a in (y if isinstance(end, list) and isinstance(end[0], list) else [y])]


def check(found: list[Any], case: Any, allowed: float) -> None:
    for got, want in zip(found, wanted(case), strict=True):
        assert got.shape == want.shape
        scale = max(float(np.abs(want).max(initial=0)), 1e-3)
        np.testing.assert_allclose(got / scale, want / scale, rtol=0, atol=allowed)


def passes(graph: Graph) -> Graph:
    """What a backend does to a graph before it plans."""
    return fuse(fold(expand(graph)), {"conv", "conv_transpose", "matmul", "pool", "reduce"})


def tolerance(case: str) -> float:
    return next((allowed for start, (allowed, _) in LOOSER.items() if case.startswith(start)), TOLERANCE)


def answers(model: Model, case: Any) -> list[Any]:
    """The outputs of a case: of one call, or of its calls one after another where the layer keeps states."""
    calls, found = case.notes.get("calls", 1), []
    for i in range(calls):
        if i in case.notes.get("reset_before", []):
            model.reset_states()
        xs = [np.split(x, calls)[i] for _, x in case.inputs] + list(case.notes.get("texts", {}).values())
        y = model.predict(xs if len(xs) > 1 else xs[0])
        found.append(flat(y))
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def test_there_are_goldens_of_four_versions() -> None:
    assert {"1.2.2", "2.1.2", "2.15.0", "3.15.1"} <= {cases(f)[0] for f in FILES}
