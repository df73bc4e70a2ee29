"""Convolutions by fewer products, after Lavin and Gray 2015.

3x3 ones as F(4x4, 3x3): 36 products for 16 pixels where the direct way takes 144; 1x7 and 7x1 ones, of which Inception
networks are made, as F(4, 7): 10 products for 4 pixels where it takes 28.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webkeras.backends.webgl2.layout import Tile, lanes
from webkeras.graph import Node, Value

PIXELS = 14 * 14  # smaller images have deep kernels, which F(4x4, 3x3) makes four times as large
WIDEST = 256 * 256  # the products of larger ones take too much memory
MULTIPLICATIONS = 16e6  # with fewer, four programs more to compile cost more than they save
SHAPES = ((3, 3), (1, 7), (7, 1))


@dataclass(frozen=True)
class Form:
    """How a convolution is cut into tiles: of `span` pixels (down, across); products of a tile are groups x layers."""

    shaders: str
    span: tuple[int, int]
    groups: int
    layers: int

    def tiles(self, node: Node) -> tuple[int, int]:
        """Tiles of an image, down and across."""
        _, h, w, _ = node.out.shape
        return -(-h // self.span[0]), -(-w // self.span[1])

    def layouts(self, planner: Any, node: Node) -> tuple[Tile, Tile, Tile]:
        """Of the kernel, the input and the products."""
        c, f = node.inputs[1].shape[-2:]
        down, across = self.tiles(node)
        count = node.out.shape[0] * down * across
        wide = min(count, planner.limits.max_size // -(-c // 4))
        tiles = Tile(self.groups * -(-count // wide), self.layers * wide, c, self.layers)
        points = self.groups * self.layers
        products = Tile(points, count, f, lanes(count, planner.limits)).within(planner.limits)
        return Tile(self.groups * c, self.layers, f, self.layers), tiles, products


def form(node: Node) -> Form:
    """Of a convolution of one of SHAPES."""
    match node.inputs[1].shape[:2]:
        case (3, 3):
            return Form("winograd", (4, 4), 6, 6)
        case (1, 7):
            return Form("line", (1, 4), 2, 5)
    return Form("line", (4, 1), 2, 5)


def pays(planner: Any, node: Node) -> bool:
    """Is it a convolution for which the fetches saved outnumber those of the two transforms?"""
    x, w = node.inputs[:2]
    a, out = node.attrs, node.out.shape
    if w.shape[:-2] not in SHAPES or a["strides"] != (1, 1) or a.get("groups", 1) > 1 or not w.is_constant:
        return False
    if any(d != 1 for d in a.get("dilation") or ()) or planner.limits.lanes < 8 or out[1] * out[2] > WIDEST:
        return False
    c4, f4 = -(-x.shape[-1] // 4), -(-out[-1] // 4)
    if w.shape[0] * w.shape[1] * out[0] * out[1] * out[2] * x.shape[-1] * out[-1] < MULTIPLICATIONS:
        return False
    if w.shape[0] == 3 and (out[1] * out[2] < PIXELS or 78 * c4 * f4 < 216 * (c4 + f4)):
        return False
    if w.shape[0] != 3 and 13 * c4 * f4 < 20 * c4 + 40 * f4:
        return False
    return all(not t.within(planner.limits).folded for t in form(node).layouts(planner, node))


def winograd(planner: Any, node: Node) -> None:
    """Kernel (once), input, products, output."""
    from webkeras.backends.webgl2.kernels import draw, shared

    x, w = node.inputs[:2]
    c, f = w.shape[-2:]
    how = form(node)
    (down, across), (kernels, tiles, products) = how.tiles(node), how.layouts(planner, node)
    made = planner.places.get((id(w), kernels))
    if made is None:
        inputs = {"w_": planner.get(w, planner.rows(w, f))}
        made = planner.emit(f"{how.shaders}_kernel.glsl", node, w, kernels, inputs, {"in_c": c})
    rows, wide, layout = tiles.rows // how.groups, tiles.w // how.layers, planner.tile(node.out)
    params: dict[str, Any] = {
        "x_tile": planner.tile(x).param,
        "size_in": x.shape[1:3],
        "pads": [lo for lo, _ in node.attrs["pads"]],
        "wide": wide,
        "out_c4": tiles.c4,
    }
    last: dict[str, Any] = {"x_tile": products.param, "out_c4": layout.c4}
    if how.shaders == "line":
        params |= {"lines": (down, across, rows), "span": how.span, "along": [int(s > 1) for s in how.span]}
        last |= {"lines": (down, across), "span": how.span, "size_out": node.out.shape[1:3]}
    else:
        params |= {"tiles": (down, across, rows)}
        last |= {"tiles": (down, across), "out_h": node.out.shape[1]}
    turned, multiplied = Value((tiles.rows, tiles.w, c)), Value((how.groups * how.layers, products.w, f))
    parts = planner.emit(f"{how.shaders}_input.glsl", node, turned, tiles, {"x_": planner.get(x)}, params)
    params = {"layers": how.layers, "rows": rows, "wide": wide, "in_c": c, "in_c4": tiles.c4, "out_c4": products.c4}
    inputs = {"x_": parts, "w_": made}
    defines = shared(planner, multiplied, products, tiles.c4, products.lanes)
    if rows > 1 and "SQUARE" not in defines:
        defines["WIDE"] = 1
    sums = planner.emit("winograd_multiply.glsl", node, multiplied, products, inputs, params, defines)
    draw(planner, f"{how.shaders}_output.glsl", node, layout, {"x_": sums}, last)
