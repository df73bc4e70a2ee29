"""Only pixels that somebody reads are computed.

A 1x1 convolution with strides is one without, of every so many-th pixel of its input; and where nobody reads more than
those of what another 1x1 convolution or elementwise work makes, that makes no others. So at every stage of a ResNet.
"""

from __future__ import annotations

from collections.abc import Sequence

from webkeras import ops
from webkeras.graph import Graph, Node, Value, inside, record, recording, rewrite
from webkeras.shapes import Shape, size


def thin(graph: Graph) -> Graph:
    """The graph with slices, as early as can be, in the place of strides of 1x1 convolutions. After `fuse`."""
    graph = inside(graph, thin)
    read = _read(graph)
    slices: dict[tuple[int, Shape], Value] = {}

    def of(x: Value, every: Shape) -> Value:
        if (id(x), every) not in slices:
            step = (1, *every, 1)
            slices[id(x), every] = ops.slice_(x, begin=(0,) * x.ndim, end=x.shape, step=step)
        return slices[id(x), every]

    def rule(node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        every = _every(node, read)
        if not every:
            return None
        with recording(node.layer):
            olds = zip(node.inputs, inputs, _pixels(node), strict=True)
            new = tuple(of(x, every) if mine and x.shape == old.shape else x for old, x, mine in olds)
            attrs = {**node.attrs, "strides": (1,) * len(every)} if node.op == "conv" else node.attrs
            return record(node.op, new, attrs).outs

    return rewrite(graph, rule)


def _read(graph: Graph) -> dict[int, Shape]:
    """By id of a value, the strides at which its pixels are read; () where all are, or not the same by all who read."""
    read: dict[int, Shape] = {id(v): () for v in graph.outputs.values()}
    for node in reversed(graph.nodes):
        every = _every(node, read)
        for v, mine in zip(node.inputs, _pixels(node), strict=True):
            want = every if mine else ()
            read[id(v)] = want if read.get(id(v), want) == want else ()
    return read


def _every(node: Node, read: dict[int, Shape]) -> Shape:
    """The strides at which a node wants the pixels it reads; () where it wants all."""
    extras = node.inputs
    if node.op == "conv":
        a, extras = node.attrs, extras[2:]
        if size(node.inputs[1].shape[:-2]) > 1 or a.get("groups", 1) > 1 or any(map(any, a["pads"])):
            return ()
        if _strided(node):
            return tuple(a["strides"])
    elif node.op != "map":
        return ()
    known = all(v.shape == node.out.shape or v.size == 1 or v.size == v.shape[-1] for v in extras)
    return read[id(node.out)] if known else ()


def _strided(node: Node) -> bool:
    return node.op == "conv" and any(s > 1 for s in node.attrs["strides"])


def _pixels(node: Node) -> list[bool]:
    """Of every input: does the node, at a pixel, read that pixel of it (or, under strides, the one they lead to)?"""
    if _strided(node):
        return [i == 0 for i in range(len(node.inputs))]
    first = node.op == "conv"
    return [(first and i == 0) or v.shape == node.outs[0].shape for i, v in enumerate(node.inputs)]
