"""Every layer against what the genuine Keras of its version answered: tests/golden/layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.goldens import FILES, answers, cases, error, find, load, rows, tolerance
from webkeras.graph import Graph, run
from webkeras.passes import expand, fold, fuse


@pytest.mark.parametrize("row", rows())
def test_layer_answers_as_keras(row: str) -> None:
    version, case = find(row)
    model, allowed = load(version, case, "reference"), tolerance(row, "reference")
    assert error(answers(model, case), case) <= allowed
    if model.texts:  # what goes into the graph is not what goes into the model
        return
    graph = model.network.trace({i.name: x.shape for i, (_, x) in zip(model.inputs, case.inputs, strict=True)})
    if set(graph.inputs) == {i.name for i in model.inputs}:  # no states
        feed = {i.name: x for i, (_, x) in zip(model.inputs, case.inputs, strict=True)}
        assert error(list(run(passes(graph), feed).values()), case) <= allowed


def passes(graph: Graph) -> Graph:
    """What a backend does to a graph before it plans."""
    return fuse(fold(expand(graph)), {"conv", "conv_transpose", "matmul", "pool", "reduce"})


def test_there_are_goldens_of_four_versions() -> None:
    assert {"1.2.2", "2.1.2", "2.15.0", "3.15.1"} <= {cases(f)[0] for f in FILES}


def test_errors_are_measured() -> None:
    _, case = find("keras2.15.0/LSTM stateful")
    want: list[Any] = [y.copy() for _, y in case.outputs]
    assert error(want, case) == 0
    largest = float(np.abs(want[0]).max())
    want[0].flat[0] += 0.5 * largest
    assert error(want, case) == pytest.approx(0.5, rel=1e-6)
    want[0].flat[0] = np.nan
    assert error(want, case) == np.inf
    with pytest.raises(ValueError, match="an output of shape"):
        error([want[0].ravel()], case)
    with pytest.raises(ValueError, match="longer"):
        error([], case)
