"""Node to draw, one function per op: which shader, which layouts, which parameters. No browser here."""

from __future__ import annotations

from typing import Any

from webkeras import ops
from webkeras.backends.webgl2 import movement
from webkeras.backends.webgl2.epilogue import epilogue
from webkeras.backends.webgl2.layout import Tile, bits, flat, tile
from webkeras.backends.webgl2.recurrent import recurrent, scan
from webkeras.backends.webgl2.winograd import pays, winograd
from webkeras.errors import BackendError
from webkeras.graph import OPS, Node, Value
from webkeras.shapes import Shape, size

EPILOGUES = frozenset({"conv", "conv_transpose", "matmul", "pool", "reduce", "resize"})
NATIVE = frozenset({"softmax", "log_softmax", "resize", "simple_rnn", "lstm", "gru"})
WIDEST = 7  # kernels wider than this are not unrolled
ENOUGH = 16384  # fragments that keep a GPU busy
SMALL = 1 << 19  # multiplications that are worth no program of their own
LONG = 512  # texels that one fragment sums up without a pause
MANY = 1_000_000  # fetches of a softmax in one draw


def draw(
    planner: Any,
    shader: str,
    node: Node,
    layout: Tile,
    inputs: dict[str, int],
    params: dict[str, Any],
    defines: dict[str, str | int] | None = None,
    shape: Shape | None = None,
) -> None:
    """A draw that makes the node's output, its epilogue included."""
    shape = shape or node.out.shape
    expr = node.attrs.get("epilogue", node.attrs.get("expr"))
    extra, samplers, values = epilogue(planner, expr, node.inputs, shape, layout)
    planner.emit(
        shader, node, node.out, layout, {**inputs, **samplers}, {**params, **values}, {**(defines or {}), **extra}
    )


def map_(planner: Any, node: Node) -> None:
    """An expression, nothing else."""
    layout = planner.tile(node.out)
    draw(planner, "map.glsl", node, layout, {}, {"out_c4": layout.c4})


def map_in(planner: Any, node: Node, layout: Tile) -> bool:
    """A map made directly in another layout of its elements, where all it reads can be read so; constants are."""
    fits = all(v.size in (1, node.out.size) or v.size == v.shape[-1] == layout.c for v in node.inputs)
    if fits:
        draw(planner, "map.glsl", node, layout, {}, {"out_c4": layout.c4})
        return True
    return False


def triple(values: Any, fill: int) -> tuple[int, int, int]:
    """Values per spatial axis as (z, y, x)."""
    three = (fill,) * (3 - len(values)) + tuple(values)
    return three[0], three[1], three[2]


def windows(planner: Any, node: Node, kernel: Shape, layout: Tile) -> tuple[dict[str, Any], dict[str, str | int]]:
    """The parameters and defines that everything with a window shares."""
    x, a = node.inputs[0], node.attrs
    dilation = a.get("dilation") or (1,) * len(kernel)
    params = {
        "x_tile": planner.tile(x).param,
        "size_in": triple(x.shape[1:-1], 1),
        "size_out": triple(node.out.shape[1:-1], 1),
        "kernel": triple(kernel, 1),
        "strides": triple(a["strides"], 1),
        "dilation": triple(dilation, 1),
        "pads": triple([lo for lo, _ in a["pads"]], 0),
        "out_c4": layout.c4,
    }
    kw, n = kernel[-1], layout.lanes
    stride, same = a["strides"][-1], planner.tile(x).lanes == n
    unrolled = dilation[-1] == 1 and same and stride <= 2 and kw <= WIDEST
    window = (n - 1) * stride + kw if unrolled and kw > 1 else n
    defines: dict[str, str | int] = {"WINDOW": window, "EACH_PIXEL": f"EACH_{window}"}
    if unrolled:
        defines |= {"KW": kw, "PAD": a["pads"][-1][0], "STRIDE": stride, "EACH_TAP": f"EACH_{kw}"}
    if any(map(any, a["pads"])):
        defines["PADDED"] = 1
    return params, defines


def shared(planner: Any, made: Value, out: Tile, in_c4: int, window: int, known: bool = True) -> dict[str, str | int]:
    """The defines of sums.glsl where neighbouring columns are filters of the same pixels, of which `window` are read,
    at addresses `known` beforehand or not.

    Pairs go without windows, which want the registers; squares without what is not eight wide: little is shared there.
    """
    n, part = planner.limits.neighbours, planner.parts.get(id(made))
    if n == 1 or out.c4 % n or out.lanes == 1 or out.folded or (part and not part.keeps(n)):
        return {}
    if n == 2:
        return {} if in_c4 % 2 or window > out.lanes else {"PAIR": 1}
    if not out.stacked or out.lanes < 8 or not known:
        return {}
    whole, rest = divmod(window, 3)
    groups = [*(f"TELL_3({i})" for i in range(whole)), *([f"TELL_{rest}({whole})"] if rest else [])]
    return {"SQUARE": len(groups), "EACH_GROUP": f"EACH_{len(groups)}", "EACH_TELL": " ".join(groups)}


