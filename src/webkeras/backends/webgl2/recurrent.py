"""Recurrent layers: a draw a step, all gates and states in it, and nothing leaves the GPU between steps.

Two textures hold the states, one after even steps and one after odd steps, every step in a place of its own: a draw may
not read what it writes, and what the layer gives out is then only a matter of reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webkeras import ops
from webkeras.backends.webgl2.layout import Limits, Tile, lanes
from webkeras.expr import Expr, glsl
from webkeras.graph import Graph, Node, Value, topo


@dataclass
class Loop:
    """The steps of one layer, or of two that go side by side, the second one's samples below the first one's: where
    their states lie. A single step writes one texture; a second would be nobody's."""

    planner: Any
    samples: int  # of all layers together
    steps: int
    units: int
    states: int

    def __post_init__(self) -> None:
        n, u, limits = self.samples, self.units, self.planner.limits
        self.height = max(1, min(self.steps, limits.max_size // n))  # steps below each other
        stripes = -(-self.steps // self.height)
        layout = Tile(self.height * n, stripes * self.states, u, self.states)
        self.both = [self.planner.texture(layout, constant=False) for _ in range(min(2, self.steps))]

    def place(self, k: int) -> tuple[int, int]:
        """Column and row of what the k-th step makes."""
        return k // self.height * self.units4, k % self.height * self.samples

    @property
    def units4(self) -> int:
        return -(-self.units // 4)

    def viewport(self, k: int) -> tuple[int, int, int, int]:
        return (*self.place(k), self.units4, self.samples)

    def gates(self, v: Value, rows: int, gates: int) -> int:
        """v (.., gates * u) with a layer a gate, however wide other tensors are."""
        layout = Tile(rows, gates, self.units, lanes(gates, Limits())).within(self.planner.limits)
        return int(self.planner.get(ops.reshape(v, shape=(rows, gates, self.units)), layout))

    def mask(self, mask: Value) -> int:
        return int(self.planner.get(mask, self.planner.rows(mask, 1)))

    def start(self, states: tuple[Value, ...]) -> int:
        """The states before the first step, in layers."""
        parts = [ops.reshape(s, shape=(self.samples, 1, self.units)) for s in states]
        layout = Tile(self.samples, len(parts), self.units, len(parts))
        return int(self.planner.get(parts[0] if len(parts) == 1 else ops.concat(*parts, axis=1), layout))

    def give(self, node: Node, above: int, mask: int | None) -> None:
        """A layer's outputs, those that somebody reads: all steps' first state, then the last step's states."""
        last, outs = self.steps - 1, node.outs
        if id(outs[0]) in self.planner.used:
            ways = (last, -1) if node.attrs.get("reverse") else (0, 1)
            zeros = mask if node.attrs.get("zero") else None
            self._read(node, outs[0], self.planner.tile(outs[0]), *ways, 0, above, zeros)
        for layer, out in enumerate(outs[1:]):
            if id(out) in self.planner.used:
                self._read(node, out, self.planner.rows(out, self.units), last, 0, layer, above, None)

    def _read(
        self, node: Node, out: Value, layout: Tile, first: int, sign: int, layer: int, above: int, mask: int | None
    ) -> None:
        inputs = {"a_": self.both[0], "b_": self.both[-1]} | ({} if mask is None else {"m_": mask})
        params = {"first": first, "sign_": sign, "rows": self.samples, "height": self.height, "layer": layer}
        params |= {"above": above, "steps": self.steps, "out_w": layout.w, "out_c4": layout.c4}
        defines: dict[str, str | int] = {} if mask is None else {"ZERO_MASKED": 1}
        self.planner.emit("sequence.glsl", node, out, layout, inputs, params, defines)


def twin(planner: Any, node: Node) -> Node | None:
    """Another layer that can go through its steps beside this one: as large, of the same functions, and independent.

    None for a node of a loop's body: what reads the loop's results does not show that it waits for it.
    """
    if not any(n is node for n in planner.nodes):
        return None

    def kind(n: Node) -> Any:
        return n.op, [v.shape for v in n.inputs], {k: v for k, v in n.attrs.items() if k not in ("reverse", "zero")}

    def independent(n: Node, of: Node) -> bool:
        return not any(m is of for m in topo(n.inputs))

    return next(
        (
            n
            for n in planner.nodes
            if n.op == node.op and n is not node and id(n) not in planner.lowered and kind(n) == kind(node)
            if not n.outs[0].is_constant and independent(n, node) and independent(node, n)
        ),
        None,
    )


def stacked(values: list[Value]) -> Value:
    """Values of one shape, rows below rows."""
    return values[0] if len(values) == 1 else ops.concat(*values, axis=0)


def recurrent(planner: Any, node: Node) -> None:
    """simple_rnn, lstm and gru. The two directions of a layer take one draw a step."""
    other = twin(planner, node)
    nodes = [node, other] if other else [node]
    planner.lowered.update(id(n) for n in nodes)
    a = {"reset_after": False, **node.attrs}
    after = a["reset_after"]
    gates, states = {"simple_rnn": (1, 1), "lstm": (4, 2), "gru": (3, 1)}[node.op]
    (each, steps, _), u = node.inputs[0].shape, node.inputs[1].shape[0]
    x, w, *rest = (stacked([*values]) for values in zip(*(n.inputs for n in nodes), strict=True))
    mask = rest[states + after] if len(rest) > states + after else None
    n, backwards = each * len(nodes), [bool(layer.attrs.get("reverse")) for layer in nodes]
    loop = Loop(planner, n, steps, u, states)
    common = {"x_": loop.gates(x, n * steps, gates), "w_": loop.gates(w, u * len(nodes), gates)}
    if mask is not None:
        common["m_"] = loop.mask(mask)
    bias = {"b_": planner.get(rest[states], planner.rows(rest[states], u))} if after else {}
    body: dict[str, str | int] = {"ACTIVATION": _body(a["activation"]), "GATES": gates, "EACH_GATE": f"EACH_{gates}"}
    body |= {"RECURRENT": _body(a.get("recurrent_activation", 0))} | ({"TAIL": u % 4} if u % 4 else {})
    masked: dict[str, str | int] = {} if mask is None else {"MASK": 1}
    between = -1 if node.op != "gru" or after else planner.texture(Tile(n, 2, u, 2), constant=False)
    label = f"{node.op} {node.layer}".strip()
    before, came = loop.start(tuple(rest[:states])), (0, 0)
    for k in range(steps):
        out, t = loop.both[k % 2], [steps - 1 - k if back else k for back in (backwards[0], backwards[-1])]
        params: dict[str, Any] = {"t": t, "steps": steps, "units": loop.units4, "from": came, "to": loop.place(k)}
        params |= {"each": each, "w_rows": u}
        inputs, here = {"s_": before, **common, **bias}, [(out, i) for i in range(states)]
        kind: dict[str, str | int] = {{"simple_rnn": "SIMPLE", "lstm": "LSTM", "gru": "GRU"}[node.op]: 1}
        if between >= 0:
            first, two = {**inputs}, {"RESET": 1, "GATES": 2, "EACH_GATE": "EACH_2"}
            first.pop("m_", None)
            whole = [(between, 0), (between, 1)]
            area = (0, 0, loop.units4, n)
            planner.step("recurrent.glsl", whole, area, first, {**params, "to": (0, 0)}, {**body, **two}, label)
            inputs, kind = {**inputs, "g_": between}, {"CANDIDATE": 1}
        planner.step("recurrent.glsl", here, loop.viewport(k), inputs, params, {**body, **kind, **masked}, label)
        before, came = out, loop.place(k)
    for i, layer in enumerate(nodes):
        loop.give(layer, i * each, common.get("m_"))


def _body(e: Expr) -> str:
    """The body of a GLSL function of v."""
    return glsl(e, {0: "v"})


def scan(planner: Any, node: Node) -> None:
    """Any other loop: its body once for every step."""
    a, body = node.attrs, node.attrs["body"]
    states = list(node.inputs[: a["n_init"]])
    xs = node.inputs[a["n_init"] : a["n_init"] + a["n_xs"]]
    captured, steps = node.inputs[a["n_init"] + a["n_xs"] :], xs[0].shape[1]
    rows: list[list[Value]] = []
    for t in reversed(range(steps)) if a["reverse"] else range(steps):
        outs = _copied(planner, body, [*states, *(_at(x, t) for x in xs), *captured])
        states = outs[: len(states)]
        rows.append(outs[len(states) :])
    columns = list(zip(*(reversed(rows) if a["reverse"] else rows), strict=True))
    stacked = [
        ops.concat(*(ops.reshape(y, shape=(y.shape[0], 1, *y.shape[1:])) for y in column), axis=1) for column in columns
    ]
    for out, y in zip(node.outs, [*states, *stacked], strict=True):
        for n in topo([y]):
            planner.lower(n)
        planner.values.append(out)
        planner.same[id(out)] = y


def _at(x: Value, t: int) -> Value:
    """x (n, t, ...) at one step."""
    begin, end = (0, t) + (0,) * (x.ndim - 2), (x.shape[0], t + 1, *x.shape[2:])
    row = ops.slice_(x, begin=begin, end=end, step=(1,) * x.ndim)
    at: Value = ops.reshape(row, shape=(x.shape[0], *x.shape[2:]))
    return at


def _copied(planner: Any, body: Graph, inputs: list[Value]) -> list[Value]:
    """The outputs of a body fed with these values."""
    new = {id(v): x for v, x in zip(body.inputs.values(), inputs, strict=True)}
    for node in body.nodes:
        copy = Node(node.op, tuple(new.get(id(v), v) for v in node.inputs), node.attrs, node.layer)
        copy.outs = tuple(Value(v.shape, copy) for v in node.outs)
        planner.used.update(id(v) for v in copy.outs)
        new.update({id(v): c for v, c in zip(node.outs, copy.outs, strict=True)})
    return [new.get(id(v), v) for v in body.outputs.values()]
