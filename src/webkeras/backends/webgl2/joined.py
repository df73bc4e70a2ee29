"""Concatenations along the channels, written in place: what makes a part draws into its columns of the whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from webkeras import ops
from webkeras.backends.webgl2.layout import Tile
from webkeras.graph import Graph, Node, Value

if TYPE_CHECKING:
    from webkeras.backends.webgl2.planner import Planner

#: Ops whose kernels end in one draw of their output in its usual layout.
WRITERS = frozenset({"concat", "conv", "conv_transpose", "map", "matmul", "pool", "resize"})


@dataclass(frozen=True)
class Part:
    """The columns of a value in those of a concatenation that it is a part of, in texels of a pixel."""

    whole: Value
    offset: int
    layout: Tile  # of the whole

    def window(self, own: Tile) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
        """(viewport, times): a rectangle for every block of pixels, and how many of them how many columns apart."""
        high = 1 + self.layout.stacked
        times = -(-own.w // own.lanes), self.layout.c4 // high
        return (self.offset // high, 0, own.c4 // high, own.rows * high), times

    def param(self, own: Tile) -> tuple[int, int, int]:
        """What HERE of tensor.glsl wants."""
        return self.layout.c4, self.layout.c4 - own.c4, self.offset

    def keeps(self, n: int) -> bool:
        """Do n columns that begin at a multiple of n within the part do so in the whole?"""
        return self.offset % n == self.layout.c4 % n == 0


def parts(planner: Planner, graph: Graph) -> dict[int, Part]:
    """By id of a value that only a concatenation reads: where it is written. All inputs but one must be such."""
    nodes, found = graph.nodes, dict[int, Part]()
    uses = Counter(id(v) for n in nodes for v in n.inputs) + Counter(id(v) for v in graph.outputs.values())

    def own(v: Value) -> bool:
        made = v.node is not None and not v.is_constant and v.node.op in WRITERS and len(v.node.outs) == 1
        return made and uses[id(v)] == 1

    for node in reversed(nodes):  # a concatenation of concatenations is one
        if node.op != "concat" or node.attrs["axis"] != node.out.ndim - 1 or sum(not own(v) for v in node.inputs) > 1:
            continue
        layout = planner.tile(node.out)
        if layout.folded or node.out.ndim < 2 or any(v.shape[-1] % 4 for v in node.inputs[:-1]):
            continue
        if layout.stacked and any(planner.tile(v).c4 % 2 for v in node.inputs):
            continue
        outer = found.get(id(node.out), Part(node.out, 0, layout))
        offset = outer.offset
        for v in node.inputs:
            if own(v):
                found[id(v)] = Part(outer.whole, offset, outer.layout)
            offset += v.shape[-1] // 4
    return found


def join(planner: Planner, node: Node) -> bool:
    """Copy what is not written in place to where it belongs; False where nothing of the node is."""
    first = next((planner.parts[id(v)] for v in node.inputs if id(v) in planner.parts), None)
    if first is None:
        return False
    outer = planner.parts.get(id(node.out))
    offset = outer.offset if outer else 0
    for v in node.inputs:
        assert id(v) not in planner.parts or id(v) in planner.drawn, f"{node.layer}: nobody wrote a part"
        if id(v) not in planner.parts:
            copy = ops.map_(v, expr=0)
            planner.parts[id(copy)] = Part(first.whole, offset, first.layout)
            planner.lower(copy.node)
        offset += v.shape[-1] // 4
    if outer:
        planner.drawn.add(id(node.out))
    else:
        planner.place(node.out, first.layout, planner.whole(first))
    return True
