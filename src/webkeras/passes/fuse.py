"""Elementwise work joins the op that makes its input: maps into maps, maps into the epilogues of heavier ops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence

from webkeras.expr import ACC, Expr, substitute
from webkeras.graph import Graph, Node, Value, inside, rewrite
from webkeras.shapes import Shape


def fuse(
    graph: Graph,
    epilogues: Collection[str],
    max_inputs: int = 12,
    readable: Callable[[Shape, Shape], bool] = lambda extra, out: True,
    again: bool = False,
) -> Graph:
    """The graph with maps inlined where their producer has no other user.

    `epilogues` are the ops that can apply an expression to what they store; `max_inputs` bounds the inputs of a fused
    node; `readable(extra, out)` says whether an epilogue that writes `out` can read an input of shape `extra`. With
    `again`, a map of constants is inlined into every other one that reads it: a step fewer, for some more arithmetic.
    """
    graph = inside(graph, lambda body: fuse(body, epilogues, max_inputs, readable, again))
    uses = Counter(id(v) for n in graph.nodes for v in set(n.inputs))
    uses.update(id(v) for v in graph.outputs.values())
    order = {id(n): i for i, n in enumerate(graph.nodes)}
    keep: list[Value] = []

    def rule(node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        for a, b in zip(inputs, node.inputs, strict=True):
            uses[id(a)] = uses[id(b)]
        if node.op != "map":
            return None
        here = _distinct(Node("map", inputs, node.attrs, node.layer))
        shape = node.out.shape
        while True:
            hosts = [v for v in here.inputs if v.node and suits(v, v.node, here, shape)]
            if not hosts:
                break
            host = max(hosts, key=lambda v: (v.node is not None and v.node.op != "map", order.get(id(v.node), -1)))
            if host.node and host.node.op == "map":  # what both read is read once from now on: x * sigmoid(x)
                for v in {*host.node.inputs} & {*here.inputs}:
                    uses[id(v)] -= 1
            here = _inlined(here, host)
            if here.op != "map":
                break
        here.outs = (Value(shape, here),)
        uses[id(here.out)] = uses[id(node.out)]
        order[id(here)] = order[id(node)]
        keep.append(here.out)
        return here.outs

    def suits(v: Value, producer: Node, here: Node, shape: Shape) -> bool:
        constant = all(x.is_constant for x in here.inputs)
        if again and constant and producer.op == "map":
            return len({*producer.inputs, *here.inputs}) <= max_inputs + 1
        if uses[id(v)] != 1 or v.shape != shape or (v.is_constant and not constant):
            return False
        if producer.op != "map" and producer.op not in epilogues:
            return False
        rest = [x for x in here.inputs if x is not v]
        if producer.op != "map" and not all(readable(x.shape, shape) for x in rest):
            return False
        return len({*producer.inputs, *rest}) <= max_inputs

    return rewrite(graph, rule)


def _distinct(node: Node) -> Node:
    """The map with every input once."""
    inputs = tuple(dict.fromkeys(node.inputs))
    if len(inputs) == len(node.inputs):
        return node
    at: dict[int, Expr] = {i: inputs.index(v) for i, v in enumerate(node.inputs)}
    return Node("map", inputs, {"expr": substitute(node.attrs["expr"], at)}, node.layer)


def _inlined(node: Node, host: Value) -> Node:
    """The map `node` put into the producer of its input `host`."""
    producer = host.node
    assert producer is not None
    inputs = list(producer.inputs)
    own = len(inputs) if producer.op == "map" else None
    at: dict[int, Expr] = {}
    for i, v in enumerate(node.inputs):
        if v is host:
            at[i] = producer.attrs.get("expr" if producer.op == "map" else "epilogue", ACC)
        else:
            if v not in inputs or own is None:  # an epilogue never reads the op's own operands
                inputs.append(v)
            at[i] = len(inputs) - 1 if own is None else inputs.index(v)
    where = "expr" if producer.op == "map" else "epilogue"
    attrs = {**producer.attrs, where: substitute(node.attrs["expr"], at)}
    return Node(producer.op, tuple(inputs), attrs, node.layer or producer.layer)
