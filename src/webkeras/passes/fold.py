"""Constant scales move into kernels, constant shifts into one bias, zero padding into the window.

conv(x, w) * s + t, with constant s and t, is conv(x, w * s) + t: batch normalisation costs nothing after a
convolution. Nothing is computed here: w * s is a node with constant inputs only, which the backend runs once. A backend
whose epilogues cost nothing may keep s apart from the kernels, which are large: conv(x, w) * s + t then, with one t.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from webkeras import ops
from webkeras.graph import Graph, Node, Value, inside, record, recording, rewrite
from webkeras.shapes import broadcast

KERNEL_AXIS = {"conv": -1, "conv_transpose": -2, "matmul": -1}  # where a kernel holds the output's channels


def fold(graph: Graph, kernels: bool = True) -> Graph:
    """The graph with constants folded into kernels, unless not wanted, biases and pads."""
    graph = inside(graph, lambda body: fold(body, kernels))
    uses = Counter(id(v) for n in graph.nodes for v in set(n.inputs))
    uses.update(id(v) for v in graph.outputs.values())

    def own(v: Value) -> bool:
        return uses[id(v)] == 1

    def scaled(v: Value, s: Value) -> Value | None:
        """v * s with s inside v's own producers, or None."""
        node = v.node
        if node is None or not own(v) or not _per_channel(s, v):
            return None
        if pair := _with_constant(node, "add"):
            inner = scaled(pair[0], s)
            return None if inner is None else mine(ops.add(inner, ops.multiply(pair[1], s)), v)
        if node.op not in KERNEL_AXIS or not node.inputs[1].is_constant or "epilogue" in node.attrs:
            return None
        if not kernels:
            return mine(ops.multiply(v, s), v)
        w, along = node.inputs[1], (s.size, 1) if KERNEL_AXIS[node.op] == -2 else (s.size,)
        s = s if s.shape == along else ops.reshape(s, shape=along)
        return mine(record(node.op, (node.inputs[0], ops.multiply(w, s)), node.attrs).out, v)

    def mine(new: Value, old: Value) -> Value:
        uses[id(new)] = uses[id(old)]
        keep.append(new)
        return new

    def rule(node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        for a, b in zip(inputs, node.inputs, strict=True):
            uses[id(a)] = uses[id(b)]
        with recording(node.layer):
            new = folded(Node(node.op, inputs, node.attrs, node.layer))
        return None if new is None else (mine(new, node.outs[0]),)

    def folded(node: Node) -> Value | None:
        if pair := _with_constant(node, "mul"):
            heavy = pair[0].node and pair[0].node.op in KERNEL_AXIS
            return None if heavy and not kernels else scaled(*pair)
        if (pair := _with_constant(node, "add")) and pair[0].node and own(pair[0]):
            inner = _with_constant(pair[0].node, "add")
            if inner and inner[1].shape == pair[1].shape:
                y: Value = ops.add(inner[0], ops.add(inner[1], pair[1]))
                return y
        before = node.inputs[0].node if node.op in ("conv", "pool") else None
        if before and before.op == "pad" and own(node.inputs[0]):
            around = before.attrs["pads"]
            if not before.attrs.get("value") and around[0] == around[-1] == (0, 0):
                pads = tuple((a + c, b + d) for (a, b), (c, d) in zip(around[1:-1], node.attrs["pads"], strict=True))
                if node.op == "conv" or _unseen(node, before.inputs[0], pads):
                    return record(node.op, (before.inputs[0], *node.inputs[1:]), {**node.attrs, "pads": pads}).out
        return None

    keep: list[Value] = []  # alive until the end, so that no id is used twice
    return rewrite(graph, rule)


def _unseen(pool: Node, x: Value, pads: Sequence[tuple[int, int]]) -> bool:
    """May a pool leave out zeros around x: a max of what is never less, with something of x in every window?"""
    expr = x.node.attrs["expr"] if x.node and x.node.op == "map" else None
    arguments = expr[1:] if isinstance(expr, tuple) and expr[0] == "max" else ()
    positive = any(isinstance(e, float) and e >= 0 for e in arguments)  # an int is a slot
    small = all(max(p) < n for p, n in zip(pads, pool.attrs["window_"], strict=True))
    return pool.attrs["fn"] == "max" and positive and small


def _per_channel(s: Value, v: Value) -> bool:
    """Is s one number per element of v's last axis?"""
    return s.ndim >= 1 and s.shape[-1] == v.shape[-1] == s.size


def _with_constant(node: Node, function: str) -> tuple[Value, Value] | None:
    """(x, c) where the node is function(x, c) with a constant c and an x that is none."""
    if node.op != "map" or node.attrs["expr"] not in ((function, 0, 1), (function, 1, 0)) or len(node.inputs) != 2:
        return None
    a, b = node.inputs
    if a.is_constant == b.is_constant:
        return None
    x, c = (b, a) if a.is_constant else (a, b)
    return (x, c) if x.shape == broadcast(a.shape, b.shape) else None
