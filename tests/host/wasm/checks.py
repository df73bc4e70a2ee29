"""What every test of the kernels needs: numbers, and a graph computed by the kernels and by numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import machine
import numpy as np

from webkeras.backends.wasm.plan import layout
from webkeras.graph import Graph, Value
from webkeras.graph import run as reference

rng = np.random.default_rng(5)


def array(*shape: int) -> np.ndarray:
    return rng.uniform(-1, 1, shape).astype("float32")


def check(
    build: Callable[..., Any], *shapes: tuple[int, ...], tolerance: float = 1e-5, threads: int = 1, expect: str = ""
) -> None:
    """build(*inputs) computed by the kernels and by numpy; `expect` names an instruction that must be among them."""
    inputs = {f"x{i}": Value(s, name=f"x{i}") for i, s in enumerate(shapes)}
    y = build(*inputs.values())
    graph = Graph(inputs, {f"y{i}": v for i, v in enumerate(y if isinstance(y, tuple) else (y,))})
    feeds = {k: array(*v.shape) for k, v in inputs.items()}
    if expect:
        assert expect in [i.op for i in layout(graph).always]
    want, got = reference(graph, feeds), machine.run(graph, feeds, threads)
    for k, w in want.items():
        np.testing.assert_allclose(
            got[k], w, rtol=tolerance, atol=tolerance * max(1.0, float(np.abs(w[np.isfinite(w)]).max(initial=0)))
        )
