"""Composites a backend has no kernel for become the ops they are made of."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from webkeras.graph import OPS, Graph, Node, Value, inside, recording, rewrite


def expand(graph: Graph, native: Collection[str] = ()) -> Graph:
    """The graph with every composite outside `native` replaced by its body, recorded."""

    def rule(node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        if not OPS[node.op].composite or node.op in native:
            return None
        with recording(node.layer):
            y = OPS[node.op].reference(*inputs, **node.attrs)
        return y if isinstance(y, tuple) else (y,)

    while any(OPS[n.op].composite and n.op not in native for n in graph.nodes):
        graph = rewrite(graph, rule)
    return inside(graph, lambda body: expand(body, native))
