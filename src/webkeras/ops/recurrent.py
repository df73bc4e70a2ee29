"""Whole recurrent layers as composites: a backend may have a kernel for one, or run the scan written here.

All take the input already projected, for all steps at once: x (n, t, gates * u) is input @ kernel + bias. `activation`
and `recurrent_activation` are scalar expressions of slot 0. A last input `mask` (n, t), ones and zeros, may follow:
where it is 0 the states stay as they are, and what is given out is the state before, or 0 with `zero`. With `reverse`
the last step comes first; the outputs stand at the place of their inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from webkeras.errors import ShapeError
from webkeras.expr import Expr
from webkeras.graph import composite
from webkeras.ops.contraction import matmul
from webkeras.ops.control import scan
from webkeras.ops.elementwise import add, map_, multiply, subtract, where
from webkeras.ops.movement import reshape, slice_
from webkeras.shapes import Shape

Function = Callable[[Any], Any]
Step = Callable[[list[Any], list[Any]], tuple[list[Any], Any]]  # (states, xs_t) -> (new states, y)


def masked_scan(
    step: Step,
    states: Sequence[Any],
    xs: Sequence[Any],
    mask: Any = None,
    *,
    reverse: bool = False,
    zero: bool = False,
) -> tuple[Any, list[Any]]:
    """`scan` of a step (states, xs_t) -> (new states, y) that a mask holds still: -> (ys (n, t, ...), final states)."""
    if mask is None:
        final, (ys,) = scan(lambda s, x: _listed(step(s, x)), states, xs, reverse=reverse)
        return ys, final

    def held(old: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        *x, m = slices
        new, y = step(old, x)
        return [where(m, a, b) for a, b in zip(new, old, strict=True)], [where(m, y, 0.0 if zero else old[0])]

    ones = (1,) * (len(states[0].shape) - 1)
    final, (ys,) = scan(held, states, [*xs, reshape(mask, shape=(*mask.shape, *ones))], reverse=reverse)
    return ys, final


def _listed(pair: tuple[list[Any], Any]) -> tuple[list[Any], list[Any]]:
    return pair[0], [pair[1]]


def gate(x: Any, i: int, count: int) -> Any:
    """The i-th of `count` equal parts of the last axis."""
    u = x.shape[-1] // count
    begin, end = (0,) * len(x.shape), tuple(x.shape)
    return slice_(x, begin=(*begin[:-1], i * u), end=(*end[:-1], (i + 1) * u), step=(1,) * len(x.shape))


def _shapes(gates: int, states: int, biases: int, x: Shape, recurrent: Shape, *rest: Shape) -> list[Shape]:
    """The outputs' shapes, everything checked."""
    n, t, u = x[0], x[1], recurrent[0]
    want = [(n, u)] * states + [(u,)] * biases
    mask = rest[len(want) :]
    if len(x) != 3 or recurrent != (u, gates * u) or x[2] != gates * u:
        raise ShapeError(f"input {x} and recurrent kernel {recurrent}; expected (n, t, {gates} u) and (u, {gates} u)")
    if list(rest[: len(want)]) != want or mask not in ((), ((n, t),)):
        raise ShapeError(f"states, bias and mask {list(rest)}; expected {want} and maybe a mask {(n, t)}")
    return [(n, t, u), *[(n, u)] * states]


def simple_rnn_step(recurrent: Any, *, activation: Function) -> Step:
    """One step of `simple_rnn`."""

    def step(states: list[Any], xs: list[Any]) -> tuple[list[Any], Any]:
        y = activation(add(xs[0], matmul(states[0], recurrent)))
        return [y], y

    return step


def lstm_step(
    recurrent: Any,
    *,
    activation: Function,
    recurrent_activation: Function,
    product: Callable[[Any, Any], Any] = matmul,
) -> Step:
    """One step of `lstm`; with another product of state and recurrent kernel, of its convolutional sisters."""

    def step(states: list[Any], xs: list[Any]) -> tuple[list[Any], Any]:
        z = add(xs[0], product(states[0], recurrent))
        i, f, o = (recurrent_activation(gate(z, k, 4)) for k in (0, 1, 3))
        c = add(multiply(f, states[1]), multiply(i, activation(gate(z, 2, 4))))
        h = multiply(o, activation(c))
        return [h, c], h

    return step


