"""Elementwise work is one op, `map`: a scalar expression over any number of inputs, with numpy broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from webkeras.expr import Expr, evaluate, substitute
from webkeras.graph import Literal, Value, op, topo
from webkeras.shapes import broadcast


@op(shape=lambda *xs, expr: broadcast(*xs), arity=None)
def map_(*xs: Any, expr: Expr) -> Any:
    """A scalar expression, elementwise: slot i of expr is xs[i].

    xs broadcast to the result's shape.
    Raises ShapeError when they do not.
    Source: numpy's broadcasting
    """
    return evaluate(expr, xs)


@dataclass(frozen=True)
class Symbol:
    """What `fused` hands to a function: an expression that grows by the functions below."""

    expr: Expr


def fused(function: Callable[..., Any], *xs: Any) -> Any:
    """An elementwise function of arrays or Values as one op; it may call nothing but the functions below."""
    return map_(*xs, expr=function(*map(Symbol, range(len(xs)))).expr)


def apply(function: str, *args: Any) -> Any:
    """One scalar function of arrays, Values and numbers; numbers become literals of the expression."""
    if any(isinstance(a, Symbol) for a in args):
        return Symbol((function, *[a.expr if isinstance(a, Symbol) else float(a) for a in args]))
    xs = [a for a in args if not isinstance(a, int | float)]
    at = iter(range(len(xs)))
    expr = (function, *[float(a) if isinstance(a, int | float) else next(at) for a in args])
    return map_(*xs, expr=expr)


def expression(function: Callable[[Any], Any]) -> Expr | None:
    """What a function of one tensor computes, as an expression of slot 0; None where it is not elementwise."""
    x = Value((1,))
    y = function(x)
    found: dict[int, Expr] = {id(x): 0}
    for node in topo([y]):
        for v in node.inputs:
            if isinstance(v.constant, Literal) and v.size == 1:
                found[id(v)] = v.constant.floats[0]
        if node.op != "map" or any(id(v) not in found for v in node.inputs):
            return None
        found[id(node.out)] = substitute(node.attrs["expr"], {i: found[id(v)] for i, v in enumerate(node.inputs)})
    return found[id(y)]


def add(a: Any, b: Any) -> Any:
    """a + b"""
    return apply("add", a, b)


def subtract(a: Any, b: Any) -> Any:
    """a - b"""
    return apply("sub", a, b)


def multiply(a: Any, b: Any) -> Any:
    """a * b"""
    return apply("mul", a, b)


def divide(a: Any, b: Any) -> Any:
    """a / b"""
    return apply("div", a, b)


def power(a: Any, b: Any) -> Any:
    """a to the power b, as numpy.power: NaN for a negative a and a broken b."""
    return apply("pow", a, b)


def maximum(a: Any, b: Any) -> Any:
    """The larger of a and b."""
    return apply("max", a, b)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of a and b."""
    return apply("min", a, b)


def less(a: Any, b: Any) -> Any:
    """1 where a < b, else 0."""
    return apply("lt", a, b)


def less_equal(a: Any, b: Any) -> Any:
    """1 where a <= b, else 0."""
    return apply("le", a, b)


def equal(a: Any, b: Any) -> Any:
    """1 where a == b, else 0."""
    return apply("eq", a, b)


def where(condition: Any, a: Any, b: Any) -> Any:
    """a where condition is not 0, else b."""
    return apply("select", condition, a, b)


def negative(x: Any) -> Any:
    """-x"""
    return apply("neg", x)


def absolute(x: Any) -> Any:
    """|x|"""
    return apply("abs", x)


def sign(x: Any) -> Any:
    """-1, 0 or 1."""
    return apply("sign", x)


def floor(x: Any) -> Any:
    """The largest whole number not above x."""
    return apply("floor", x)


def round_(x: Any) -> Any:
    """The nearest whole number, halves to even."""
    return apply("round", x)


def exp(x: Any) -> Any:
    """e to the power x."""
    return apply("exp", x)


def expm1(x: Any) -> Any:
    """exp(x) - 1, accurate near 0."""
    return apply("expm1", x)


def log(x: Any) -> Any:
    """The natural logarithm."""
    return apply("log", x)


def log1p(x: Any) -> Any:
    """log(1 + x), accurate near 0."""
    return apply("log1p", x)


def sqrt(x: Any) -> Any:
    """The square root."""
    return apply("sqrt", x)


def rsqrt(x: Any) -> Any:
    """1 / sqrt(x)"""
    return apply("rsqrt", x)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return apply("tanh", x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))"""
    return apply("sigmoid", x)


def erf(x: Any) -> Any:
    """The error function."""
    return apply("erf", x)


def sin(x: Any) -> Any:
    """The sine of x in radians."""
    return apply("sin", x)


def cos(x: Any) -> Any:
    """The cosine of x in radians."""
    return apply("cos", x)
