"""A node of the graph -> instructions for the C kernels. Pure: no WebAssembly, no addresses, no numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webkeras.backends.wasm import windows
from webkeras.backends.wasm.builder import Builder, collapse, copy, panels, row_major, strides_of
from webkeras.backends.wasm.expression import Input, epilogue, lower_map, row_epilogue, whole_epilogue
from webkeras.backends.wasm.program import Instruction, Part, Store
from webkeras.graph import Literal, Node, Value
from webkeras.shapes import broadcast, size

EPILOGUES = ("conv", "conv_transpose", "matmul", "normalize")
NATIVE = ("softmax", "normalize")  # composites that have a kernel


def matmul(b: Builder, node: Node) -> None:
    x, w = node.inputs[:2]
    (m, k), n = x.shape[-2:], w.shape[-1]
    end, chain, extra = epilogue(b, node, 2)
    lead = broadcast(x.shape[:-2], w.shape[:-2])
    if w.size == k * n:
        m, lead = size(lead) * m, ()
    packed, format = b.packed(
        w, "PACK", count=w.size // (k * n), src_step=k * n, taps=1, c=k, f=n, tap_step=0, c_step=n, f_step=1
    )
    steps = [strides_of(x.shape[:-2], len(lead), m * k), strides_of(w.shape[:-2], len(lead), panels(k, n, format))]
    batch, (a_step, b_step) = collapse(lead, steps, 4, node)
    src, dst = b.store(x), b.store(node.out)
    b.emit(
        "GEMM",
        [src, packed, *extra],
        dst,
        scratch=windows.PANEL if format else 0,
        map=chain,
        a=src,
        b=packed,
        dst=dst,
        m=m,
        n=n,
        k=k,
        format=format,
        batch=batch,
        a_step=a_step,
        b_step=b_step,
        **end,
    )


QUERIES = 32  # HIGH of csrc/gemm.c: whose scores a thread has at a time


def attention(b: Builder, node: Node) -> None:
    q, k, v, *extra = node.inputs
    (t, c), s, f, n = q.shape[-2:], k.shape[-1], v.shape[-1], size(q.shape[:-2])
    own: dict[str, Any] = {"count": n, "taps": 1, "tap_step": 0, "f_step": 1}
    packed, _ = b.packed(k, "PACK", src_step=c * s, c=c, f=s, c_step=s, **own)
    values, _ = b.packed(v, "PACK", src_step=s * f, c=s, f=f, c_step=f, **own)
    src, dst, chain = b.store(q), b.store(node.out), None
    if node.attrs["expr"] != 0:
        shape = (*q.shape[:-1], s)
        dims, strides = collapse(shape, [row_major(shape), *(strides_of(x.shape, len(shape)) for x in extra)], 6, node)
        inputs: dict[int, Input] = {0: (-1, strides[0], size(shape))}
        inputs |= {i: (b.store(x), strides[i], x.size) for i, x in enumerate(extra, 1)}
        chain = lower_map(node.attrs["expr"], inputs, dst, dims, node.layer)
    scratch = QUERIES * s + (chain.scratch if chain else 0)
    fields: dict[str, Any] = {"q": src, "k": packed, "v": values, "dst": dst, "n": n, "t": t, "s": s, "c": c, "f": f}
    b.emit("ATTENTION", [src, packed, values], dst, scratch=scratch, map=chain, **fields)


def map_(b: Builder, node: Node) -> None:
    out = node.out
    operands = [(b.store(v), strides_of(v.shape, out.ndim), v.size) for v in node.inputs]
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


def rows_of(b: Builder, node: Node, emit: Callable[[Store, Store, int], None]) -> None:
    """`emit(src, dst, r)` on rows of the r elements that the node's axes span, which are brought to the end for it."""
    x, axes = node.inputs[0], node.attrs["axes"]
    perm = [i for i in range(x.ndim) if i not in axes] + list(axes)
    src, dst = b.store(x), b.store(node.out)
    r = size(x.shape[i] for i in axes)
    if perm == list(range(x.ndim)):
        emit(src, dst, r)
        return
    moved, back = Store(x.size), Store(x.size)
    copy(b, node, src, moved, [x.shape[i] for i in perm], [strides_of(x.shape, x.ndim)[i] for i in perm])
    emit(moved, back, r)
    shape = tuple(x.shape[i] for i in perm)
    inverse = [perm.index(i) for i in range(x.ndim)]
    copy(b, node, back, dst, list(x.shape), [strides_of(shape, x.ndim)[i] for i in inverse])


