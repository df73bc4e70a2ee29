"""A node of the graph -> instructions for the C kernels. Pure: no WebAssembly, no addresses, no numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from webkeras.backends.wasm.expression import epilogue, lower_map, readable
from webkeras.backends.wasm.program import Instruction, Operand, Part, Store
from webkeras.errors import BackendError
from webkeras.graph import Literal, Node, Value
from webkeras.shapes import Shape, broadcast, size

__all__ = ["EPILOGUES", "LOWER", "NATIVE", "Builder", "readable"]

EPILOGUES = ("conv", "conv_transpose", "matmul")
NATIVE = ("softmax",)  # composites that have a kernel

ROWS, DEPTH = 128, 256  # MC and KC of csrc/gemm.c: what a thread packs of a
WINOGRAD_SCRATCH = 192 * 1024  # floats: tiles and products of a block stay near the L2 cache


class Builder:
    """Collects instructions: what depends on constants only runs once, before the first prediction."""

    def __init__(self) -> None:
        self.once: list[Instruction] = []
        self.always: list[Instruction] = []
        self.stores: dict[int, Store] = {}  # by id of the Value
        self._packed: dict[Any, Store] = {}
        self._outside: dict[int, tuple[Value, list[Instruction]]] = {}  # of a scan: what a body's input stands for, and where that is made
        self._current = self.always  # what depends on inputs goes here: the program, or the body of a scan
        self._target = self._current
        self._layer = ""

    def lower(self, node: Node) -> None:
        """Emit the node; BackendError, naming its layer, where there is no kernel for it."""
        self._target = self.once if all(v.is_constant for v in node.outs) else self._current
        self._layer = node.layer
        if node.op not in LOWER:
            raise BackendError(f"{node.layer or 'the model'}: the wasm backend has no kernel for {node.op!r}; use another backend")
        LOWER[node.op](self, node)

    def store(self, v: Value) -> Store:
        """Where a value lies."""
        v, _ = self.source(v)
        if id(v) not in self.stores:
            self.stores[id(v)] = Store(v.size, v.constant, v.name)
        return self.stores[id(v)]

    def source(self, v: Value) -> tuple[Value, list[Instruction]]:
        """What a value captured by a scan's body is outside, and the program that makes it; any other value as it is."""
        where = self._current
        while id(v) in self._outside:
            v, where = self._outside[id(v)]
        return v, where

    def emit(self, op: str, reads: Sequence[Operand], writes: Store, *, scratch: int = 0, map: Instruction | None = None, moves: dict[str, int] | None = None, **fields: Any) -> None:
        """Append an instruction. `reads` are for the planner: what must be alive while it runs."""
        stores = tuple(r if isinstance(r, Store) else r.store for r in reads if not isinstance(r, int))
        if map is not None:
            stores, scratch = (*stores, *map.reads), max(scratch, map.scratch)
        self._target.append(Instruction(op, fields, stores, (writes,), scratch, self._layer, map, moves=moves or {}))

    def phase_kernel(
        self, node: Node, w: Value, first: list[int], taps: list[int], stride: list[int], tap_steps: list[int], c: int, f: int
    ) -> Store:
        """Of a constant transposed kernel (taps, f, c) every stride-th tap from `first` on, backwards, packed for a product."""
        w, _ = self.source(w)
        last = [t + s * (n - 1) for t, s, n in zip(first, stride, taps, strict=True)]
        chosen, out = Store(size(taps) * f * c), Store(size(taps) * c * _panels(f))
        target, self._target = self._target, self.once
        steps = [-s * k for s, k in zip(stride, tap_steps, strict=True)]
        begin = sum(t * k for t, k in zip(last, tap_steps, strict=True))
        _copy(self, node, Part(self.store(w), begin), chosen, [*taps, f * c], [*steps, 1])
        layout = {"count": 1, "src_step": 0, "dst_step": 0, "taps": size(taps), "c": c, "f": f, "tap_step": f * c, "c_step": 1, "f_step": c}
        self.emit("PACK", [chosen], out, src=chosen, dst=out, **layout)
        self._target = target
        return out

    def emit_map(self, instruction: Instruction) -> None:
        """Append a MAP made elsewhere."""
        self._target.append(instruction)

    @contextmanager
    def inside(self, captured: dict[Value, Value]) -> Iterator[list[Instruction]]:
        """What is lowered in here goes into the body of a scan, the list that comes with it."""
        outer, body = self._current, []
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
            Instruction("SCAN", {"steps": steps, "moving": moving}, (*reads.values(), *writes), writes, scratch, node.layer, body=body)
        )

    def packed(self, w: Value, op: str, **layout: Any) -> Store:
        """w packed for a product, once where w is constant (however often it is used)."""
        w, where = self.source(w)
        key = (id(w), op, *sorted(layout.items()))
        if key not in self._packed:
            step = layout["taps"] * layout["c"] * _panels(layout["f"])
            layout = {"count": 1, "src_step": 0, "dst_step": layout["c"] * _panels(layout["f"]) if op == "WINOGRAD_PACK" else step, **layout}
            out = Store(36 * layout["dst_step"] if op == "WINOGRAD_PACK" else layout["count"] * step)
            target, self._target = self._target, self.once if w.is_constant else where
            self.emit(op, [self.store(w)], out, src=self.store(w), dst=out, **layout)
            self._target = target
            self._packed[key] = out
        return self._packed[key]


