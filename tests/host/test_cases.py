"""Every op case on the host: called, traced and after each pass the same; and every one has a webgl2 plan."""

import json

import numpy as np
import pytest

from tests.cases import TOLERANCE, Case, cases, error
from webkeras.backends.webgl2.context import passes, plan
from webkeras.backends.webgl2.layout import Limits
from webkeras.backends.webgl2.program import program
from webkeras.graph import OPS, run
from webkeras.passes import expand, fold, fuse


@pytest.mark.parametrize("case", cases(), ids=lambda c: c.name)
def test_called_traced_and_rewritten_mean_the_same(case: Case) -> None:
    y = case.build(*case.arrays())
    want = y if isinstance(y, list) else [y]
    graph = case.graph()
    small = expand(graph)
    stages = {"traced": graph, "expanded": small, "folded": fold(small), "fused": fuse(fold(small), {"conv", "matmul"})}
    stages["as webgl2 wants it"] = passes(graph, Limits())
    for name, stage in stages.items():
        for got, w in zip(run(stage, case.feed()).values(), want, strict=True):
            assert got.shape == w.shape, name
            assert error(got, w) < 10 * TOLERANCE["reference"], name  # passes change the order of sums


@pytest.mark.parametrize("limits", [Limits(), Limits(lanes=4), Limits(max_size=2048)], ids=str)
def test_every_case_has_a_plan(limits: Limits) -> None:
    for case in cases():
        planned = plan(case.graph(), limits)
        text, _ = program(planned)
        assert text
        assert "draws a run" in str(planned)


def test_every_op_has_a_case() -> None:
    used = {n.op for case in cases() for n in case.graph().nodes}
    assert set(OPS) - used == {"outside"}  # no backend sees that one: test_apart.py


def test_a_residual_block_is_two_draws() -> None:
    (case,) = [c for c in cases() if c.name == "a residual block"]
    steps = plan(case.graph()).steps
    assert [s.source.files[1] for s in steps if s.source.files[1] != "move.glsl"] == ["conv.glsl", "matmul.glsl"]


def test_equal_sources_are_one_program() -> None:
    (case,) = [c for c in cases() if c.name == "concat of 20"]
    planned = plan(case.graph())
    text, _ = program(planned)
    assert len({s.source.text for s in planned.steps + planned.prepare}) == len(json.loads(text)["programs"])


def test_errors_are_measured() -> None:
    assert error([1.0, 2.0], [1.0, 2.0]) == 0
    assert error([1.0, 2.1], [1.0, 2.0]) == pytest.approx(0.05)
    assert error([1.0, np.nan], [1.0, 2.0]) == np.inf
    assert error([1.0], [1.0, 2.0]) == np.inf
