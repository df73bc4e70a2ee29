"""Moving elements: every such op is one gather with ranges and steps per axis (shaders/move.glsl)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webkeras import ops
from webkeras.backends.webgl2.layout import Flat, Layout, Tile
from webkeras.errors import BackendError
from webkeras.graph import Node, Value
from webkeras.shapes import Shape, size

RANK = 6


@dataclass(frozen=True)
class Gather:
    """One source of a move: result element i reads base + sum(i[a] * step[a]) where low <= i < high on every axis."""

    value: Value
    base: int
    step: Shape
    low: Shape
    high: Shape


def strides(shape: Shape) -> Shape:
    """Elements from one index to the next, per axis, row-major."""
    return tuple(size(shape[i + 1 :]) for i in range(len(shape)))


def convert(planner: Any, v: Value, have: Layout, layout: Layout) -> int:
    """v, which lies in `have`, in another layout as well."""
    whole = Gather(v, 0, (1,), (0,), (v.size,))
    return move(planner, None, v, (v.size,), [whole], layout, [have])


def broadcast(planner: Any, v: Value, shape: Shape, out: Tile) -> int:
    """v repeated to a shape, in a layout of that shape's elements; every call makes it anew."""
    padded = (1,) * (len(shape) - v.ndim) + v.shape
    step = tuple(0 if h == 1 else s for h, s in zip(padded, strides(padded), strict=True))
    repeated = Value(shape, node=v.node, constant=v.constant)
    return move(planner, None, repeated, shape, [Gather(v, 0, step, (0,) * len(shape), shape)], out)


def move(
    planner: Any,
    node: Node | None,
    out: Value,
    shape: Shape,
    sources: list[Gather],
    layout: Layout | None = None,
    have: list[Layout] | None = None,
    fill: float = 0.0,
) -> int:
    """One draw that gathers `out` (seen as `shape`) from its sources."""
    layout = layout or planner.tile(out)
    names = [f"s{i}" for i in range(len(sources))]
    defines: dict[str, str | int] = {"SOURCES": f"uniform sampler2DArray {', '.join(names)};"}
    if isinstance(layout, Flat):
        defines["OUT_FLAT"] = 1
    params: dict[str, Any] = {
        **_axes("dims", shape, 1),
        "out_w": layout.width if isinstance(layout, Flat) else layout.w,
        "out_c": 0 if isinstance(layout, Flat) else layout.c,
        "out_c4": layout.width if isinstance(layout, Flat) else layout.c4,
        "out_size": out.size,
        "fill": float(fill),
    }
    inputs, declared, bodies = {}, [], []
    for i, (s, g) in enumerate(zip(names, sources, strict=True)):
        lies = have[i] if have else planner.tile(g.value)
        inputs[s] = planner.get(g.value, lies)
        triples = ", ".join(f"{s}_{what}" for what in ("low_a", "low_b", "high_a", "high_b", "step_a", "step_b"))
        declared.append(f"ivec3 {triples}; int {s}_base, {s}_w;")
        params |= _axes(f"{s}_low", g.low, 0) | _axes(f"{s}_high", g.high, 1) | _axes(f"{s}_step", g.step, 0)
        params[f"{s}_base"] = g.base
        at = f"{s}_base + dot_(a, {s}_step_a) + dot_(b, {s}_step_b)"
        if isinstance(lies, Flat):
            params[f"{s}_w"] = lies.width
            read = f"element({s}, {s}_w, {at})"
        else:
            params |= {f"{s}_w": lies.w, f"{s}_c": lies.c, f"{s}_tile": lies.param}
            declared.append(f"int {s}_c; ivec3 {s}_tile;")
            read = f"from_tile({s}, {s}_tile, {s}_w, {s}_c, {at})"
        inside = f"inside(a, {s}_low_a, {s}_high_a) && inside(b, {s}_low_b, {s}_high_b)"
        bodies.append(f"if ({inside}) return {read};")
    defines |= {"SOURCE_PARAMS": " ".join(declared), "EACH_SOURCE": " ".join(bodies)}
    return int(planner.emit("move.glsl", node, out, layout, inputs, params, defines))


def _axes(name: str, values: Shape, missing: int) -> dict[str, tuple[int, ...]]:
    """Six numbers, leading ones filled in, as two parameters of three."""
    if len(values) > RANK:
        raise BackendError(f"webgl2: a tensor of {len(values)} axes cannot be moved; expected at most {RANK}")
    six = (missing,) * (RANK - len(values)) + tuple(values)
    return {f"{name}_a": six[:3], f"{name}_b": six[3:]}


def transpose(planner: Any, node: Node) -> None:
    """Axes in a new order: the steps change places."""
    x, perm, shape = node.inputs[0], node.attrs["perm"], node.out.shape
    step = strides(x.shape)
    gather = Gather(x, 0, tuple(step[p] for p in perm), (0,) * len(shape), shape)
    move(planner, node, node.out, shape, [gather])


def slice_(planner: Any, node: Node) -> None:
    """A strided cut: begin is the base, steps are multiplied."""
    x, shape = node.inputs[0], node.out.shape
    step = strides(x.shape)
    base = sum(b * s for b, s in zip(node.attrs["begin"], step, strict=True))
    steps = tuple(k * s for k, s in zip(node.attrs["step"], step, strict=True))
    move(planner, node, node.out, shape, [Gather(x, base, steps, (0,) * len(shape), shape)])


def pad(planner: Any, node: Node) -> None:
    """A shifted copy with a border of `value`."""
    x, shape, pads = node.inputs[0], node.out.shape, node.attrs["pads"]
    step, low = strides(x.shape), tuple(a for a, _ in pads)
    base = -sum(a * s for a, s in zip(low, step, strict=True))
    high = tuple(a + n for a, n in zip(low, x.shape, strict=True))
    move(planner, node, node.out, shape, [Gather(x, base, step, low, high)], fill=node.attrs.get("value", 0.0))


def concat(planner: Any, node: Node) -> None:
    """Every input is read in its own range of the axis."""
    axis, shape, sources, at = node.attrs["axis"], node.out.shape, [], 0
    parts, most = list(node.inputs), planner.limits.samplers - 4
    while len(parts) > most:  # more than a draw can read: joined in groups first
        parts = [ops.concat(*parts[i : i + most], axis=axis) for i in range(0, len(parts), most)]
    for x in parts:
        step, n = strides(x.shape), x.shape[axis]
        low = tuple(at if i == axis else 0 for i in range(len(shape)))
        high = tuple(at + n if i == axis else d for i, d in enumerate(shape))
        sources.append(Gather(x, -at * step[axis], step, low, high))
        at += n
    move(planner, node, node.out, shape, sources)
