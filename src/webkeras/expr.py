"""Scalar expressions: what an elementwise op computes, as data.

An expression is an int (an input slot), a float (a literal) or a tuple `(function, *arguments)`. Tuples are shared
freely, so an expression is a graph, not a tree; every walk here visits a shared part once. Fusing two ops is
substitution; a backend needs one spelling per row of SCALARS and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from webkeras.lazy import np

Expr = int | float | tuple[Any, ...]

ACC = -1  # the slot of "what the op itself computed", in the epilogue of a fused op


class Scalar(NamedTuple):
    """One scalar function: how many arguments, its numpy meaning, its GLSL spelling on vec4."""

    arity: int
    numpy: Callable[..., Any]
    glsl: str


def _where(condition: Any, a: Any, b: Any) -> Any:
    return np.where(condition != 0, a, b)


def _truth(function: str) -> Callable[..., Any]:
    """A numpy comparison that answers with 1.0 and 0.0."""
    return lambda a, b: getattr(np, function)(a, b).astype("float32")


def _sigmoid(x: Any) -> Any:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def _erf(x: Any) -> Any:
    return np.vectorize(math.erf, otypes=["float32"])(x) if np.size(x) else np.asarray(x, "float32")


SCALARS: dict[str, Scalar] = {
    "add": Scalar(2, lambda a, b: a + b, "({} + {})"),
    "sub": Scalar(2, lambda a, b: a - b, "({} - {})"),
    "mul": Scalar(2, lambda a, b: a * b, "({} * {})"),
    "div": Scalar(2, lambda a, b: np.true_divide(a, b), "({} / {})"),
    "pow": Scalar(2, lambda a, b: np.power(a, b), "pow_({}, {})"),
    "max": Scalar(2, lambda a, b: np.maximum(a, b), "max({}, {})"),
    "min": Scalar(2, lambda a, b: np.minimum(a, b), "min({}, {})"),
    "lt": Scalar(2, _truth("less"), "vec4(lessThan({}, {}))"),
    "le": Scalar(2, _truth("less_equal"), "vec4(lessThanEqual({}, {}))"),
    "eq": Scalar(2, _truth("equal"), "vec4(equal({}, {}))"),
    "select": Scalar(3, _where, "select_({}, {}, {})"),
    "neg": Scalar(1, lambda x: -x, "(-{})"),
    "abs": Scalar(1, lambda x: np.abs(x), "abs({})"),
    "sign": Scalar(1, lambda x: np.sign(x), "sign({})"),
    "floor": Scalar(1, lambda x: np.floor(x), "floor({})"),
    "round": Scalar(1, lambda x: np.round(x), "roundEven({})"),
    "exp": Scalar(1, lambda x: np.exp(x), "exp({})"),
    "expm1": Scalar(1, lambda x: np.expm1(x), "expm1_({})"),
    "log": Scalar(1, lambda x: np.log(x), "log({})"),
    "log1p": Scalar(1, lambda x: np.log1p(x), "log1p_({})"),
    "sqrt": Scalar(1, lambda x: np.sqrt(x), "sqrt({})"),
    "rsqrt": Scalar(1, lambda x: 1 / np.sqrt(x), "inversesqrt({})"),
    "tanh": Scalar(1, lambda x: np.tanh(x), "tanh_({})"),
    "sigmoid": Scalar(1, _sigmoid, "sigmoid_({})"),
    "erf": Scalar(1, _erf, "erf_({})"),
    "sin": Scalar(1, lambda x: np.sin(x), "sin_({})"),
    "cos": Scalar(1, lambda x: np.cos(x), "cos_({})"),
}


def check(e: Expr) -> Expr:
    """Return e; raise KeyError for an unknown function, ValueError for a wrong number of arguments."""
    for part in walk(e):
        if isinstance(part, tuple) and SCALARS[part[0]].arity != len(part) - 1:
            raise ValueError(f"scalar {part[0]!r} got {len(part) - 1} arguments, it takes {SCALARS[part[0]].arity}")
    return e


def walk(e: Expr) -> list[Expr]:
    """Every distinct part of e, arguments before their users."""
    found: dict[int, Expr] = {}

    def visit(part: Expr) -> None:
        for a in part[1:] if isinstance(part, tuple) else ():
            if id(a) not in found:
                if isinstance(a, tuple):
                    visit(a)
                found[id(a)] = a
        found[id(part)] = part

    visit(e)
    return list(found.values())


def evaluate(e: Expr, xs: Mapping[int, Any] | Sequence[Any]) -> Any:
    """The numpy value of e, float32, with xs[slot] in the place of each slot."""
    done: dict[int, Any] = {}
    for part in walk(e):
        if isinstance(part, tuple):
            value = SCALARS[part[0]].numpy(*[done[id(a)] for a in part[1:]])
        else:
            value = xs[part] if isinstance(part, int) else np.float32(part)
        done[id(part)] = value
    return np.asarray(done[id(e)], "float32")


def slots(e: Expr) -> set[int]:
    """The input slots that e reads."""
    return {p for p in walk(e) if isinstance(p, int)}


def substitute(e: Expr, mapping: Mapping[int, Expr]) -> Expr:
    """e with every slot replaced by mapping[slot]; shared parts stay shared."""
    done: dict[int, Expr] = {}
    for part in walk(e):
        if isinstance(part, tuple):
            done[id(part)] = (part[0], *[done[id(a)] for a in part[1:]])
        else:
            done[id(part)] = mapping[part] if isinstance(part, int) else part
    return done[id(e)]


def literal(x: float) -> str:
    """A GLSL float literal; the infinities are spelled as values GLSL ES can hold."""
    if math.isnan(x):
        return "uintBitsToFloat(0x7fc00000u)"
    if math.isinf(x):
        return "uintBitsToFloat(0x7f800000u)" if x > 0 else "uintBitsToFloat(0xff800000u)"
    return repr(float(x))


def glsl(e: Expr, names: Mapping[int, str]) -> str:
    """The body of a GLSL function on vec4 that computes e: a statement for every shared part, then the return."""
    uses: dict[int, int] = {}
    for part in walk(e):
        for a in part[1:] if isinstance(part, tuple) else ():
            uses[id(a)] = uses.get(id(a), 0) + 1
    lines: list[str] = []
    done: dict[int, str] = {}
    for part in walk(e):
        if isinstance(part, tuple):
            text = SCALARS[part[0]].glsl.format(*[done[id(a)] for a in part[1:]])
            if uses.get(id(part), 0) > 1:
                lines.append(f"vec4 t{len(lines)} = {text};")
                text = f"t{len(lines) - 1}"
        else:
            text = names[part] if isinstance(part, int) else f"vec4({literal(part)})"
        done[id(part)] = text
    return " ".join([*lines, f"return {done[id(e)]};"])


def show(e: Expr, names: Mapping[int, str] | None = None) -> str:
    """e as a reader would write it: `max(v + x1, 0.0)`."""
    infix = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
    if isinstance(e, tuple):
        args = [show(a, names) for a in e[1:]]
        return f"({args[0]} {infix[e[0]]} {args[1]})" if e[0] in infix else f"{e[0]}({', '.join(args)})"
    if isinstance(e, int):
        return names[e] if names else ("v" if e == ACC else f"x{e}")
    return f"{e:g}"