def softmax(b: Builder, node: Node) -> None:
    def emit(src: Store, dst: Store, r: int) -> None:
        b.emit("SOFTMAX", [src], dst, src=src, dst=dst, outer=dst.size // r, r=r, inner=1, fn=0)

    rows_of(b, node, emit)


def normalize(b: Builder, node: Node) -> None:
    last = node.attrs["axes"] == (node.out.ndim - 1,)
    gamma, beta, chain, extra = row_epilogue(b, node) if last else (-1, -1, None, [])

    def emit(src: Store, dst: Store, r: int) -> None:
        own = {"outer": dst.size // r, "r": r, "epsilon": node.attrs["epsilon"], "gamma": gamma, "beta": beta}
        b.emit("NORM", [src, *extra], dst, map=chain, src=src, dst=dst, **own)

    rows_of(b, node, emit)
    if not last and "epilogue" in node.attrs:
        b.emit_map(whole_epilogue(b, node))


def transpose(b: Builder, node: Node) -> None:
    x, perm = node.inputs[0], node.attrs["perm"]
    strides = strides_of(x.shape, x.ndim)
    copy(b, node, b.store(x), b.store(node.out), node.out.shape, [strides[i] for i in perm])


def slice_(b: Builder, node: Node) -> None:
    x, begin, step = node.inputs[0], node.attrs["begin"], node.attrs["step"]
    strides = row_major(x.shape)
    first = [range(n)[s] if s < n else 0 for n, s in zip(x.shape, begin, strict=True)]
    part = Part(b.store(x), sum(i * s for i, s in zip(first, strides, strict=True)))
    steps = [s * k for s, k in zip(strides, step, strict=True)]
    apart = [(n, s, t) for n, s, t in zip(node.out.shape, steps, row_major(node.out.shape), strict=True) if n > 1]
    if node.out.size and all(s == t for _, s, t in apart):  # in one piece: nothing is moved
        b.stores[id(node.out)] = Store(node.out.size, name=node.out.name, inside=part)
    else:
        copy(b, node, part, b.store(node.out), node.out.shape, steps)


def pad(b: Builder, node: Node) -> None:
    x, out = node.inputs[0], node.out
    dst, strides, pads = b.store(out), row_major(out.shape), node.attrs["pads"]
    number = Store(1, Literal((), (float(node.attrs.get("value", 0.0)),)))
    inner = list(out.shape)  # what lies between the borders drawn so far
    corner = 0
    for axis, (before, after) in enumerate(pads):
        for at, n in ((0, before), (inner[axis] - after, after)):
            if n:
                border = [n if i == axis else d for i, d in enumerate(inner)]
                copy(b, node, number, Part(dst, corner + at * strides[axis]), border, [0] * out.ndim, strides)
        inner[axis] -= before + after
        corner += before * strides[axis]
    offset = sum(before * s for (before, _), s in zip(pads, strides, strict=True))
    copy(b, node, b.store(x), Part(dst, offset), x.shape, row_major(x.shape), strides)


def concat(b: Builder, node: Node) -> None:
    axis, dst, strides, at = node.attrs["axis"], b.store(node.out), row_major(node.out.shape), 0
    for v in node.inputs:
        copy(b, node, b.store(v), Part(dst, at * strides[axis]), v.shape, row_major(v.shape), strides)
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
        copy(b, node, b.store(v), state, [v.size], [1])
    with b.inside(dict(zip(inner[n + n_xs :], node.inputs[n + n_xs :], strict=True))) as instructions:

        def slices(v: Value) -> tuple[int, list[int], list[int]]:
            size_ = size(v.shape[2:])
            return size_ if last == 0 else -size_, [v.shape[0], size_], [v.shape[1] * size_, 1]

        for v, x in zip(inner[n : n + n_xs], xs, strict=True):
            step, dims, strides = slices(x)
            copy(b, node, Part(b.store(x), last * dims[1]), b.store(v), dims, strides, moves={"src": step})
        for each in body.nodes:
            b.lower(each)
        b.resume(node)
        for y, stack in zip(outs[n:], node.outs[n:], strict=True):
            step, dims, strides = slices(stack)
            copy(
                b,
                node,
                b.store(y),
                Part(b.store(stack), last * dims[1]),
                dims,
                [dims[1], 1],
                strides,
                moves={"dst": step},
            )
        new = [b.store(v) for v in outs[:n]]
        still = [s.root() for s in new]  # an old value that another state takes over must last to the end
        for i, (s, state) in enumerate(zip(new, states, strict=True)):
            if new.count(s) == 1 and state not in still and _in_place(instructions, s, state):
                s.inside = Part(state, 0)
                for each_ in instructions:
                    each_.settle()
                new[i] = state
            elif s.root() in states and s is not state:  # states that change places: through copies
                new[i] = Store(s.size)
                copy(b, node, s, new[i], [s.size], [1])
        for s, state in zip(new, states, strict=True):
            if s is not state:
                copy(b, node, s, state, [s.size], [1])
    b.emit_scan(node, steps, instructions)
    for state, v in zip(states, node.outs[:n], strict=True):
        copy(b, node, state, b.store(v), [v.size], [1])


def _in_place(body: list[Instruction], new: Store, state: Store) -> bool:
    """Can what makes a state's new value write it over the old one? Not where the old one is still to be read."""
    made = [i for i, each in enumerate(body) if new in each.writes]
    if len(made) != 1 or new is state or new.size != state.size or new.inside:
        return False
    maker, later = body[made[0]], body[made[0] + 1 :]
    if any(state in each.reads for each in later):
        return False
    inputs = [maker.tail[8 * i : 8 * i + 2] for i in range(maker.fields.get("inputs", 0))]  # of a MAP
    aligned = maker.op == "MAP" and all(kind == 0 for s, kind in inputs if isinstance(s, Store) and s.root() is state)
    return state not in maker.reads or aligned


LOWER: dict[str, Callable[[Builder, Node], None]] = {
    "conv": windows.conv,
    "conv_transpose": windows.conv_transpose,
    "pool": windows.pool,
    "matmul": matmul,
    "attention": attention,
    "map": map_,
    "reduce": reduce,
    "softmax": softmax,
    "normalize": normalize,
    "transpose": transpose,
    "slice": slice_,
    "pad": pad,
    "concat": concat,
    "take": take,
    "reshape": reshape,
    "scan": scan,
}
