"""Threads share every instruction's work and change nothing: under the thread sanitizer, run after run."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "wasm"))
import machine

from tests import every_kernel
from webkeras.graph import run as reference

RUNS = 8


@pytest.mark.parametrize("threads", [2, 4])
def test_threads_give_the_bytes_of_one_and_race_nowhere(threads: int) -> None:
    graph, feeds = every_kernel.graph(), every_kernel.feeds()
    alone = machine.predict(graph, feeds, 1, 1)[0]
    want = np.concatenate([y.ravel() for y in reference(graph, feeds).values()])
    np.testing.assert_allclose(np.frombuffer(alone, "<f4"), want, rtol=1e-4, atol=1e-5)
    assert set(machine.predict(graph, feeds, threads, RUNS)) == {alone}
