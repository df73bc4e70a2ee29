"""How much a graph computes: what is little runs in no time, and what is waited for is its programs."""

from __future__ import annotations

from webkeras.graph import Graph, Node
from webkeras.shapes import size


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
