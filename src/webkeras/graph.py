"""The graph: values, nodes, and the decorators that define an op.

An op is a numpy function (its meaning) and a shape rule. Called on arrays it computes; called on a `Value` it
records a node. Layers cannot tell which happened, so a layer is written once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from webkeras.errors import ShapeError
from webkeras.expr import ACC, evaluate, show
from webkeras.shapes import Shape, size

Attrs = Mapping[str, Any]


class Constant(Protocol):
    """What a constant value is backed by: bytes that nobody has to turn into an array before a backend wants them."""

    @property
    def shape(self) -> Shape: ...
    def array(self) -> Any:
        """The numpy array, float32."""


@dataclass(frozen=True)
class Literal:
    """A small constant that a layer made itself: its floats, row-major."""

    shape: Shape
    floats: tuple[float, ...]

    def array(self) -> Any:
        from webkeras.lazy import np

        return np.array(self.floats, "float32").reshape(self.shape)

    def data(self) -> bytes:
        """The floats as little-endian float32 bytes."""
        return struct.pack(f"<{len(self.floats)}f", *self.floats)


@dataclass(eq=False)
class Value:
    """One tensor, float32: the result of a node, a constant, or (with neither) an input of the graph."""

    shape: Shape
    node: Node | None = None
    constant: Constant | None = None
    name: str = ""
    mask: Any = None  # Keras' mask of this tensor: a Value of ones and zeros, or None
    is_constant: bool = field(init=False)  # depends on no input of the graph

    def __post_init__(self) -> None:
        node = self.node
        self.is_constant = self.constant is not None if node is None else all(v.is_constant for v in node.inputs)

    __array_ufunc__ = None  # numpy arrays leave `array + value` to us

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return size(self.shape)

    def __add__(self, o: Any) -> Any:
        return _scalar("add", self, o)

    def __radd__(self, o: Any) -> Any:
        return _scalar("add", o, self)

    def __sub__(self, o: Any) -> Any:
        return _scalar("sub", self, o)

    def __rsub__(self, o: Any) -> Any:
        return _scalar("sub", o, self)

    def __mul__(self, o: Any) -> Any:
        return _scalar("mul", self, o)

    def __rmul__(self, o: Any) -> Any:
        return _scalar("mul", o, self)

    def __truediv__(self, o: Any) -> Any:
        return _scalar("div", self, o)

    def __rtruediv__(self, o: Any) -> Any:
        return _scalar("div", o, self)

    def __neg__(self) -> Any:
        return _scalar("neg", self)


@dataclass(eq=False)
class Node:
    """One recorded op. `layer` is the Keras layer that recorded it: every message names it."""

    op: str
    inputs: tuple[Value, ...]
    attrs: dict[str, Any]
    layer: str = ""
    outs: tuple[Value, ...] = field(init=False, default=())

    @property
    def out(self) -> Value:
        """The only output."""
        (value,) = self.outs
        return value


@dataclass(frozen=True)
class Op:
    """A row of OPS: the numpy meaning, the shape rule (shapes in, one shape or a list of shapes out)."""

    name: str
    reference: Callable[..., Any]
    shape: Callable[..., Any]
    arity: int | None  # of the op proper, without inputs that an epilogue brought in; None: any number
    composite: bool = False


OPS: dict[str, Op] = {}
MOST = 2**31  # numbers in a tensor: what a file asks for is bounded before anybody allocates it
_layer: list[str] = [""]


@contextmanager
def recording(layer: str) -> Iterator[None]:
    """Nodes recorded inside are `layer`'s."""
    _layer.append(layer)
    try:
        yield
    finally:
        _layer.pop()


@dataclass
class Memory:
    """The states of one trace: what each was before the run, and what it is by now, by name."""

    taken: set[str]
    before: dict[str, Value] = field(default_factory=dict)
    now: dict[str, Value] = field(default_factory=dict)
    names: dict[int, list[str]] = field(default_factory=dict)  # of a layer's states


_memory: list[Memory] = []


@contextmanager
def remembering(taken: Iterable[str] = ()) -> Iterator[Memory]:
    """Layers traced inside may `recall` and `keep` states, under names that are not `taken`."""
    _memory.append(Memory(set(taken)))
    try:
        yield _memory[-1]
    finally:
        _memory.pop()


def recall(owner: Any, shapes: Sequence[Shape]) -> list[Value]:
    """A layer's states: what it kept last, in this trace or in the run before; zeros at first."""
    memory = _memory[-1]
    if id(owner) not in memory.names:
        name = f"{owner.name} state"
        while f"{name} 0" in memory.taken:
            name += "'"
        memory.names[id(owner)] = names = [f"{name} {i}" for i in range(len(shapes))]
        memory.taken.update(names)
        memory.before.update({k: Value(s, name=k) for k, s in zip(names, shapes, strict=True)})
        memory.now.update({k: memory.before[k] for k in names})
    return [memory.now[k] for k in memory.names[id(owner)]]


