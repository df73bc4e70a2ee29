"""Moving elements: every such op is one gather with ranges and steps per axis (shaders/move.glsl)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webkeras import ops
from webkeras.backends.webgl2.joined import join
from webkeras.backends.webgl2.layout import Flat, Layout, Tile
from webkeras.errors import BackendError
from webkeras.graph import Node, Value
from webkeras.shapes import Shape, size

RANK = 6


@dataclass(frozen=True)
class Along:
    """How one axis of the result reads: low <= i < high is index offset + i * step of the source's axis (None: any)."""

    axis: int | None
    low: int
    high: int
    offset: int = 0
    step: int = 1


@dataclass(frozen=True)
class Gather:
    """One source of a move: a value seen as a shape, and how every axis of the result reads it."""

    value: Value
    shape: Shape
    along: tuple[Along, ...]

    def in_texels(self, dims: Shape) -> Gather | None:
        """The same counting channels by four; None where fours do not stay together."""
        *rest, last = self.along
        c, whole = self.shape[-1], last.high % 4 == 0 or last.high == dims[-1]
        kept = last.axis == len(self.shape) - 1 and last.step == 1 and last.offset % 4 == last.low % 4 == 0 and whole
        if not kept or any(a.axis == last.axis for a in rest):
            return None
        four = Along(last.axis, last.low // 4, -(-last.high // 4), last.offset // 4)
        return Gather(self.value, (*self.shape[:-1], -(-c // 4)), (*rest, four))


def strides(shape: Shape) -> Shape:
    """Elements from one index to the next, per axis, row-major."""
    return tuple(size(shape[i + 1 :]) for i in range(len(shape)))


def straight(dims: Shape) -> tuple[Along, ...]:
    """Every axis as it is."""
    return tuple(Along(i, 0, n) for i, n in enumerate(dims))


def convert(planner: Any, v: Value, have: Layout, layout: Layout) -> int:
    """v, which lies in `have`, in another layout as well."""
    if isinstance(have, Flat) and isinstance(layout, Tile) and _in_rows(have, layout):
        step = layout.lanes * layout.c
        texels, loose = -(-step // 4), step % 4 > 0
        defines = {"FEW": layout.c, "EACH_TEXEL": f"EACH_{texels + loose}"}
        defines |= {"LOOSE": f"EACH_{texels}"} if loose else {}
        return int(planner.emit("spread.glsl", None, v, layout, {"s0": planner.get(v, have)}, {"step": step}, defines))
    c = {t.c for t in (have, layout) if isinstance(t, Tile)}
    if c and (len(c) == 1 or all(n % 4 == 0 for n in c)):
        c1 = min(c)
        dims = (v.size // c1, c1) if isinstance(have, Tile) and isinstance(layout, Tile) and len(c) == 1 else (v.size,)
    else:
        dims = (v.size,)
    return move(planner, None, v, dims, [Gather(v, dims, straight(dims))], layout, have)


def _in_rows(have: Flat, layout: Tile) -> bool:
    """Has a flat texture a row of pixels of few channels in each of its own?"""
    return 4 * have.width == layout.w * layout.c and layout.c < 4 and not layout.folded


def broadcast(planner: Any, v: Value, shape: Shape, out: Tile) -> int:
    """v repeated to a shape, in a layout of that shape's elements; every call makes it anew."""
    padded = (1,) * (len(shape) - v.ndim) + v.shape
    along = tuple(
        Along(None if h == 1 and n > 1 else i, 0, n) for i, (h, n) in enumerate(zip(padded, shape, strict=True))
    )
    repeated = Value(shape, node=v.node, constant=v.constant)
    return move(planner, None, repeated, shape, [Gather(v, padded, along)], out)


def move(
    planner: Any,
    node: Node | None,
    out: Value,
    dims: Shape,
    sources: list[Gather],
    layout: Layout | None = None,
    have: Layout | None = None,
    fill: float = 0.0,
) -> int:
    """One draw that gathers `out` (seen as `dims`) from its sources."""
    layout = layout or planner.tile(out)
    lies = [have or planner.tile(g.value) for g in sources]
    texels = _in_texels(dims, sources, [layout, *lies])
    run = texels is None and isinstance(have, Flat) and isinstance(layout, Tile)
    if texels is not None:
        sources, dims = texels, (*dims[:-1], -(-dims[-1] // 4))
    names = [f"s{i}" for i in range(len(sources))]
    defines: dict[str, str | int] = {"SOURCES": f"uniform sampler2DArray {', '.join(names)};"}
    kinds = {"TEXELS": texels is not None, "RUN": run, "OUT_FLAT": isinstance(layout, Flat)}
    table = [_numbers(g) for g in sources]
    axes, table = _merged(dims, table)
    defines["AXES"] = max(1, min(len(axes), 4))
    params: dict[str, Any] = _six("dims", axes, 1)
    if isinstance(layout, Flat):
        params |= {"out_w": layout.width, "out_c": 0, "out_c4": layout.width}
    else:
        params |= {"out_w": layout.w, "out_c": layout.c4 if texels is not None else layout.c, "out_c4": layout.c4}
    params |= {"out_size": size(dims), "fill": float(fill)}
    inputs, declared, bodies = {}, [], []
    for s, g, lie, (base, step, low, high) in zip(names, sources, lies, table, strict=True):
        inputs[s] = planner.get(g.value, lie)
        triples = ", ".join(f"{s}_{what}" for what in ("low_a", "low_b", "high_a", "high_b", "step_a", "step_b"))
        declared.append(f"ivec3 {triples}; int {s}_base, {s}_w;")
        params |= _six(f"{s}_low", low, 0) | _six(f"{s}_high", high, 1) | _six(f"{s}_step", step, 0)
        params[f"{s}_base"] = base
        at = f"{s}_base + dot_(a, {s}_step_a) + dot_(b, {s}_step_b)"
        if isinstance(lie, Flat):
            params[f"{s}_w"] = lie.width
            where, texel = f"place({s}_w, {at})", "p.xyz"
        else:
            c = lie.c4 if texels is not None else lie.c
            params |= {f"{s}_w": lie.w, f"{s}_c": c, f"{s}_tile": lie.param}
            declared.append(f"int {s}_c; ivec3 {s}_tile;")
            where, texel = f"place({s}_tile, {s}_w, {s}_c, {at})", f"{s}_at(p.x, p.y, p.z)"
        inside = f"inside(a, {s}_low_a, {s}_high_a) && inside(b, {s}_low_b, {s}_high_b)"
        fetch = f"return CHANNEL(texelFetch({s}, {texel}, 0), p.w);"
        whole = len(sources) == 1 and not any(low) and tuple(high) == axes
        kinds["WHOLE"] = whole
        bodies.append(f"{'' if whole else f'if ({inside})'} {{ ivec4 p = {where}; {fetch} }}")
    defines |= {k: 1 for k, on in kinds.items() if on}
    defines |= {"SOURCE_PARAMS": " ".join(declared), "EACH_SOURCE": " ".join(bodies)}
    return int(planner.emit("move.glsl", node, out, layout, inputs, params, defines))


def _in_texels(dims: Shape, sources: Sequence[Gather], layouts: Sequence[Layout]) -> list[Gather] | None:
    """The sources counting in texels, where every texture holds the fours of channels that `dims` speaks of."""
    c = [dims[-1], *(g.shape[-1] for g in sources)] if dims else [1]
    for n, layout in zip(c, layouts, strict=False):
        if n % 4 if isinstance(layout, Flat) or len(dims) == 1 else n != layout.c:
            return None
        if len(dims) == 1 and isinstance(layout, Tile) and layout.c % 4:
            return None
    if len(c) != len(layouts):
        return None
    found = [g.in_texels(dims) for g in sources]
    return None if None in found else [g for g in found if g]


def _numbers(g: Gather) -> tuple[int, Shape, Shape, Shape]:
    """A gather as (base, steps, lows, highs)."""
    each = strides(g.shape)
    step = tuple(0 if a.axis is None else a.step * each[a.axis] for a in g.along)
    base = sum(a.offset * each[a.axis] for a in g.along if a.axis is not None)
    return base, step, tuple(a.low for a in g.along), tuple(a.high for a in g.along)


def _merged(dims: Shape, table: list[tuple[int, Shape, Shape, Shape]]) -> tuple[Shape, list[Any]]:
    """Neighbouring axes that every source walks as one become one: the fewer, the cheaper an index."""
    axes, rows = [*dims], [(base, [*step], [*low], [*high]) for base, step, low, high in table]
    for a in range(len(axes) - 2, -1, -1):
        n = axes[a + 1]
        whole = all(low[a + 1] == 0 and high[a + 1] == n for _, _, low, high in rows)
        if whole and all(axes[a] == 1 or n == 1 or step[a] == step[a + 1] * n for _, step, _, _ in rows):
            for _, step, low, high in rows:
                step[a] = step[a + 1] if n > 1 else step[a]
                low[a], high[a] = low[a] * n, high[a] * n
                del step[a + 1], low[a + 1], high[a + 1]
            axes[a : a + 2] = [axes[a] * n]
    if len(axes) > RANK:
        raise BackendError(f"webgl2: a tensor of {len(dims)} axes cannot be moved; expected at most {RANK}")
    return tuple(axes), [(base, tuple(s), tuple(low), tuple(high)) for base, s, low, high in rows]


def _six(name: str, values: Shape, missing: int) -> dict[str, tuple[int, ...]]:
    """Six numbers, leading ones filled in, as two parameters of three."""
    six = (missing,) * (RANK - len(values)) + tuple(values)
    return {f"{name}_a": six[:3], f"{name}_b": six[3:]}


def transpose(planner: Any, node: Node) -> None:
    """Axes in a new order."""
    x, perm, shape = node.inputs[0], node.attrs["perm"], node.out.shape
    along = tuple(Along(p, 0, n) for p, n in zip(perm, shape, strict=True))
    move(planner, node, node.out, shape, [Gather(x, x.shape, along)])


def slice_(planner: Any, node: Node) -> None:
    """A strided cut."""
    x, shape, cuts = node.inputs[0], node.out.shape, zip(node.attrs["begin"], node.attrs["step"], strict=True)
    along = tuple(Along(i, 0, n, begin, step) for i, (n, (begin, step)) in enumerate(zip(shape, cuts, strict=True)))
    move(planner, node, node.out, shape, [Gather(x, x.shape, along)])


def pad(planner: Any, node: Node) -> None:
    """A shifted copy with a border of `value`."""
    x, pads = node.inputs[0], node.attrs["pads"]
    along = tuple(Along(i, lo, lo + n, -lo) for i, ((lo, _), n) in enumerate(zip(pads, x.shape, strict=True)))
    move(planner, node, node.out, node.out.shape, [Gather(x, x.shape, along)], fill=node.attrs.get("value", 0.0))


def concat(planner: Any, node: Node) -> None:
    """Written in place; or every input is read in its own range of the axis."""
    if join(planner, node):
        return
    axis, shape, sources, at = node.attrs["axis"], node.out.shape, [], 0
    parts, most = list(node.inputs), planner.limits.samplers - 4
    while len(parts) > most:  # more than a draw can read: joined in groups first
        parts = [ops.concat(*parts[i : i + most], axis=axis) for i in range(0, len(parts), most)]
    for x in parts:
        n = x.shape[axis]
        here = Along(axis, at, at + n, -at)
        along = tuple(here if i == axis else Along(i, 0, d) for i, d in enumerate(shape))
        sources.append(Gather(x, x.shape, along))
        at += n
    move(planner, node, node.out, shape, sources)
