"""The op table and every layer golden through the wasm backend's planner and its C kernels, compiled for the host."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "wasm"))
import machine

from tests import goldens
from tests.cases import TOLERANCE, Case, cases, error
from webkeras.backends import _open
from webkeras.graph import Graph, run


class HostExecutable:
    """A graph for the compiled kernels; every run is a process."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return {k: y.ravel() for k, y in machine.run(self.graph, {k: np.asarray(x) for k, x in feeds.items()}).items()}

    def free(self) -> None: ...


class HostKernels:
    """The kernels as a backend, in the place of numpy."""

    name = "reference"

    def prepare(self, graph: Graph) -> HostExecutable:
        return HostExecutable(graph)


@pytest.mark.parametrize("case", cases(), ids=lambda c: c.name)
def test_kernels_mean_what_numpy_means(case: Case) -> None:
    graph = case.graph()
    want, got = run(graph, case.feed()), machine.run(graph, case.feed())
    for k, w in want.items():
        assert got[k].shape == w.shape
        assert error(got[k], w) < TOLERANCE["wasm"]


@pytest.mark.parametrize("row", goldens.rows())
def test_layer_answers_as_keras(row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_open, "reference", HostKernels())
    version, case = goldens.find(row)
    found = goldens.answers(goldens.load(version, case, "reference"), case)
    assert goldens.error(found, case) <= goldens.tolerance(row, "wasm")
