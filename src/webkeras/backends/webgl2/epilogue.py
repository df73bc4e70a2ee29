"""What an epilogue reads, and how: the defines, samplers and parameters of shaders/epilogue.glsl."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any

from webkeras.backends.webgl2.layout import Tile, bits
from webkeras.expr import ACC, Expr, glsl, slots, walk
from webkeras.graph import Value
from webkeras.shapes import Shape, size


@dataclass
class Extras:
    """The inputs of an expression, ready to be handed to a draw."""

    inputs: dict[str, int] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    globals: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    locals: list[str] = field(default_factory=list)
    declared: list[str] = field(default_factory=list)

    def defines(self, body: str) -> dict[str, str | int]:
        """The defines of epilogue.glsl."""
        out: dict[str, str | int] = {"EPILOGUE": " ".join([*self.locals, body])}
        if self.inputs:
            out["EXTRAS"] = f"uniform sampler2DArray {', '.join(self.inputs)};"
        if self.globals:
            out["EXTRA_GLOBALS"] = f"vec4 {', '.join(self.globals)};"
            out["EXTRA_LOADS"] = " ".join(self.loads)
        out["EXTRA_PARAMS"] = " ".join(self.declared)
        return out


def epilogue(
    planner: Any, expr: Expr | None, inputs: tuple[Value, ...], shape: Shape, out: Tile
) -> tuple[dict[str, str | int], dict[str, int], dict[str, Any]]:
    """(defines, samplers, params) for an expression over ACC and `inputs`, stored in `out` under `shape`.

    Where fragments write one texel, as a classifier's last layers do, it is `general`: few programs do for many models.
    """
    if expr is None:
        return {}, {}, {}
    extras, names = Extras(), {ACC: "v"}
    for i in sorted(slots(expr) - {ACC}):
        names[i] = _operand(planner, extras, inputs[i], shape, out)
    if out.lanes == 1:
        expr = general(expr, extras, names)
    return extras.defines(glsl(expr, names)), extras.inputs, extras.params


def general(expr: Expr, extras: Extras, names: dict[int, str]) -> Expr:
    """The expression with its literals as parameters, bounded below by one more: -inf, or 0 for a ReLU at its end."""
    low = -inf
    if isinstance(expr, tuple) and expr[0] == "max" and expr[2] == 0.0:
        expr, low = expr[1], 0.0
    done: dict[int, Expr] = {}
    for part in walk(expr):
        if isinstance(part, tuple):
            done[id(part)] = (part[0], *[done[id(a)] for a in part[1:]])
        elif isinstance(part, float) and isfinite(part):
            done[id(part)] = _parameter(extras, names, "float", part)
        else:
            done[id(part)] = part
    y, bound = done[id(expr)], _parameter(extras, names, "int", bits(low))
    return ("select", ("lt", y, bound), bound, y)  # not "max": a GPU's may lose what is no number


def _parameter(extras: Extras, names: dict[int, str], kind: str, value: float) -> int:
    """The slot of a number that the expression reads from a parameter; an int is its bits, for JSON knows no -inf."""
    slot, name = min(names) - 1, f"number{len(extras.params)}"
    extras.declared.append(f"{kind} {name};")
    extras.params[name] = value
    names[slot] = f"vec4(intBitsToFloat({name}))" if kind == "int" else f"vec4({name})"
    return slot


def _operand(planner: Any, extras: Extras, v: Value, shape: Shape, out: Tile) -> str:
    """Make one input readable; return the GLSL name of its value."""
    e, name = f"e{len(extras.inputs)}", f"E{len(extras.inputs)}"
    if v.size == 1:
        extras.inputs[e] = planner.get(v, Tile(1, 1, 1, 1))
        return _shared(extras, name, f"texelFetch({e}, ivec3(0), 0).xxxx")
    if v.size == out.size:
        extras.inputs[e] = planner.get(v, out)
        extras.locals.append(f"vec4 {name} = texelFetch({e}, {e}_at(col, row, lane), 0);")
        return name
    if v.size == v.shape[-1] == out.c:
        extras.inputs[e] = planner.get(v, planner.rows(v, v.size))
        return _shared(extras, name, f"texelFetch({e}, {e}_at(f4, 0, 0), 0)")
    padded = (1,) * (len(shape) - v.ndim) + v.shape
    kept = kept_rows(padded[:-2], shape[:-2])
    if kept is None:  # no single rule of rows: repeat the elements first
        from webkeras.backends.webgl2.movement import broadcast

        extras.inputs[e] = broadcast(planner, v, shape, out)
        extras.locals.append(f"vec4 {name} = texelFetch({e}, {e}_at(col, row, lane), 0);")
        return name
    extras.inputs[e] = planner.get(v)
    layout = planner.tile(v)
    row, spread = f"row / {e}_rows.x % {e}_rows.y", "" if padded[-1] == shape[-1] or shape[-1] == 1 else ".xxxx"
    extras.declared.append(f"ivec2 {e}_rows;")
    extras.params[f"{e}_rows"] = kept
    c4 = "0" if spread else "f4"
    if layout.w == 1:
        return _shared(extras, name, f"texelFetch({e}, {e}_at({c4}, {row}, 0), 0){spread}")
    extras.declared.append(f"ivec3 {e}_tile;")
    extras.params[f"{e}_tile"] = layout.param
    extras.locals.append(f"vec4 {name} = texelFetch({e}, AT({e}_at, {e}_tile, {row}, x, {c4}), 0){spread};")
    return name


def _shared(extras: Extras, name: str, fetch: str) -> str:
    """A value that is the same for all pixels of a fragment: fetched once."""
    extras.globals.append(name)
    extras.loads.append(f"{name} = {fetch};")
    return name


def kept_rows(have: Shape, want: Shape) -> tuple[int, int] | None:
    """(a, b) such that row r of the result reads row r / a % b of a tensor broadcast from `have`; else None."""
    kept = [i for i, (h, n) in enumerate(zip(have, want, strict=True)) if h == n and n > 1]
    if not kept:
        return 1, 1
    first, last = kept[0], kept[-1]
    if any(have[i] != want[i] for i in range(first, last + 1)):
        return None
    return size(want[last + 1 :]), size(want[first : last + 1])
