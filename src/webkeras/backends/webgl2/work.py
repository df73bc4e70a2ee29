"""How much a graph computes, and how many texels a fragment of it should write.

What is little runs in no time, and what is waited for is its programs: fragments write two texels at most then. Else a
fragment writes eight, or seven where that is fewer fetches: in images 7, 14 or 28 pixels wide, as in networks for
224 x 224, one of eight would be nobody's.
"""

from __future__ import annotations

from dataclasses import replace

from webkeras.backends.webgl2.layout import Limits
from webkeras.backends.webgl2.winograd import SHAPES
from webkeras.graph import Graph, Node
from webkeras.shapes import size


def fitted(graph: Graph, limits: Limits, little: int) -> Limits:
    """The limits with as many lanes as suit the graph; two at most where its `work` is less than `little`."""
    if work(graph) < little:
        return replace(limits, lanes=min(2, limits.lanes))
    convs = [node for node in graph.nodes if node.op == "conv" and not node.out.is_constant]
    widths = [(node.out.shape[-2], _of(node)) for node in convs]
    if limits.lanes < 8 or any(map(_tiled, convs)) or _fetches(widths, 7) >= _fetches(widths, 8):
        return limits
    return replace(limits, lanes=7)


def _fetches(widths: list[tuple[int, int]], lanes: int) -> float:
    """In proportion: for its pixels' products with four channels, a fragment fetches them and four of weights."""
    return sum(n / w * -(-w // lanes) * (lanes + 4) for w, n in widths)


def _tiled(node: Node) -> bool:
    """May a convolution be computed in tiles four wide, which go into eight lanes?"""
    a = node.attrs
    return node.inputs[1].shape[:-2] in SHAPES and a["strides"] == (1, 1) and a.get("groups", 1) == 1


def work(graph: Graph) -> int:
    """Multiplications of one run, and numbers that other ops make."""
    return sum(_of(node) for node in graph.nodes if not node.outs[0].is_constant)


def _of(node: Node) -> int:
    x, *others = node.inputs
    match node.op:
        case "conv":
            return node.out.size * size(others[0].shape[:-1])
        case "conv_transpose":
            return x.size * size(others[0].shape[:-1])
        case "matmul":
            return node.out.size * x.shape[-1]
        case "simple_rnn" | "lstm" | "gru":
            return size(x.shape[:2]) * others[0].size
        case "scan":
            steps: int = node.inputs[node.attrs["n_init"]].shape[1]
            return steps * work(node.attrs["body"])
    return sum(v.size for v in node.outs)