def keep(owner: Any, states: Sequence[Value]) -> None:
    """Keep a layer's states for the next time."""
    _memory[-1].now.update(zip(_memory[-1].names[id(owner)], states, strict=True))


def op(*, shape: Callable[..., Any], arity: int | None = 1, composite: bool = False) -> Callable[..., Any]:
    """Register a numpy function as an op of the same name (a trailing underscore dropped).

    `shape` maps the shapes of the inputs and the attributes to the output's shape. With `composite`, the body is
    written in other ops: a backend that has no kernel of this name runs the body instead.
    """

    def register(reference: Callable[..., Any]) -> Callable[..., Any]:
        name = reference.__name__.rstrip("_")
        if name in OPS:
            raise ValueError(f"op {name!r} is registered twice")
        OPS[name] = Op(name, reference, shape, arity, composite)

        def call(*xs: Any, **attrs: Any) -> Any:
            if not any(isinstance(x, Value) for x in xs):
                return reference(*xs, **attrs)
            node = record(name, tuple(value(x) for x in xs), attrs)
            return node.outs[0] if len(node.outs) == 1 else node.outs

        call.__doc__, call.__name__ = reference.__doc__, name
        return call

    return register


def composite(*, shape: Callable[..., Any], arity: int | None = 1) -> Callable[..., Any]:
    """Register a function over other ops as a composite op."""
    return op(shape=shape, arity=arity, composite=True)


def value(x: Any) -> Value:
    """x as a Value: a Value is itself, numbers, nested lists and arrays become constants."""
    if isinstance(x, Value):
        return x
    if isinstance(x, int | float):
        return Value((), constant=Literal((), (float(x),)))
    shape, flat = _flatten(x.tolist() if hasattr(x, "tolist") else x)
    return Value(shape, constant=Literal(shape, tuple(flat)))


def full(shape: Shape, fill: float) -> Value:
    """A constant that is `fill` everywhere."""
    return Value(shape, constant=Literal(shape, (fill,) * size(shape)))


def _flatten(x: Any) -> tuple[Shape, list[float]]:
    if not isinstance(x, list | tuple):
        return (), [float(x)]
    parts = [_flatten(p) for p in x]
    if len({s for s, _ in parts}) > 1:
        raise ShapeError(f"a constant has rows of unequal shapes {sorted({s for s, _ in parts})}; expected equal ones")
    return (len(parts), *(parts[0][0] if parts else ())), [f for _, flat in parts for f in flat]


def record(name: str, inputs: tuple[Value, ...], attrs: Attrs) -> Node:
    """A new node with its outputs' shapes inferred; a shape error names the layer."""
    epilogue = "epilogue" in attrs
    rule, arity = OPS[name].shape, OPS[name].arity
    own = inputs[:arity] if epilogue and arity is not None else inputs
    try:
        shapes = rule(*[v.shape for v in own], **{k: v for k, v in attrs.items() if k != "epilogue"})
        for s in shapes if isinstance(shapes, list) else [shapes]:
            if size(s) >= MOST:
                raise ShapeError(f"{name} makes {tuple(s)}, {size(s)} numbers; expected fewer than {MOST}")
    except ShapeError as e:
        raise ShapeError(f"{_layer[-1] or name}: {e}") from None
    node = Node(name, inputs, dict(attrs), _layer[-1])
    several = isinstance(shapes, list)
    node.outs = tuple(Value(tuple(int(d) for d in s), node) for s in (shapes if several else [shapes]))
    return node


def _scalar(function: str, *xs: Any) -> Any:
    from webkeras.ops.elementwise import apply

    return apply(function, *xs)


@dataclass(eq=False)
class Graph:
    """Named inputs and outputs; everything between hangs on the outputs. Prints itself.

    `states` are names that stand in both: what goes out of one run under such a name comes in at the next.
    `layers` are the shapes of the Keras layers' outputs, by layer (of its first call, its first tensor).
    """

    inputs: dict[str, Value]
    outputs: dict[str, Value]
    states: tuple[str, ...] = ()
    layers: dict[str, Shape] = field(default_factory=dict)

    @cached_property
    def nodes(self) -> list[Node]:
        """Every node the outputs need, producers first."""
        return topo(self.outputs.values())

    def __str__(self) -> str:
        ids: dict[int, str] = {id(v): k for k, v in self.inputs.items()}
        lines = []
        for node in self.nodes:
            for i, v in enumerate(node.outs):
                ids[id(v)] = f"%{len(ids)}" + (f".{i}" if i else "")
            args = ", ".join(ids.get(id(v)) or f"const{list(v.shape)}" for v in node.inputs)
            attrs = " ".join(f"{k}={_attr(k, v)}" for k, v in node.attrs.items())
            shape = " ".join(str(list(v.shape)) for v in node.outs)
            lines.append(f"{ids[id(node.outs[0])]:>5} = {node.op}({args}) {attrs} -> {shape}   {node.layer}".rstrip())
        outs = ", ".join(f"{k}={ids.get(id(v), 'const')}" for k, v in self.outputs.items())
        return "\n".join([*lines, f"outputs {outs}"])