def conv(planner: Any, node: Node) -> None:
    """A matrix product, a depthwise or a general convolution."""
    x, w = node.inputs[:2]
    *kernel, cg, f = w.shape
    groups = node.attrs.get("groups", 1)
    plain = size(kernel) == 1 and all(s == 1 for s in node.attrs["strides"]) and not any(map(any, node.attrs["pads"]))
    if groups == 1 and plain:
        return product(planner, node, (1, 1))
    if planner.limits.winograd and pays(planner, node):
        return winograd(planner, node)
    layout = planner.tile(node.out)
    params, defines = windows(planner, node, tuple(kernel), layout)
    inputs = {"x_": planner.get(x)}
    if groups > 1 and cg == 1 and groups == x.shape[-1]:
        if f != groups:
            defines["MULTIPLIER"] = f // groups
        inputs["w_"] = planner.get(w, planner.rows(w, f))
        return draw(planner, "depthwise.glsl", node, layout, inputs, params, defines)
    if groups > 1 and (cg % 4 or (f // groups) % 4):
        w, cg, groups = ungrouped(w, groups), x.shape[-1], 1
    inputs["w_"] = planner.get(w, planner.rows(w, f))
    channels = {"in_c": cg, "in_c4": -(-cg // 4)}
    apart = groups > 1
    if cg < 4 and size(node.out.shape) * size(kernel) > SMALL:
        defines["FEW"] = cg
    elif not apart or f // groups % (4 * planner.limits.neighbours) == 0:
        defines |= shared(planner, node.out, layout, -(-cg // 4), int(defines["WINDOW"]), "KW" in defines)
    channels |= {"group_f4": f // groups // 4 if apart else layout.c4, "group_c4": cg // 4 if apart else 0}
    draw(planner, "conv.glsl", node, layout, inputs, {**params, **channels}, defines)
    if "FEW" in defines:
        planner.steps[-1].many = shared(planner, node.out, layout, 1, int(defines["WINDOW"]), "KW" in defines)


def ungrouped(w: Value, groups: int) -> Value:
    """A grouped kernel as a dense one with zeros between the groups, for groups that are no whole texels."""
    *kernel, cg, f = w.shape
    rank, each, blocks = len(kernel), f // groups, []
    for g in range(groups):
        begin, end = (0,) * (rank + 1) + (g * each,), (*kernel, cg, (g + 1) * each)
        block = ops.slice_(w, begin=begin, end=end, step=(1,) * len(w.shape))
        around = ((0, 0),) * rank + ((g * cg, (groups - 1 - g) * cg), (0, 0))
        blocks.append(ops.pad(block, pads=around))
    while len(blocks) > 1:  # few samplers a draw
        blocks = [ops.concat(*blocks[i : i + 8], axis=rank + 1) for i in range(0, len(blocks), 8)]
    dense: Value = blocks[0]
    return dense


def conv_transpose(planner: Any, node: Node) -> None:
    """Gathered: every output looks for the inputs that reach it."""
    x, w = node.inputs[:2]
    *kernel, f, c = w.shape
    rank, layout = len(kernel), planner.tile(node.out)
    turned = ops.transpose(w, perm=(*range(rank), rank + 1, rank))
    params, _ = windows(planner, node, tuple(kernel), layout)
    inputs = {"x_": planner.get(x), "w_": planner.get(turned, planner.rows(turned, f))}
    draw(planner, "conv_transpose.glsl", node, layout, inputs, {**params, "in_c": c, "in_c4": -(-c // 4)})


def matmul(planner: Any, node: Node) -> None:
    """A matrix product; a batched right side is met row by row."""
    from webkeras.backends.webgl2.epilogue import kept_rows

    a, b = node.inputs[:2]
    batch = node.out.shape[:-2]
    have = (1,) * (len(batch) - (b.ndim - 2)) + b.shape[:-2]
    kept = kept_rows(have, batch)
    if kept is None or size(a.shape[:-2]) != size(batch):
        raise BackendError(f"{node.layer}: webgl2 cannot broadcast matmul {a.shape} by {b.shape}; use another backend")
    product(planner, node, kept)


def product(planner: Any, node: Node, w_rows: tuple[int, int]) -> None:
    """matmul.glsl: x as (rows, m, k) times rows of weights."""
    x, w = node.inputs[:2]
    layout, k = planner.tile(node.out), x.shape[-1]
    inputs = {"w_": planner.get(w, planner.rows(w, w.shape[-1]))}
    k4 = -(-k // 4)
    params = {"w_rows": w_rows, "out_c4": layout.c4, "in_c4": k4, "in_c": k, "x_tile": planner.tile(x).param}
    parts = 1
    while layout.lanes == 1 and parts * layout.c4 * layout.rows < ENOUGH and k4 > 32 * parts:
        parts *= 2
    if parts == 1:
        share = shared(planner, node.out, layout, k4, layout.lanes)
        return draw(planner, "matmul.glsl", node, layout, {**inputs, "x_": planner.get(x)}, params, share)
    if image := unflattened(planner, x, layout.rows, parts):
        lies = planner.tile(image)
        down = lies.rows // layout.rows
        part = -(-lies.w // max(1, parts // down))
        across = -(-lies.w // part)
        params |= {"x_tile": lies.param, "in_c4": lies.w * lies.c4}
    else:
        down, part, texels = 1, 1, -(-k4 // parts)
        across = -(-k4 // texels)
        params["x_tile"] = (texels, 1, bits(1.0))
    parts = down * across
    inputs["x_"] = planner.get(image or x)
    params |= {"down": down, "across": across, "part": part}
    several = Tile(layout.rows * parts, 1, layout.c, 1).within(planner.limits)
    value = Value((layout.rows * parts, 1, layout.c))
    sums = planner.emit("matmul.glsl", node, value, several, inputs, params, {"PARTS": 1})
    params = {"x_tile": several.param, "in_rows": parts, "in_w": 1, "in_c": layout.c, "in_c4": layout.c4}
    start, function = REDUCERS["sum"]
    defines: dict[str, str | int] = {"START": start, "REDUCE(a, b)": function}
    draw(planner, "reduce.glsl", node, layout, {"x_": sums}, {**params, "out_c4": layout.c4}, defines)


def unflattened(planner: Any, x: Value, rows: int, parts: int) -> Value | None:
    """The image that rows of a product are under another shape, unless its pixels are no whole texels, or too few."""
    image = planner.root(x)
    lies = planner.tile(image)
    fits = image.ndim > 2 and lies.c % 4 == 0 and lies.rows % rows == 0 and lies.rows // rows * lies.w >= parts
    return image if fits and (id(image), lies) in planner.places else None


def pool(planner: Any, node: Node) -> None:
    """Windows without weights."""
    layout = planner.tile(node.out)
    params, _ = windows(planner, node, node.attrs["window_"], layout)
    del params["dilation"]
    defines: dict[str, str | int] = {"MAX": 1} if node.attrs["fn"] == "max" else {}
    draw(planner, "pool.glsl", node, layout, {"x_": planner.get(node.inputs[0])}, params, defines)


def resize(planner: Any, node: Node) -> None:
    """Nearest or linear, all axes in one draw."""
    x, layout = node.inputs[0], planner.tile(node.out)
    sizes = {"size_in": triple(x.shape[1:-1], 1), "size_out": triple(node.attrs["size"], 1)}
    defines: dict[str, str | int] = {"NEAREST": 1} if node.attrs["mode"] == "nearest" else {}
    params = {**sizes, "x_tile": planner.tile(x).param, "out_c4": layout.c4}
    draw(planner, "resize.glsl", node, layout, {"x_": planner.get(x)}, params, defines)


REDUCERS = {
    "sum": ("0.0", "((a) + (b))"),
    "max": ("uintBitsToFloat(0xff800000u)", "max(a, b)"),
    "min": ("uintBitsToFloat(0x7f800000u)", "min(a, b)"),
    "prod": ("1.0", "((a) * (b))"),
}


def reduce(planner: Any, node: Node) -> None:
    """Trailing rows, pixels and channels directly; other axes are moved to the front of those first."""
    x, axes = node.inputs[0], node.attrs["axes"]
    rank = x.ndim
    rows_reduced = [i for i in range(rank - 2) if i in axes]
    if rows_reduced and rows_reduced != list(range(rows_reduced[0], rank - 2)):
        return _reduce_turned(planner, node)
    within = tuple(i for i in axes if i >= rank - 2)
    if rows_reduced and within and size(x.shape[i] for i in axes) > LONG:  # rows side by side first, then one another
        inner = ops.reduce(x, fn=node.attrs["fn"], axes=within)
        rest = Node("reduce", (inner, *node.inputs[1:]), {**node.attrs, "axes": tuple(rows_reduced)}, node.layer)
        rest.outs = node.outs
        return reduce(planner, rest)
    layout, lies = planner.tile(node.out), planner.tile(x)
    start, function = REDUCERS[node.attrs["fn"]]
    defines: dict[str, str | int] = {"START": start, "REDUCE(a, b)": function}
    if rank > 1 and rank - 2 in axes:
        defines["PIXELS"] = 1
    if rank - 1 in axes:
        defines["CHANNELS"] = 1
    params = {"x_tile": lies.param, "in_rows": size(x.shape[i] for i in rows_reduced)}
    params |= {"in_w": lies.w, "in_c": lies.c, "in_c4": lies.c4, "out_c4": layout.c4}
    draw(planner, "reduce.glsl", node, layout, {"x_": planner.get(x)}, params, defines)


def _reduce_turned(planner: Any, node: Node) -> None:
    """A reduction over leading axes: transposed so that the reduced axes come last, then as channels."""
    x, axes = node.inputs[0], node.attrs["axes"]
    kept = [i for i in range(x.ndim) if i not in axes]
    turned = ops.transpose(x, perm=(*kept, *axes))
    merged = ops.reshape(turned, shape=(size(x.shape[i] for i in kept), size(x.shape[i] for i in axes)))
    reduced = ops.reduce(merged, fn=node.attrs["fn"], axes=(1,))
    expr = node.attrs.get("epilogue")
    y = ops.reshape(reduced, shape=node.out.shape)
    if expr is not None:
        from webkeras.expr import ACC, slots, substitute

        extras = node.inputs[1:]
        at = {i: i for i in slots(expr) if i != ACC} | {ACC: 0}
        y = ops.map_(y, *extras, expr=substitute(expr, at))
    _alias(planner, node, y)


def _alias(planner: Any, node: Node, y: Value) -> None:
    """Lower a subgraph recorded here and let the node's output be its result."""
    from webkeras.graph import topo

    for n in topo([y]):
        planner.lower(n)
    planner.values.append(node.out)
    planner.same[id(node.out)] = y


def softmax(planner: Any, node: Node) -> None:
    """Along the channels in one draw, by its parts where they are many; along other axes by transposing."""
    x, axes = node.inputs[0], node.attrs["axes"]
    if axes != (x.ndim - 1,):
        kept = [i for i in range(x.ndim) if i not in axes]
        perm = (*kept, *axes)
        turned = ops.transpose(x, perm=perm)
        flat = ops.reshape(turned, shape=(size(x.shape[i] for i in kept), size(x.shape[i] for i in axes)))
        y = ops.reshape(getattr(ops, node.op)(flat, axes=(1,)), shape=turned.shape)
        return _alias(planner, node, ops.transpose(y, perm=tuple(perm.index(i) for i in range(x.ndim))))
    layout = planner.tile(node.out)
    if layout.rows * layout.w * layout.c4**2 > MANY:  # each texel of the result walks its whole pixel
        return _alias(planner, node, OPS[node.op].reference(x, axes=axes))
    params = {"x_tile": layout.param, "in_c": layout.c, "out_c4": layout.c4}
    defines: dict[str, str | int] = {"LOG": 1} if node.op == "log_softmax" else {}
    draw(planner, "softmax.glsl", node, layout, {"x_": planner.get(x)}, params, defines)


def take(planner: Any, node: Node) -> None:
    """Rows of a table; other axes are transposed to the front."""
    table, indices = node.inputs[:2]
    axis, n = node.attrs["axis"], table.shape[node.attrs["axis"]]
    if axis:
        perm = (axis, *(i for i in range(table.ndim) if i != axis))
        y = ops.take(ops.transpose(table, perm=perm), indices, axis=0)
        k = indices.ndim
        back = (*range(k, k + axis), *range(k), *range(k + axis, y.ndim))
        return _alias(planner, node, ops.transpose(y, perm=back))
    c = table.size // n
    shape = (*indices.shape, c)
    layout = tile(shape, planner.limits)
    order = flat(indices.size, planner.limits)
    inputs = {"w_": planner.get(table, planner.rows(table, c)), "i_": planner.get(indices, order)}
    params = {"out_w": layout.w, "out_c4": layout.c4, "count": n, "i_width": order.width}
    draw(planner, "take.glsl", node, layout, inputs, params, shape=shape)


KERNELS = {
    "map": map_,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "matmul": matmul,
    "pool": pool,
    "reduce": reduce,
    "resize": resize,
    "softmax": softmax,
    "log_softmax": softmax,
    "take": take,
    "simple_rnn": recurrent,
    "lstm": recurrent,
    "gru": recurrent,
    "scan": scan,
    "transpose": movement.transpose,
    "slice": movement.slice_,
    "pad": movement.pad,
    "concat": movement.concat,
}
