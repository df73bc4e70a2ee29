"""3x3 convolutions as F(4x4, 3x3) of Lavin and Gray 2015: 36 products for 16 pixels where the direct way takes 144."""

from __future__ import annotations

from typing import Any

from webkeras.backends.webgl2.layout import Tile, lanes
from webkeras.graph import Node, Value

PIXELS = 14 * 14  # smaller images have deep kernels, which Winograd makes four times as large
WIDEST = 80 * 80  # larger ones have few channels: little is gained, and their rounding grows through all later layers
MULTIPLICATIONS = 16e6  # with fewer, four programs more to compile cost more than they save


def pays(planner: Any, node: Node) -> bool:
    """Is it a 3x3 convolution for which the fetches saved outnumber those of the two transforms?"""
    x, w = node.inputs[:2]
    a, out = node.attrs, node.out.shape
    if w.shape[:-2] != (3, 3) or a["strides"] != (1, 1) or a.get("groups", 1) > 1 or not w.is_constant:
        return False
    if any(d != 1 for d in a.get("dilation") or ()) or planner.limits.lanes < 8:
        return False
    if not PIXELS <= out[1] * out[2] <= WIDEST:
        return False
    c4, f4 = -(-x.shape[-1] // 4), -(-out[-1] // 4)
    if 9 * out[0] * out[1] * out[2] * x.shape[-1] * out[-1] < MULTIPLICATIONS:
        return False
    if 78 * c4 * f4 < 216 * (c4 + f4):
        return False
    return all(not t.within(planner.limits).folded for t in _layouts(planner, node))


def _layouts(planner: Any, node: Node) -> tuple[Tile, Tile, Tile]:
    """Of the kernel, the input and the products."""
    c, f = node.inputs[1].shape[-2:]
    n, h, w, _ = node.out.shape
    count = n * -(-h // 4) * -(-w // 4)
    wide = min(count, planner.limits.max_size // -(-c // 4))
    tiles = Tile(6 * -(-count // wide), 6 * wide, c, 6)
    products = Tile(36, count, f, lanes(count, planner.limits)).within(planner.limits)
    return Tile(6 * c, 6, f, 6), tiles, products


def winograd(planner: Any, node: Node) -> None:
    """Kernel (once), input, products, output."""
    from webkeras.backends.webgl2.kernels import draw, shared

    x, w = node.inputs[:2]
    c, f = w.shape[-2:]
    _, h, wide, _ = node.out.shape
    th, tw = -(-h // 4), -(-wide // 4)
    kernels, tiles, products = _layouts(planner, node)
    made = planner.places.get((id(w), kernels))
    if made is None:
        inputs = {"w_": planner.get(w, planner.rows(w, f))}
        made = planner.emit("winograd_kernel.glsl", node, w, kernels, inputs, {"in_c": c})
    params: dict[str, Any] = {
        "x_tile": planner.tile(x).param,
        "size_in": x.shape[1:3],
        "tiles": (th, tw, tiles.rows // 6),
        "wide": tiles.w // 6,
        "pads": [lo for lo, _ in node.attrs["pads"]],
        "out_c4": tiles.c4,
    }
    turned, multiplied = Value((tiles.rows, tiles.w, c)), Value((36, products.w, f))
    parts = planner.emit("winograd_input.glsl", node, turned, tiles, {"x_": planner.get(x)}, params)
    params = {"rows": tiles.rows // 6, "wide": tiles.w // 6, "in_c": c, "in_c4": tiles.c4, "out_c4": products.c4}
    inputs = {"x_": parts, "w_": made}
    defines = shared(planner, multiplied, products, tiles.c4, products.lanes) | ({"WIDE": 1} if tiles.rows > 6 else {})
    sums = planner.emit("winograd_multiply.glsl", node, multiplied, products, inputs, params, defines)
    layout = planner.tile(node.out)
    params = {"x_tile": products.param, "tiles": (th, tw), "out_h": h, "out_c4": layout.c4}
    draw(planner, "winograd_output.glsl", node, layout, {"x_": sums}, params)