def gru_step(
    recurrent: Any, *bias: Any, activation: Function, recurrent_activation: Function, reset_after: bool
) -> Step:
    """One step of `gru`; a bias comes with `reset_after`."""
    u = recurrent.shape[0]

    def part(first: int, last: int) -> Any:
        return slice_(recurrent, begin=(0, first * u), end=(u, last * u), step=(1, 1))

    gates, candidate = (recurrent, None) if reset_after else (part(0, 2), part(2, 3))

    def step(states: list[Any], xs: list[Any]) -> tuple[list[Any], Any]:
        (h,), (x,) = states, xs
        hidden = matmul(h, gates)
        z, r = (recurrent_activation(add(gate(x, k, 3), gate(hidden, k, gates.shape[1] // u))) for k in (0, 1))
        after = multiply(r, add(gate(hidden, 2, 3), bias[0])) if reset_after else None
        inner = matmul(multiply(r, h), candidate) if after is None else after
        y = add(multiply(z, h), multiply(subtract(1.0, z), activation(add(gate(x, 2, 3), inner))))
        return [y], y

    return step


def _of(expr: Expr) -> Function:
    return lambda x: map_(x, expr=expr)


@composite(shape=lambda x, r, *rest, **_: _shapes(1, 1, 0, x, r, *rest), arity=None)
def simple_rnn(
    x: Any, recurrent: Any, h: Any, *mask: Any, activation: Expr, reverse: bool = False, zero: bool = False
) -> Any:
    """h = activation(x_t + h @ recurrent).

    x (n, t, u), recurrent (u, u), h (n, u)[, mask (n, t)] -> (ys (n, t, u), h (n, u))
    Source: keras/src/layers/rnn/simple_rnn.py
    """
    step = simple_rnn_step(recurrent, activation=_of(activation))
    ys, final = masked_scan(step, [h], [x], *mask, reverse=reverse, zero=zero)
    return ys, *final


@composite(shape=lambda x, r, *rest, **_: _shapes(4, 2, 0, x, r, *rest), arity=None)
def lstm(
    x: Any,
    recurrent: Any,
    h: Any,
    c: Any,
    *mask: Any,
    activation: Expr,
    recurrent_activation: Expr,
    reverse: bool = False,
    zero: bool = False,
) -> Any:
    """Long short-term memory; gates in the order i, f, c, o of z = x_t + h @ recurrent.

    c = s(f) * c + s(i) * a(z_c), h = s(o) * a(c), with s the recurrent activation and a the activation.
    x (n, t, 4 u), recurrent (u, 4 u), h (n, u), c (n, u)[, mask (n, t)] -> (ys (n, t, u), h (n, u), c (n, u))
    Source: keras/src/layers/rnn/lstm.py; Hochreiter and Schmidhuber 1997
    """
    step = lstm_step(recurrent, activation=_of(activation), recurrent_activation=_of(recurrent_activation))
    ys, final = masked_scan(step, [h, c], [x], *mask, reverse=reverse, zero=zero)
    return ys, *final


@composite(shape=lambda x, r, *rest, reset_after, **_: _shapes(3, 1, int(reset_after), x, r, *rest), arity=None)
def gru(
    x: Any,
    recurrent: Any,
    h: Any,
    *rest: Any,
    activation: Expr,
    recurrent_activation: Expr,
    reset_after: bool,
    reverse: bool = False,
    zero: bool = False,
) -> Any:
    """Gated recurrent unit; gates in the order z, r, h of x_t and of the recurrent kernel.

    h = s(z) * h + (1 - s(z)) * a(x_h + hidden), where hidden is s(r) * (h @ recurrent_h + bias) with `reset_after`,
    else (s(r) * h) @ recurrent_h. The recurrent biases of z and r are in x already.
    x (n, t, 3 u), recurrent (u, 3 u), h (n, u)[, bias (u,) with reset_after][, mask (n, t)]
    -> (ys (n, t, u), h (n, u))
    Source: keras/src/layers/rnn/gru.py; Cho et al. 2014
    """
    bias, mask = rest[: int(reset_after)], rest[int(reset_after) :]
    functions = {"activation": _of(activation), "recurrent_activation": _of(recurrent_activation)}
    step = gru_step(recurrent, *bias, **functions, reset_after=reset_after)
    ys, final = masked_scan(step, [h], [x], *mask, reverse=reverse, zero=zero)
    return ys, *final
