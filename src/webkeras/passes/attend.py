"""A softmax between two products becomes one node, for a backend that need not hold all of its rows at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from webkeras.expr import ACC, Expr, substitute
from webkeras.graph import Graph, Node, Value, inside, record, recording, rewrite


def attend(graph: Graph) -> Graph:
    """The graph with matmul(softmax(scores), v) as `attention`, where the scores are a product or a map of one.

    After `fuse`: the map may be the product's epilogue. Nothing between may have another user.
    """
    graph = inside(graph, attend)
    uses = Counter(id(v) for n in graph.nodes for v in set(n.inputs))
    uses.update(id(v) for v in graph.outputs.values())
    keep: list[Value] = []

    def rule(node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        for a, b in zip(inputs, node.inputs, strict=True):
            uses[id(a)] = uses[id(b)]
            keep.append(a)
        if node.op != "matmul" or "epilogue" in node.attrs:
            return None
        weights, v = inputs
        last = weights.node and weights.node.op == "softmax" and weights.node.attrs["axes"] == (weights.ndim - 1,)
        if not weights.node or not last or uses[id(weights)] > 1:
            return None
        found = _scores(weights.node.inputs[0], uses)
        if found is None:
            return None
        (q, k, *extra), expr = found
        if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or k.is_constant or v.is_constant:
            return None
        with recording(node.layer):
            return record("attention", (q, k, v, *extra), {"expr": expr}).outs

    return rewrite(graph, rule)


def _scores(scores: Value, uses: Counter[int]) -> tuple[Sequence[Value], Expr] | None:
    """(the product's factors and what else is read, an expression of the product (slot 0) and the rest), or None."""
    node = scores.node
    if node is None or uses[id(scores)] > 1:
        return None
    if node.op == "matmul":
        at: dict[int, Expr] = {ACC: 0, **{i: i - 1 for i in range(2, len(node.inputs))}}
        return node.inputs, substitute(node.attrs.get("epilogue", ACC), at)
    if node.op == "map":
        for i, x in enumerate(node.inputs):
            bare = x.node and x.node.op == "matmul" and "epilogue" not in x.node.attrs
            if x.node and bare and uses[id(x)] == 1 and x.shape == scores.shape:
                rest = [v for v in node.inputs if v is not x]
                at = {j: 0 if j == i else 1 + rest.index(v) for j, v in enumerate(node.inputs)}
                return (*x.node.inputs, *rest), substitute(node.attrs["expr"], at)
    return None