def _panels(f: int) -> int:
    return -(-f // 8) * 8


def _three(values: Sequence[int], fill: int) -> list[int]:
    """One to three spatial numbers as three, the missing ones in front."""
    return [fill] * (3 - len(values)) + list(values)


def _window(node: Node, kernel: Shape, before: Sequence[int]) -> dict[str, Any]:
    x, y, attrs = node.inputs[0].shape, node.out.shape, node.attrs
    return {
        "n": x[0],
        "c": x[-1],
        "f": y[-1],
        "groups": attrs.get("groups", 1),
        "in": _three(x[1:-1], 1),
        "out": _three(y[1:-1], 1),
        "kernel": _three(kernel, 1),
        "stride": _three(attrs["strides"], 1),
        "dilation": _three(attrs.get("dilation") or (1,) * len(kernel), 1),
        "before": _three(before, 0),
        "fn": 0,
    }


def conv(b: Builder, node: Node) -> None:
    x, w = node.inputs[:2]
    fields = _window(node, w.shape[:-2], [p[0] for p in node.attrs["pads"]])
    end, chain, extra = epilogue(b, node, 2)
    c, f, groups, taps = fields["c"], fields["f"], fields["groups"], size(w.shape[:-2])
    src, dst = b.store(x), b.store(node.out)
    if groups == c > 1:
        b.emit("DEPTHWISE", [src, b.store(w), *extra], dst, map=chain, src=src, weights=b.store(w), dst=dst, **fields, **end)
        return
    cg, fg = c // groups, f // groups
    layout = {"taps": taps, "c": cg, "tap_step": cg * f, "c_step": f, "f_step": 1}
    if block := _winograd_block(fields, b.source(w)[0]):
        packed = b.packed(w, "WINOGRAD_PACK", f=f, **layout)
        fields["fn"] = block
        b.emit("WINOGRAD", [src, packed, *extra], dst, scratch=36 * block * (c + f), map=chain, src=src, weights=packed, dst=dst, **fields, **end)
        return
    packed = b.packed(w, "PACK", count=groups, src_step=fg, f=fg, **layout)
    b.emit("CONV", [src, packed, *extra], dst, scratch=ROWS * DEPTH, map=chain, src=src, weights=packed, dst=dst, **fields, **end)


def _winograd_block(w: dict[str, Any], kernel: Value) -> int:
    """Tiles that F(4x4, 3x3) takes at a time, or 0 where the plain product is the better or the only way."""
    if not (w["kernel"] == [1, 3, 3] and w["stride"] == w["dilation"] == [1, 1, 1] and w["groups"] == 1 and kernel.is_constant):
        return 0
    tiles = w["n"] * -(-w["out"][1] // 4) * -(-w["out"][2] // 4)
    if w["c"] % 4 or w["f"] % 8 or min(w["c"], w["f"]) < 16 or tiles < 8:
        return 0
    most = max(4, WINOGRAD_SCRATCH // (36 * (w["c"] + w["f"])) // 4 * 4)
    blocks = -(-tiles // most)
    return min(most, -(-tiles // blocks // 4) * 4)


def conv_transpose(b: Builder, node: Node) -> None:
    x, w = node.inputs[:2]
    fields = _window(node, w.shape[:-2], [p[0] for p in node.attrs["pads"]])
    fields["fn"] = 1
    end, chain, extra = epilogue(b, node, 2)
    c, f = fields["c"], fields["f"]
    strided = max(fields["stride"]) > 1 and fields["dilation"] == [1, 1, 1] and all(s <= k for s, k in zip(fields["stride"], fields["kernel"], strict=True))
    if strided and b.source(w)[0].is_constant and chain is None and end["residual"] == -1:
        _phases(b, node, fields, end, extra)
        return
    packed = b.packed(w, "PACK", taps=size(w.shape[:-2]), c=c, f=f, tap_step=f * c, c_step=1, f_step=c)
    src, dst = b.store(x), b.store(node.out)
    b.emit("CONV", [src, packed, *extra], dst, scratch=ROWS * DEPTH, map=chain, src=src, weights=packed, dst=dst, **fields, **end)


def _phases(b: Builder, node: Node, fields: dict[str, Any], end: dict[str, Any], extra: list[Store]) -> None:
    """A strided transposed convolution as one plain convolution for each place between two input elements.

    Output o = s q + r of an axis gets input i = q + (r + p) // s - j through tap t = s j + (r + p) % s, j = 0, 1, ...: of the
    taps every s-th, backwards. No product with the zeros between the inputs is computed.
    """
    w, c, f, stride = node.inputs[1], fields["c"], fields["f"], fields["stride"]
    src, dst = b.store(node.inputs[0]), b.store(node.out)
    to = _row_major((fields["n"], *fields["out"], f))
    tap_steps = _row_major((*fields["kernel"], f, c))[:3]
    for phase in range(size(stride)):
        r = [phase // size(stride[i + 1 :]) % stride[i] for i in range(3)]
        out = [-(-(o - k) // s) for o, k, s in zip(fields["out"], r, stride, strict=True)]
        if min(out) < 1:
            continue
        first = [(k + p) % s for k, p, s in zip(r, fields["before"], stride, strict=True)]
        taps = [-(-(k - t) // s) for k, t, s in zip(fields["kernel"], first, stride, strict=True)]
        before = [n - 1 - (k + p) // s for n, k, p, s in zip(taps, r, fields["before"], stride, strict=True)]
        packed = b.phase_kernel(node, w, first, taps, stride, tap_steps, c, f)
        part = Store(fields["n"] * size(out) * f)
        own = {**fields, "fn": 0, "out": out, "kernel": taps, "stride": [1, 1, 1], "before": before}
        b.emit("CONV", [src, packed, *extra], part, scratch=ROWS * DEPTH, src=src, weights=packed, dst=part, **own, **end)
        steps = [to[0], *(t * s for t, s in zip(to[1:4], stride, strict=True)), 1]
        at = sum(k * t for k, t in zip(r, to[1:4], strict=True))
        dims = [fields["n"], *out, f]
        _copy(b, node, part, Part(dst, at), dims, _row_major(tuple(dims)), steps)


def pool(b: Builder, node: Node) -> None:
    fields = _window(node, node.attrs["window_"], [p[0] for p in node.attrs["pads"]])
    fields["fn"] = ("max", "mean").index(node.attrs["fn"])
    src, dst = b.store(node.inputs[0]), b.store(node.out)
    b.emit("POOL", [src], dst, src=src, weights=-1, dst=dst, **fields, **NO_EPILOGUE)


NO_EPILOGUE: dict[str, Any] = {"bias": -1, "residual": -1, "low": -math.inf, "high": math.inf}


def matmul(b: Builder, node: Node) -> None:
    x, w = node.inputs[:2]
    (m, k), n = x.shape[-2:], w.shape[-1]
    end, chain, extra = epilogue(b, node, 2)
    lead = broadcast(x.shape[:-2], w.shape[:-2])
    if w.size == k * n:
        m, lead = size(lead) * m, ()
    packed = b.packed(w, "PACK", count=w.size // (k * n), src_step=k * n, taps=1, c=k, f=n, tap_step=0, c_step=n, f_step=1)
    batch, (a_step, b_step) = collapse(lead, [_strides(x.shape[:-2], len(lead), m * k), _strides(w.shape[:-2], len(lead), k * _panels(n))], 4, node)
    src, dst = b.store(x), b.store(node.out)
    b.emit("GEMM", [src, packed, *extra], dst, map=chain, a=src, b=packed, dst=dst, m=m, n=n, k=k, batch=batch, a_step=a_step, b_step=b_step, **end)


def _strides(shape: Shape, ndim: int, unit: int = 1) -> list[int]:
    """Row-major strides in units, 0 where an axis broadcasts, for a shape read as one of ndim axes."""
    out: list[int] = []
    for d in reversed(shape):
        out.insert(0, 0 if d == 1 else unit)
        unit *= d
    return [0] * (ndim - len(out)) + out[len(out) - min(ndim, len(out)) :]


def collapse(dims: Shape, strides: Sequence[Sequence[int]], most: int, node: Node) -> tuple[list[int], list[list[int]]]:
    """Axes of one element dropped, axes that lie one after another in every operand joined, and filled up to `most` in front."""
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
        raise BackendError(f"{node.layer}: {node.op} over {len(out)} separate axes {tuple(out)}; the wasm backend takes {most}")
    fill = most - len(out)
    return [1] * fill + out, [[0] * fill + s for s in steps]


def map_(b: Builder, node: Node) -> None:
    out = node.out
    operands = [(b.store(v), _strides(v.shape, out.ndim), v.size) for v in node.inputs]
    dims, strides = collapse(out.shape, [s for _, s, _ in operands], 6, node)
    inputs = [(store, s, n) for (store, _, n), s in zip(operands, strides, strict=True)]
    b.emit_map(lower_map(node.attrs["expr"], dict(enumerate(inputs)), b.store(out), dims, node.layer))


def reduce(b: Builder, node: Node) -> None:
    x = node.inputs[0]
    fn = ("sum", "max", "min", "prod").index(node.attrs["fn"])
    runs: list[tuple[int, int]] = []  # (first axis, past the last one) of neighbours, all reduced
    for i in node.attrs["axes"]:
        if runs and all(d == 1 for d in x.shape[runs[-1][1] : i]):
            runs[-1] = (runs[-1][0], i + 1)
        else:
            runs.append((i, i + 1))
    shape, src = list(x.shape), b.store(x)
    for at, (i, j) in enumerate(runs):
        outer, r, inner = size(shape[:i]), size(shape[i:j]), size(shape[j:])
        shape[i:j] = [1] * (j - i)
        dst = b.store(node.out) if at == len(runs) - 1 else Store(outer * inner)
        b.emit("REDUCE", [src], dst, src=src, dst=dst, outer=outer, r=r, inner=inner, fn=fn)
        src = dst
    if not runs:
        b.stores[id(node.out)] = src


def softmax(b: Builder, node: Node) -> None:
    x, axes = node.inputs[0], node.attrs["axes"]
    perm = [i for i in range(x.ndim) if i not in axes] + list(axes)
    src, dst = b.store(x), b.store(node.out)
    r = size(x.shape[i] for i in axes)
    there = perm != list(range(x.ndim))
    if there:
        moved, back = Store(x.size), Store(x.size)
        _copy(b, node, src, moved, [x.shape[i] for i in perm], [_strides(x.shape, x.ndim)[i] for i in perm])
        b.emit("SOFTMAX", [moved], back, src=moved, dst=back, outer=x.size // r, r=r, inner=1, fn=0)
        shape = tuple(x.shape[i] for i in perm)
        inverse = [perm.index(i) for i in range(x.ndim)]
        _copy(b, node, back, dst, list(x.shape), [_strides(shape, x.ndim)[i] for i in inverse])
    else:
        b.emit("SOFTMAX", [src], dst, src=src, dst=dst, outer=x.size // r, r=r, inner=1, fn=0)


def _copy(
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
        to = _strides(tuple(dims), len(dims))
    dims, (steps, to) = collapse(tuple(dims), [steps, to], 6, node)
    order = sorted(range(6), key=lambda i: (i == 5, dims[i] > 1 and abs(steps[i]) == 1))  # contiguous reading next to contiguous writing
    dims, steps, to = [dims[i] for i in order], [steps[i] for i in order], [to[i] for i in order]
    target = dst.store if isinstance(dst, Part) else dst
    assert isinstance(target, Store)
    b.emit("COPY", [src], target, src=src, dst=dst, moves=moves, dims=dims, to=to, **{"from": steps})


def transpose(b: Builder, node: Node) -> None:
    x, perm = node.inputs[0], node.attrs["perm"]
    strides = _strides(x.shape, x.ndim)
    _copy(b, node, b.store(x), b.store(node.out), node.out.shape, [strides[i] for i in perm])


def slice_(b: Builder, node: Node) -> None:
    x, begin, step = node.inputs[0], node.attrs["begin"], node.attrs["step"]
    strides = _row_major(x.shape)
    first = [range(n)[s] if s < n else 0 for n, s in zip(x.shape, begin, strict=True)]
    offset = sum(i * s for i, s in zip(first, strides, strict=True))
    _copy(b, node, Part(b.store(x), offset), b.store(node.out), node.out.shape, [s * k for s, k in zip(strides, step, strict=True)])


def _row_major(shape: Shape) -> list[int]:
    return [size(shape[i + 1 :]) for i in range(len(shape))]


def pad(b: Builder, node: Node) -> None:
    x, out = node.inputs[0], node.out
    dst, strides, pads = b.store(out), _row_major(out.shape), node.attrs["pads"]
    number = Store(1, Literal((), (float(node.attrs.get("value", 0.0)),)))
    inner = list(out.shape)  # what lies between the borders drawn so far
    corner = 0
    for axis, (before, after) in enumerate(pads):
        for at, n in ((0, before), (inner[axis] - after, after)):
            if n:
                border = [n if i == axis else d for i, d in enumerate(inner)]
                _copy(b, node, number, Part(dst, corner + at * strides[axis]), border, [0] * out.ndim, strides)
        inner[axis] -= before + after
        corner += before * strides[axis]
    offset = sum(before * s for (before, _), s in zip(pads, strides, strict=True))
    _copy(b, node, b.store(x), Part(dst, offset), x.shape, _row_major(x.shape), strides)


def concat(b: Builder, node: Node) -> None:
    axis, dst, strides, at = node.attrs["axis"], b.store(node.out), _row_major(node.out.shape), 0
    for v in node.inputs:
        _copy(b, node, b.store(v), Part(dst, at * strides[axis]), v.shape, _row_major(v.shape), strides)
        at += v.shape[axis]


def take(b: Builder, node: Node) -> None:
    x, rows = node.inputs
    axis = node.attrs["axis"]
    src, numbers, dst = b.store(x), b.store(rows), b.store(node.out)
    shape = {"outer": size(x.shape[:axis]), "n": x.shape[axis], "inner": size(x.shape[axis + 1 :])}
    b.emit("TAKE", [src, numbers], dst, src=src, rows=numbers, dst=dst, count=rows.size, **shape)


def reshape(b: Builder, node: Node) -> None:
    b.stores[id(node.out)] = b.store(node.inputs[0])


def scan(b: Builder, node: Node) -> None:
    """States are copied in, the body runs on them in place, and they are copied out at the end."""
    body, n, n_xs = node.attrs["body"], node.attrs["n_init"], node.attrs["n_xs"]
    inner, outs = list(body.inputs.values()), list(body.outputs.values())
    init, xs = node.inputs[:n], node.inputs[n : n + n_xs]
    steps, last = xs[0].shape[1], xs[0].shape[1] - 1 if node.attrs["reverse"] else 0
    states = [b.store(v) for v in inner[:n]]
    for v, state in zip(init, states, strict=True):
        _copy(b, node, b.store(v), state, [v.size], [1])
    with b.inside(dict(zip(inner[n + n_xs :], node.inputs[n + n_xs :], strict=True))) as instructions:

        def slices(v: Value) -> tuple[int, list[int], list[int]]:
            size_ = size(v.shape[2:])
            return size_ if last == 0 else -size_, [v.shape[0], size_], [v.shape[1] * size_, 1]

        for v, x in zip(inner[n : n + n_xs], xs, strict=True):
            step, dims, strides = slices(x)
            _copy(b, node, Part(b.store(x), last * dims[1]), b.store(v), dims, strides, moves={"src": step})
        for each in body.nodes():
            b.lower(each)
        b.resume(node)
        for y, stack in zip(outs[n:], node.outs[n:], strict=True):
            step, dims, strides = slices(stack)
            _copy(b, node, b.store(y), Part(b.store(stack), last * dims[1]), dims, [dims[1], 1], strides, moves={"dst": step})
        new = [b.store(v) for v in outs[:n]]
        for i, (s, state) in enumerate(zip(new, states, strict=True)):
            if s in states and s is not state:  # states that change places: through copies
                new[i] = Store(s.size)
                _copy(b, node, s, new[i], [s.size], [1])
        for s, state in zip(new, states, strict=True):
            if s is not state:
                _copy(b, node, s, state, [s.size], [1])
    b.emit_scan(node, steps, instructions)
    for state, v in zip(states, node.outs[:n], strict=True):
        _copy(b, node, state, b.store(v), [v.size], [1])


LOWER: dict[str, Callable[[Builder, Node], None]] = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "pool": pool,
    "matmul": matmul,
    "map": map_,
    "reduce": reduce,
    "softmax": softmax,
    "transpose": transpose,
    "slice": slice_,
    "pad": pad,
    "concat": concat,
    "take": take,
    "reshape": reshape,
    "scan": scan,
}
