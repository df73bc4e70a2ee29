"""The scalar functions of the C kernels: what numpy says, at the edges too, and how close they are to the truth."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "wasm"))
import machine

from webkeras import ops
from webkeras.expr import SCALARS
from webkeras.graph import Graph, Value
from webkeras.graph import run as reference

RAGGED = (1, 3, 4, 5, 7, 8, 13, 31)


@pytest.mark.parametrize("name", sorted(SCALARS))
@pytest.mark.parametrize("n", [*RAGGED, 1027])
def test_scalars(name: str, n: int) -> None:
    arity = SCALARS[name].arity
    positive = name in ("log", "sqrt", "rsqrt", "log1p", "pow")

    def build(*xs: Any) -> Any:
        return ops.map_(*[ops.absolute(x) + 0.1 if positive else x * 3.0 for x in xs], expr=(name, *range(arity)))

    inputs = {f"x{i}": Value((n,)) for i in range(arity)}
    graph = Graph(inputs, {"y": build(*inputs.values())})
    rng = np.random.default_rng(n)
    feeds = {k: rng.uniform(-1, 1, n).astype("float32") for k in inputs}
    np.testing.assert_allclose(machine.run(graph, feeds)["y"], reference(graph, feeds)["y"], rtol=2e-6, atol=2e-6)


SPECIAL = np.array(
    [
        0,
        -0.0,
        1,
        -1,
        0.5,
        2,
        -2,
        3,
        1e-8,
        -1e-8,
        1e-40,
        40,
        -40,
        88,
        89,
        -88,
        -104,
        700,
        -700,
        np.inf,
        -np.inf,
        np.nan,
        2.5,
        -2.5,
        1e6,
    ],
    "float32",
)


@pytest.mark.parametrize("name", sorted(SCALARS))
def test_scalars_at_the_edges(name: str) -> None:
    """Zeros of both signs, infinities, NaN, overflow: what numpy says."""
    arity = SCALARS[name].arity
    special = SPECIAL[np.abs(SPECIAL) < 1e4] if name in ("sin", "cos") else SPECIAL
    values = np.array(list(itertools.product(special, repeat=arity)), "float32")
    inputs = {f"x{i}": Value((len(values),)) for i in range(arity)}
    graph = Graph(inputs, {"y": ops.map_(*inputs.values(), expr=(name, *range(arity)))})
    feeds = {f"x{i}": values[:, i] for i in range(arity)}
    with np.errstate(all="ignore"):
        want = reference(graph, feeds)["y"]
    np.testing.assert_allclose(machine.run(graph, feeds)["y"], want, rtol=2e-6, atol=1e-38)


def test_scalars_are_close_to_the_truth() -> None:
    """Against double precision: at most 4 units in the last place."""
    true: dict[str, tuple[Any, float, float]] = {
        "exp": (np.exp, -87, 88),
        "expm1": (np.expm1, -20, 20),
        "log": (np.log, 1e-6, 50),
        "log1p": (np.log1p, -0.99, 50),
        "tanh": (np.tanh, -10, 10),
        "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), -30, 30),
    }
    for name, (f, low, high) in true.items():
        x = np.concatenate([np.linspace(low, high, 20000), np.linspace(-0.6, 0.6, 5001) if low < 0 else []]).astype(
            "float32"
        )
        graph = Graph(i := {"x": Value(x.shape)}, {"y": ops.map_(i["x"], expr=(name, 0))})
        want = f(x.astype("float64"))
        error = np.abs(machine.run(graph, {"x": x})["y"] - want) / np.spacing(np.abs(want).astype("float32"))
        assert error.max() <= 4, (name, error.max(), x[error.argmax()])
