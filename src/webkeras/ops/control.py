"""The only control flow: `scan` carries states along the time axis, one step after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from webkeras.errors import ShapeError
from webkeras.graph import Graph, Node, Value, op, run, topo, value
from webkeras.lazy import np
from webkeras.shapes import Shape

Step = Callable[[list[Any], list[Any]], tuple[list[Any], list[Any]]]


def scan(step: Step, init: Sequence[Any], xs: Sequence[Any], *, reverse: bool = False) -> tuple[list[Any], list[Any]]:
    """Run `step(states, xs_t) -> (new states, ys_t)` along axis 1 of every xs: -> (final states, ys).

    init: the states before the first step, any shapes; xs (n, t, ...), at least one, equally long; every ys_t
    (n, ...) is stacked to (n, t, ...). With `reverse` the last step comes first; ys still stand at the place of their
    xs. Called with Values it records one node: `step` is traced once, into a graph of its own, and whatever it uses
    that does not depend on states or xs is computed once, outside.
    Raises ShapeError where lengths differ or a step changes a state's shape.
    Source: jax.lax.scan
    """
    if not any(isinstance(v, Value) for v in (*init, *xs)):
        return _loop(step, list(init), xs, reverse)
    init, xs = [value(v) for v in init], [value(v) for v in xs]
    states = [Value(v.shape) for v in init]
    slices = [Value((v.shape[0], *v.shape[2:])) for v in xs]
    new, ys = step(list(states), list(slices))
    outs = [value(v) for v in (*new, *ys)]
    body, captured = _closed([*states, *slices], outs)
    node = scan_(*init, *xs, *captured, body=body, n_init=len(init), n_xs=len(xs), reverse=reverse)
    every = node if isinstance(node, tuple) else (node,)
    return list(every[: len(init)]), list(every[len(init) :])


def _loop(step: Step, states: list[Any], xs: Sequence[Any], reverse: bool) -> tuple[list[Any], list[Any]]:
    steps = xs[0].shape[1]
    rows: list[list[Any]] = []
    for t in reversed(range(steps)) if reverse else range(steps):
        states, ys = step(states, [x[:, t] for x in xs])
        rows.append(ys)
    columns = zip(*(reversed(rows) if reverse else rows), strict=True)
    return states, [np.stack(column, 1) for column in columns]


def _closed(inputs: list[Value], outputs: list[Value]) -> tuple[Graph, list[Value]]:
    """A graph from `inputs` to `outputs`, and what it needs besides: everything that does not depend on the inputs."""
    varying = {id(v) for v in inputs}
    captured: dict[int, Value] = {}
    for node in topo(outputs):
        if any(id(v) in varying for v in node.inputs):
            varying.update(id(v) for v in node.outs)
    for node in topo(outputs):
        if id(node.outs[0]) in varying:
            captured.update({id(v): v for v in node.inputs if id(v) not in varying})
    captured.update({id(v): v for v in outputs if id(v) not in varying})
    fresh = {key: Value(v.shape, name=v.name) for key, v in captured.items()}
    named = dict(enumerate([*inputs, *fresh.values()]))
    graph = Graph({f"x{i}": v for i, v in named.items()}, {f"y{i}": v for i, v in enumerate(outputs)})
    return _rebound(graph, fresh, varying), list(captured.values())


def _rebound(graph: Graph, fresh: dict[int, Value], varying: set[int]) -> Graph:
    """The graph reading `fresh` values in place of the outer ones they stand for."""
    new = dict(fresh)
    for node in graph.nodes:
        if id(node.outs[0]) not in varying:
            continue
        copy = Node(node.op, tuple(new.get(id(v), v) for v in node.inputs), node.attrs, node.layer)
        copy.outs = tuple(Value(v.shape, copy) for v in node.outs)
        new.update({id(a): b for a, b in zip(node.outs, copy.outs, strict=True)})
    return Graph(graph.inputs, {k: new.get(id(v), v) for k, v in graph.outputs.items()})


def _scanned(*xs: Shape, body: Graph, n_init: int, n_xs: int, reverse: bool) -> list[Shape]:
    init, slices = xs[:n_init], xs[n_init : n_init + n_xs]
    outs = [v.shape for v in body.outputs.values()]
    lengths = {s[1] for s in slices}
    if len(lengths) != 1 or not lengths.pop():
        raise ShapeError(f"scan over {', '.join(map(str, slices))}; expected one length on axis 1, at least 1")
    if outs[:n_init] != list(init):
        raise ShapeError(f"a step makes states {outs[:n_init]} of states {list(init)}; expected the same shapes")
    return [*init, *((s[0], slices[0][1], *s[1:]) for s in outs[n_init:])]


@op(shape=_scanned, arity=None)
def scan_(*xs: Any, body: Graph, n_init: int, n_xs: int, reverse: bool) -> Any:
    """The recorded form of `scan`: `body` run once for every place on axis 1, carrying states.

    Inputs: n_init states, n_xs sequences (n, t, ...), then what the body captures, the same at every step. The body's
    inputs x0, x1, ... are these in order, sequences without their axis 1; its outputs y0, y1, ... are the new states,
    then what is stacked. -> the final states, then the stacks (n, t, ...). With `reverse` the last place comes first.
    """
    captured = list(xs[n_init + n_xs :])

    def step(states: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        feed = dict(zip(body.inputs, [*states, *slices, *captured], strict=True))
        ys = list(run(body, feed).values())
        return ys[:n_init], ys[n_init:]

    states, ys = _loop(step, list(xs[:n_init]), xs[n_init : n_init + n_xs], reverse)
    return (*states, *ys)