def _attr(key: str, x: Any) -> str:
    if key.endswith(("expr", "epilogue", "activation")):
        return show(x)
    return f"<{len(x.nodes)} nodes>" if isinstance(x, Graph) else str(x)


def topo(outputs: Iterable[Value]) -> list[Node]:
    """All nodes that `outputs` depend on, producers before consumers; no recursion, models are deep."""
    done: set[int] = set()
    order: list[Node] = []
    stack: list[tuple[Node, bool]] = [(v.node, False) for v in reversed(list(outputs)) if v.node]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            order.append(node)
        else:
            stack.append((node, True))
            stack.extend((v.node, False) for v in reversed(node.inputs) if v.node and id(v.node) not in done)
    return order


def rewrite(graph: Graph, rule: Callable[[Node, tuple[Value, ...]], Sequence[Value] | None]) -> Graph:
    """The graph rebuilt bottom-up: `rule(node, new inputs)` gives new outputs, or None to keep the node as it is."""
    new: dict[int, Value] = {}
    for node in graph.nodes:
        inputs = tuple(new.get(id(v), v) for v in node.inputs)
        outs = rule(node, inputs)
        if outs is None:
            if all(a is b for a, b in zip(inputs, node.inputs, strict=True)):
                continue
            copy = Node(node.op, inputs, node.attrs, node.layer)
            copy.outs = tuple(Value(v.shape, copy) for v in node.outs)
            outs = copy.outs
        new.update({id(a): b for a, b in zip(node.outs, outs, strict=True)})
    return replace(graph, outputs={k: new.get(id(v), v) for k, v in graph.outputs.items()})


def between(given: Mapping[str, Value], wanted: Mapping[str, Value]) -> Graph:
    """What computes the values `wanted` from those `given` (and from constants), as a graph of its own."""
    inputs = {k: Value(v.shape, name=k) for k, v in given.items()}
    new = {id(v): inputs[k] for k, v in given.items()}
    for node in topo(wanted.values()):
        copy = Node(node.op, tuple(new.get(id(v), v) for v in node.inputs), node.attrs, node.layer)
        copy.outs = tuple(Value(v.shape, copy) for v in node.outs)
        for a, b in zip(node.outs, copy.outs, strict=True):
            new.setdefault(id(a), b)
    return Graph(inputs, {k: new.get(id(v), v) for k, v in wanted.items()})


def inside(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """The graph with the body of every scan changed."""
    if not any("body" in node.attrs for node in graph.nodes):
        return graph

    def rule(node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        if "body" not in node.attrs:
            return None
        new = Node(node.op, inputs, {**node.attrs, "body": change(node.attrs["body"])}, node.layer)
        new.outs = tuple(Value(v.shape, new) for v in node.outs)
        return new.outs

    return rewrite(graph, rule)


def compute(node: Node, xs: Sequence[Any]) -> Sequence[Any]:
    """The node's outputs as numpy arrays, from its inputs as arrays: the reference, epilogue included."""
    row, attrs = OPS[node.op], dict(node.attrs)
    epilogue = attrs.pop("epilogue", None)
    own = xs if row.arity is None or epilogue is None else xs[: row.arity]
    y = row.reference(*own, **attrs)
    if epilogue is not None:
        y = evaluate(epilogue, {ACC: y, **dict(enumerate(xs))})
    return y if isinstance(y, tuple) else (y,)


def run(graph: Graph, feed: Mapping[str, Any], done: Callable[[Node], None] = lambda node: None) -> dict[str, Any]:
    """Walk the graph with numpy: feed and result are arrays by input and output name; `done` hears of each node."""
    from webkeras.lazy import np

    arrays: dict[int, Any] = {id(v): np.asarray(feed[k], "float32") for k, v in graph.inputs.items()}

    def get(v: Value) -> Any:
        if id(v) not in arrays and v.constant is not None:
            arrays[id(v)] = v.constant.array()
        return arrays[id(v)]

    nodes = graph.nodes
    last = {id(v): i for i, n in enumerate(nodes) for v in n.inputs} | {
        id(v): len(nodes) for v in graph.outputs.values()
    }
    for i, node in enumerate(nodes):
        for v, y in zip(node.outs, compute(node, [get(v) for v in node.inputs]), strict=True):
            arrays[id(v)] = y
        done(node)
        for v in node.inputs:
            if last[id(v)] == i and v.node:
                arrays.pop(id(v), None)
    return {k: get(v) for k, v in graph.outputs.items()}
