"""What lowering a node needs: where values lie, instructions in order, strides, and copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from webkeras.backends.wasm.expression import lower_map
from webkeras.backends.wasm.program import BYTES, FLOATS, HALVES, Instruction, Operand, Part, Store
from webkeras.errors import BackendError
from webkeras.expr import Expr, slots
from webkeras.graph import Node, Value
from webkeras.shapes import Shape, size
from webkeras.weights import Tensor

UNSCALED = {"factor": -1, "factor_step": 0, "scale": 1.0, "min": 0.0}  # what only bytes have


class Builder:
    """Collects instructions: what depends on constants only runs once, before the first prediction."""

    def __init__(self, table: Mapping[str, Callable[[Builder, Node], None]], half: bool = False) -> None:
        """`table` says how a node of an op is lowered; with `half`, factors of products stay bytes or 16-bit floats."""
        self.half = half
        self.table = table
        self.once: list[Instruction] = []
        self.always: list[Instruction] = []
        self.stores: dict[int, Store] = {}  # by id of the Value
        self._packed: dict[Any, Store] = {}
        self._outside: dict[
            int, tuple[Value, list[Instruction]]
        ] = {}  # of a scan: what a body's input stands for, and where that is made
        self._current = self.always  # what depends on inputs goes here: the program, or the body of a scan
        self._target = self._current
        self._layer = ""

    def lower(self, node: Node) -> None:
        """Emit the node; BackendError, naming its layer, where there is no kernel for it."""
        self._target = self.once if all(v.is_constant for v in node.outs) else self._current
        self._layer = node.layer
        if node.op not in self.table:
            raise BackendError(
                f"{node.layer or 'the model'}: the wasm backend has no kernel for {node.op!r}; use another backend"
            )
        self.table[node.op](self, node)

    def store(self, v: Value) -> Store:
        """Where a value lies."""
        v, _ = self.source(v)
        if id(v) not in self.stores:
            self.stores[id(v)] = Store(v.size, v.constant, v.name)
        return self.stores[id(v)]

    def source(self, v: Value) -> tuple[Value, list[Instruction]]:
        """What a value captured by a scan's body is outside, and the program that makes it; any other as it is."""
        where = self._current
        while id(v) in self._outside:
            v, where = self._outside[id(v)]
        return v, where

    def emit(
        self,
        op: str,
        reads: Sequence[Operand],
        writes: Store,
        *,
        scratch: int = 0,
        map: Instruction | None = None,
        moves: dict[str, int] | None = None,
        **fields: Any,
    ) -> None:
        """Append an instruction. `reads` are for the planner: what must be alive while it runs."""
        stores = tuple(r if isinstance(r, Store) else r.store for r in reads if not isinstance(r, int))
        if map is not None:
            stores, scratch = (*stores, *map.reads), max(scratch, map.scratch)
        self._target.append(Instruction(op, fields, stores, (writes,), scratch, self._layer, map, moves=moves or {}))

    def emit_map(self, instruction: Instruction) -> None:
        """Append a MAP made elsewhere."""
        self._target.append(instruction)

    @contextmanager
    def into(self, target: list[Instruction]) -> Iterator[None]:
        """What is emitted in here goes into this program."""
        target, self._target = self._target, target
        yield
        self._target = target

    @contextmanager
    def inside(self, captured: dict[Value, Value]) -> Iterator[list[Instruction]]:
        """What is lowered in here goes into the body of a scan, the list that comes with it."""
        outer = self._current
        body: list[Instruction] = []
        for v, source in captured.items():
            self._outside[id(v)] = (source, outer)
        self._current = self._target = body
        yield body
        self._current = self._target = outer

    def resume(self, node: Node) -> None:
        """What follows belongs to this node again."""
        self._target, self._layer = self._current, node.layer

    def emit_scan(self, node: Node, steps: int, body: list[Instruction]) -> None:
        """Append a SCAN; all that its body touches lives as long as it runs."""
        touched = {id(s): s for i in body for s in i.writes}
        reads = {id(s): s for i in body for s in i.reads if id(s) not in touched}
        moving, scratch = sum(len(i.moves) for i in body), max((i.scratch for i in body), default=0)
        writes = tuple(touched.values())
        self._target.append(
            Instruction(
                "SCAN",
                {"steps": steps, "moving": moving},
                (*reads.values(), *writes),
                writes,
                scratch,
                node.layer,
                body=body,
            )
        )

    def packed(self, w: Value, op: str, **layout: Any) -> tuple[Store, int]:
        """w packed for a product, once where w is constant (however often it is used), and the format it is kept in."""
        w, where = self.source(w)
        format = FLOATS if op == "WINOGRAD_PACK" else self._format(w)
        key = (id(w), op, *sorted(layout.items()))
        if key not in self._packed:
            fields = {"count": 1, "src_step": 0, **UNSCALED, "format": format, **layout}
            step = panels(fields["taps"] * fields["c"], fields["f"], format)
            fields["dst_step"] = panels(fields["c"], fields["f"], format) if op == "WINOGRAD_PACK" else step
            out = Store(36 * fields["dst_step"] if op == "WINOGRAD_PACK" else fields["count"] * step)
            with self.into(self.once if w.is_constant else where):
                src, extra = self.store(w), []
                if format == BYTES:
                    c, factor = self._bytes(w)
                    src = Store(-(-c.size // 4), c.constant, c.name, raw=True)
                    assert isinstance(c.constant, Tensor)
                    fields |= {"scale": c.constant.scale, "min": c.constant.min}
                    if factor is not None:
                        fields["factor"], extra = factor, [factor]
                self.emit(op, [src, *extra], out, src=src, dst=out, **fields)
            self._packed[key] = out
        return self._packed[key], format

    def compressed(self, w: Value) -> bool:
        """Is w, a factor of products, kept in fewer than 32 bits?"""
        return self.half and self.source(w)[0].is_constant

    def _format(self, w: Value) -> int:
        return FLOATS if not self.compressed(w) else BYTES if quantised(w) else HALVES

    def _bytes(self, w: Value) -> tuple[Value, Store | None]:
        """The constant that `quantised` found, and where what it is multiplied by lies, a number a column."""
        found = quantised(w)
        assert found is not None
        c, rest = found
        if rest is None:
            return c, None
        assert w.node is not None
        n = max(w.node.inputs[i].size for i in slots(rest))
        at = Store(n)
        factors = {i: w.node.inputs[i] for i in slots(rest)}
        inputs = {i: (self.store(v), [0] * 5 + [int(v.size > 1)], v.size) for i, v in factors.items()}
        self.emit_map(lower_map(rest, dict(inputs), at, [1] * 5 + [n], self._layer))
        return c, at


def quantised(w: Value) -> tuple[Value, Expr | None] | None:
    """(a constant that the file holds as bytes, an expression of w's node or None), where w is their product.

    The expression has a number for every column of w: what batch normalisation multiplies a kernel by.
    """

    def stored(v: Value) -> bool:
        return isinstance(v.constant, Tensor) and v.constant.type == "uint8"

    if stored(w):
        return w, None
    e = w.node.attrs["expr"] if w.node and w.node.op == "map" else None
    if isinstance(e, tuple) and e[0] == "mul" and w.node:
        for slot, rest in ((e[1], e[2]), (e[2], e[1])):
            columns = [w.node.inputs[i] for i in slots(rest)]
            if not isinstance(slot, int) or not stored(w.node.inputs[slot]) or w.node.inputs[slot].shape != w.shape:
                continue
            numbers = all(v.size == 1 or v.shape[-1] == v.size == w.shape[-1] for v in columns)
            if numbers and max((v.size for v in columns), default=0) == w.shape[-1]:
                return w.node.inputs[slot], rest
    return None


def panels(k: int, f: int, format: int = FLOATS) -> int:
    """Floats that k rows by f columns take, packed: every eight columns with a head of 16 where they are no floats."""
    return -(-f // 8) * ((16 if format else 0) + k * 8 // (1, 2, 4)[format])


def row_major(shape: Shape) -> list[int]:
    return [size(shape[i + 1 :]) for i in range(len(shape))]


def strides_of(shape: Shape, ndim: int, unit: int = 1) -> list[int]:
    """Row-major strides in units, 0 where an axis broadcasts, for a shape read as one of ndim axes."""
    out: list[int] = []
    for d in reversed(shape):
        out.insert(0, 0 if d == 1 else unit)
        unit *= d
    return [0] * (ndim - len(out)) + out[len(out) - min(ndim, len(out)) :]


def collapse(dims: Shape, strides: Sequence[Sequence[int]], most: int, node: Node) -> tuple[list[int], list[list[int]]]:
    """Axes of one element dropped, axes contiguous in every operand joined, and filled up to `most` in front."""
    out: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for i, d in enumerate(dims):
        if d == 1:
            continue
        if out and all(kept[-1] == s[i] * d for kept, s in zip(steps, strides, strict=True)):
            out[-1] *= d
            for kept, s in zip(steps, strides, strict=True):
                kept[-1] = s[i]
        else:
            out.append(d)
            for kept, s in zip(steps, strides, strict=True):
                kept.append(s[i])
    if len(out) > most:
        raise BackendError(
            f"{node.layer}: {node.op} over {len(out)} separate axes {tuple(out)}; the wasm backend takes {most}"
        )
    fill = most - len(out)
    return [1] * fill + out, [[0] * fill + s for s in steps]


def copy(
    b: Builder,
    node: Node,
    src: Operand,
    dst: Operand,
    dims: Sequence[int],
    steps: Sequence[int],
    to: Sequence[int] | None = None,
    moves: dict[str, int] | None = None,
) -> None:
    """Copy dims elements; steps are strides in src, `to` those in dst (row-major of dims if not given)."""
    if to is None:
        to = strides_of(tuple(dims), len(dims))
    dims, (steps, to) = collapse(tuple(dims), [steps, to], 6, node)
    # the axis contiguous in src next to the last, which is contiguous in dst: transposed in registers
    order = sorted(range(6), key=lambda i: (i == 5, dims[i] > 1 and abs(steps[i]) == 1))
    dims, steps, to = [dims[i] for i in order], [steps[i] for i in order], [to[i] for i in order]
    target = dst.store if isinstance(dst, Part) else dst
    assert isinstance(target, Store)
    b.emit("COPY", [src], target, src=src, dst=dst, moves=moves, dims=dims, x_step=steps, y_step=to)
