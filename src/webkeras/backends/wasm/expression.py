"""Scalar expressions for the C kernels: the usual ends of a contraction as numbers, the rest as code for map.c."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from webkeras.backends.wasm.program import Instruction, Store, Word
from webkeras.errors import BackendError
from webkeras.expr import ACC, SCALARS, Expr, slots, walk
from webkeras.graph import Node, Value
from webkeras.shapes import Shape

if TYPE_CHECKING:
    from webkeras.backends.wasm.builder import Builder

TILE = 1024  # elements, as in csrc/map.c
RESULT, INPUTS, LITERALS = 255, 64, 128

Input = tuple[Store | int, list[int], int]  # where (-1: the result itself), strides, elements


def readable(extra: Shape, out: Shape) -> bool:
    """Can an epilogue that writes `out` read this: laid out as the output, a number per channel, or a number?"""
    n = math.prod(extra)
    return n == 1 or extra == out or (extra[-1] == n == out[-1])


def epilogue(b: Builder, node: Node, arity: int) -> tuple[dict[str, Any], Instruction | None, list[Store]]:
    """The fields of an Epilogue, its map where it needs one, and the stores that the fields read."""
    e, out = node.attrs.get("epilogue", ACC), node.out
    extra = {i: v for i, v in enumerate(node.inputs) if i >= arity}
    per_channel = {i for i, v in extra.items() if v.ndim and v.size == v.shape[-1] == out.shape[-1]}
    full = {i for i, v in extra.items() if v.shape == out.shape} - per_channel
    fields: dict[str, Any] = {"bias": -1, "residual": -1, "low": -math.inf, "high": math.inf}
    e, bias = _joined(e, "add", per_channel)
    if bias is not None:
        fields["bias"] = b.store(extra[bias])
    rest, low, high = _limits(e)
    residual = _residual(rest, full)
    if residual is not None or rest == ACC:
        fields |= {"low": low, "high": high, "residual": -1 if residual is None else b.store(extra[residual])}
        e = ACC
    stores = [s for s in (fields["bias"], fields["residual"]) if isinstance(s, Store)]
    return fields, None if e == ACC else _over(b, node, e, extra), stores


def row_epilogue(
    b: Builder, node: Node
) -> tuple[Store | int, Store | int, Instruction | None, list[Store]]:
    """(gamma, beta, the map or None, the stores that are read) of the end of a normalisation over the last axis."""
    e = node.attrs.get("epilogue", ACC)
    extra = {i: v for i, v in enumerate(node.inputs) if i >= 1}
    rows = {i for i, v in extra.items() if v.ndim and v.size == v.shape[-1] == node.out.shape[-1]}
    e, gamma = _joined(e, "mul", rows)
    e, beta = _joined(e, "add", rows)
    stores = [b.store(extra[i]) for i in (gamma, beta) if i is not None]
    at = [-1 if i is None else b.store(extra[i]) for i in (gamma, beta)]
    return at[0], at[1], None if e == ACC else _over(b, node, e, extra), stores


def whole_epilogue(b: Builder, node: Node) -> Instruction:
    """The end of a node that writes its result as it is, as a map over that."""
    return _over(b, node, node.attrs["epilogue"], {i: v for i, v in enumerate(node.inputs) if i >= 1})


def _over(b: Builder, node: Node, e: Expr, extra: dict[int, Value]) -> Instruction:
    """A map over the node's result, in place."""
    out = node.out
    c = out.shape[-1]
    inputs: dict[int, Input] = {ACC: (-1, [0, 0, 0, 0, c, 1], out.size)}
    for i in slots(e) - {ACC}:
        full = extra[i].shape == out.shape and extra[i].size != extra[i].shape[-1]
        inputs[i] = (b.store(extra[i]), _laid(extra[i], c, full), extra[i].size)
    return lower_map(e, inputs, b.store(out), [1, 1, 1, 1, out.size // c, c], node.layer)


def _laid(v: Value, c: int, full: bool) -> list[int]:
    return [0, 0, 0, 0, c, 1] if full else [0, 0, 0, 0, 0, int(v.size > 1)]


def _pair(e: Expr, function: str) -> tuple[Expr, Expr] | None:
    return (e[1], e[2]) if isinstance(e, tuple) and e[0] == function else None


def _joined(e: Expr, function: str, per_channel: set[int]) -> tuple[Expr, int | None]:
    """e with function(ACC, x) replaced by ACC where ACC occurs nowhere else, and x, which has a number per channel."""
    parts = walk(e)
    users = [p for p in parts if isinstance(p, tuple) and ACC in [a for a in p[1:] if isinstance(a, int)]]
    if len(users) == 1 and (pair := _pair(users[0], function)) and pair[0] != pair[1]:
        other = pair[0] if pair[1] == ACC else pair[1]
        if isinstance(other, int) and other in per_channel:
            done: dict[int, Expr] = {}
            for part in parts:
                done[id(part)] = (
                    part
                    if not isinstance(part, tuple)
                    else ACC
                    if part is users[0]
                    else (part[0], *[done[id(a)] for a in part[1:]])
                )
            return done[id(e)], other
    return e, None


def _limits(e: Expr) -> tuple[Expr, float, float]:
    """(x, low, high) where e is min(max(x, low), high), or less of it."""
    low, high = -math.inf, math.inf
    for function in ("min", "max"):
        if pair := _pair(e, function):
            x, limit = pair if isinstance(pair[1], float) else (pair[1], pair[0])
            if isinstance(limit, float) and not isinstance(x, float) and not math.isnan(limit):
                e = x
                low, high = (low, limit) if function == "min" else (limit, high)
    return e, low, high


def _residual(e: Expr, full: set[int]) -> int | None:
    """The slot r where e is ACC + r."""
    pair = _pair(e, "add")
    if pair and ACC in [p for p in pair if isinstance(p, int)]:
        other = pair[0] if pair[1] == ACC else pair[1]
        if isinstance(other, int) and other in full:
            return other
    return None


def lower_map(e: Expr, inputs: dict[int, Input], dst: Store, dims: list[int], layer: str) -> Instruction:
    """A MAP instruction that computes e; registers are given out by last use."""
    e = _spelled(e)
    used = sorted(slots(e))
    parts = walk(e)
    literals = list(dict.fromkeys(p for p in parts if isinstance(p, float)))
    operand: dict[int, int] = {}
    for p in parts:
        if isinstance(p, int):
            operand[id(p)] = INPUTS + used.index(p)
        elif isinstance(p, float):
            operand[id(p)] = LITERALS + next(
                i for i, x in enumerate(literals) if x is p or x == p or (x != x and p != p)
            )
    last = {id(a): i for i, p in enumerate(parts) if isinstance(p, tuple) for a in p[1:]}
    free: list[int] = []
    count, code = 0, 0
    tail: list[Word] = []
    for slot in used:
        store, strides, n = inputs[slot]
        contiguous = [s for s, d in zip(strides, dims, strict=True) if d > 1] == [
            s for s, d in zip(_row_major(dims), dims, strict=True) if d > 1
        ]
        tail.extend([store, 1 if n == 1 and store != -1 else 0 if contiguous else 2, *strides])
    tail.extend(literals)
    names = list(SCALARS)
    for i, p in enumerate(parts):
        if not isinstance(p, tuple):
            continue
        args = [operand[id(a)] for a in p[1:]]
        free.extend(
            r
            for r in dict.fromkeys(
                a for x, a in zip(p[1:], args, strict=True) if isinstance(x, tuple) and last[id(x)] == i
            )
            if r not in free
        )
        if p is e:
            to = RESULT
        elif free:
            to = free.pop()
        else:
            to, count = count, count + 1
        operand[id(p)] = to
        a, b, c = (args * 3)[:3] if len(args) == 1 else (*args, args[0])[:3]
        tail.extend([names.index(p[0]), to, a, b, c])
        code += 1
    if count > INPUTS or len(used) > LITERALS - INPUTS or len(literals) > RESULT - LITERALS:
        raise BackendError(
            f"{layer}: an expression of {len(parts)} parts over {len(used)} inputs is more than wasm takes; "
            "use another backend"
        )
    size = math.prod(dims)
    fields = {
        "dst": dst,
        "size": size,
        "inputs": len(used),
        "literals": len(literals),
        "code": code,
        "registers": count,
        "dims": dims,
    }
    reads = tuple(s for s, _, _ in (inputs[k] for k in used) if isinstance(s, Store))
    scratch = (count + len(used)) * TILE + 4 + 4 * len(literals)
    return Instruction("MAP", fields, reads, (dst,), scratch, layer, tail=tail)


def _row_major(dims: list[int]) -> list[int]:
    return [math.prod(dims[i + 1 :]) for i in range(len(dims))]


def _spelled(e: Expr) -> Expr:
    """e with small whole powers as products, and as a function where it is a bare slot or number."""
    if not isinstance(e, tuple):
        return ("max", e, e)
    done: dict[int, Expr] = {}
    for p in walk(e):
        q: Expr = (p[0], *[done[id(a)] for a in p[1:]]) if isinstance(p, tuple) else p
        if isinstance(q, tuple) and q[0] == "pow" and q[2] in (2.0, 3.0) and isinstance(q[2], float):
            square: Expr = ("mul", q[1], q[1])
            q = square if q[2] == 2.0 else ("mul", square, q[1])
        done[id(p)] = q
    return done[id(e)]
