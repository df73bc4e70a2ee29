"""Scans and slices through the C kernels: states in place or through copies, views where nothing has to move."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "wasm"))
from checks import array, check

from webkeras import ops
from webkeras.backends.wasm.plan import layout
from webkeras.graph import Graph, Value

TANH, SIGMOID = ("tanh", 0), ("sigmoid", 0)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("n", "t", "u"), [(1, 5, 8), (3, 4, 5), (2, 1, 13)])
def test_recurrent(reverse: bool, n: int, t: int, u: int) -> None:
    """Whole recurrent layers as scans, masked too, and with the kernel computed rather than given."""
    kernels_ = {k: array(u, k * u) for k in (1, 3, 4)}
    bias = array(u)

    def lstm(x: Any, h: Any, c: Any, m: Any) -> Any:
        mask = ops.less(0.0, m)
        args = {"activation": TANH, "recurrent_activation": SIGMOID, "reverse": reverse}
        return (*ops.lstm(x, kernels_[4], h, c, **args), *ops.lstm(x, kernels_[4], h, c, mask, **args, zero=True))

    def gru(x: Any, h: Any, r: Any) -> Any:
        args = {"activation": TANH, "recurrent_activation": SIGMOID, "reverse": reverse}
        after = ops.gru(x, kernels_[3], h, bias, reset_after=True, **args)
        return (*after, *ops.gru(x, r * 0.5, h, reset_after=False, **args))

    check(lstm, (n, t, 4 * u), (n, u), (n, u), (n, t), expect="SCAN")
    check(gru, (n, t, 3 * u), (n, u), (u, 3 * u), expect="SCAN")
    check(
        lambda x, h: ops.simple_rnn(x, kernels_[1], h, activation=TANH, reverse=reverse),
        (n, t, u),
        (n, u),
        expect="SCAN",
    )


def test_scan_whose_states_change_places() -> None:
    def build(x: Any, a: Any, b: Any) -> Any:
        states, ys = ops.scan(lambda s, x: ([s[1], s[0]], [x[0] + s[0], s[1]]), [a, b], [x])
        return (*states, *ys)

    check(build, (2, 5, 3), (2, 3), (2, 3))


def cut(x: Any, *ranges: tuple[int, int]) -> Any:
    """x[begin:end, ...] of the last axes."""
    whole = [(0, n) for n in x.shape[: len(x.shape) - len(ranges)]] + list(ranges)
    return ops.slice_(x, begin=tuple(b for b, _ in whole), end=tuple(e for _, e in whole), step=(1,) * len(whole))


STEPS: dict[str, Callable[..., Any]] = {
    "handed on": lambda s, x: ([ops.tanh(s[0] + x), s[0]], [s[1]]),
    "handed on, in part": lambda s, x: (
        [s[0] * x, ops.concat(cut(s[0], (0, 1)), cut(s[1], (0, 2)), axis=1)],
        [cut(s[0], (1, 3))],
    ),
    "a part of the new": lambda s, x: (
        [n := ops.tanh(s[0] + x), ops.concat(cut(n, (2, 3)), cut(s[1], (1, 3)), axis=1)],
        [n],
    ),
    "read after it is made": lambda s, x: ([n := ops.tanh(s[0] * x), n - s[0]], [n + s[1]]),
    "read across": lambda s, x: ([ops.maximum(s[0], s[1]), s[1] * ops.reduce(s[1], fn="max", axes=(1,))], [s[0]]),
    "the same twice": lambda s, x: ([n := s[0] + s[1] * x, n], [n]),
    "spread": lambda s, x: ([s[0] + cut(s[0], (1, 2)) * x, cut(s[1], (0, 1)) + s[1]], [x]),
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("n", [1, 2])
def test_scan_whose_states_are_written_in_place_or_not(name: str, n: int) -> None:
    def build(x: Any, a: Any, b: Any) -> Any:
        states, ys = ops.scan(lambda s, x: STEPS[name](s, x[0]), [a, b], [x])
        return (*states, *ys)

    check(build, (n, 6, 3), (n, 3), (n, 3))


def test_slices_in_one_piece_are_views() -> None:
    def build(x: Any) -> Any:
        row = cut(x, (1, 3), (0, 4), (0, 3))
        return row * 2.0, cut(row, (1, 2), (0, 2), (0, 3)), cut(x, (0, 1), (2, 4), (0, 3))

    check(build, (5, 4, 3))
    x = Value((5, 4, 3), name="x")
    y = ops.tanh(cut(cut(x, (1, 3), (0, 4), (0, 3)), (1, 2), (0, 2), (0, 3)))
    assert [i.op for i in layout(Graph({"x": x}, {"y": y})).always] == ["MAP"]


def test_scan_over_images() -> None:
    w = array(3, 3, 4, 4) / 6

    def build(x: Any, h: Any) -> Any:
        def step(s: Any, x: Any) -> Any:
            y = ops.tanh(x[0] + ops.conv(s[0], w, strides=(1, 1), pads=((1, 1), (1, 1))))
            return [y], [ops.reduce(y, fn="max", axes=(1, 2))]

        states, ys = ops.scan(step, [h], [x])
        return (*states, *ys)

    check(build, (2, 3, 5, 6, 4), (2, 5, 6, 4), threads=2)
