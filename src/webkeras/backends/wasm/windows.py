"""Convolutions, plain, depthwise and transposed, and pooling: nodes whose kernels move a window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from webkeras.backends.wasm.builder import UNSCALED, Builder, copy, panels, row_major
from webkeras.backends.wasm.expression import epilogue
from webkeras.backends.wasm.program import FLOATS, HALVES, Instruction, Part, Store
from webkeras.graph import Node, Value
from webkeras.shapes import Shape, size

ROWS, DEPTH = 128, 256  # MC and KC of csrc/gemm.c: what a thread packs of a
PANEL = 8 * DEPTH  # floats: a panel of 16-bit weights, widened
WINOGRAD_LARGE, WINOGRAD_TILES = (
    128 * 128,
    64,
)  # weights from which, tiles up to which products and transforms are apart
WINOGRAD_SMALL = 64 * 1024  # transformed weights, in floats, up to which they are not worth keeping small
WINOGRAD_SCRATCH = 192 * 1024  # floats: tiles and products of a block stay near the L2 cache


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
        "format": FLOATS,
    }


def conv(b: Builder, node: Node) -> None:
    x, w = node.inputs[:2]
    fields = _window(node, w.shape[:-2], [p[0] for p in node.attrs["pads"]])
    end, chain, extra = epilogue(b, node, 2)
    c, f, groups, taps = fields["c"], fields["f"], fields["groups"], size(w.shape[:-2])
    src, dst = b.store(x), b.store(node.out)
    if groups == c > 1:
        b.emit(
            "DEPTHWISE",
            [src, b.store(w), *extra],
            dst,
            map=chain,
            src=src,
            weights=b.store(w),
            dst=dst,
            **fields,
            **end,
        )
        return
    cg, fg = c // groups, f // groups
    layout = {"taps": taps, "c": cg, "tap_step": cg * f, "c_step": f, "f_step": 1}
    block = _winograd_block(fields, b.source(w)[0])
    if block and not (b.compressed(w) and 36 * c * f > WINOGRAD_SMALL):  # transformed weights are four times the floats
        packed, _ = b.packed(w, "WINOGRAD_PACK", f=f, **layout)
        tiles = _tiles(fields)
        if c * f >= WINOGRAD_LARGE and tiles <= WINOGRAD_TILES:
            _winograd_apart(b, fields, src, packed, dst, tiles, end, chain, extra)
            return
        fields["fn"] = block
        b.emit(
            "WINOGRAD",
            [src, packed, *extra],
            dst,
            scratch=36 * block * (c + f),
            map=chain,
            src=src,
            weights=packed,
            dst=dst,
            **fields,
            **end,
        )
        return
    packed, fields["format"] = b.packed(w, "PACK", count=groups, src_step=fg, factor_step=fg, f=fg, **layout)
    b.emit(
        "CONV",
        [src, packed, *extra],
        dst,
        scratch=ROWS * DEPTH + PANEL,
        map=chain,
        src=src,
        weights=packed,
        dst=dst,
        **fields,
        **end,
    )


def _tiles(w: dict[str, Any]) -> int:
    return int(w["n"] * -(-w["out"][1] // 4) * -(-w["out"][2] // 4))


def _winograd_apart(
    b: Builder,
    fields: dict[str, Any],
    src: Store,
    packed: Store,
    dst: Store,
    tiles: int,
    end: dict[str, Any],
    chain: Instruction | None,
    extra: list[Store],
) -> None:
    """The transforms and the 36 products one by one: large kernels are read once, and threads share every step."""
    c, f = fields["c"], fields["f"]
    v, m = Store(36 * tiles * c), Store(36 * tiles * f)
    bare: dict[str, Any] = {"bias": -1, "residual": -1, "low": -math.inf, "high": math.inf}
    b.emit("WINOGRAD_IN", [src], v, src=src, weights=-1, dst=v, **fields, **bare)
    batch, a_step, b_step = [1, 1, 1, 36], [0, 0, 0, tiles * c], [0, 0, 0, c * f]
    b.emit(
        "GEMM",
        [v, packed],
        m,
        a=v,
        b=packed,
        dst=m,
        m=tiles,
        n=f,
        k=c,
        format=FLOATS,
        batch=batch,
        a_step=a_step,
        b_step=b_step,
        **bare,
    )
    b.emit("WINOGRAD_OUT", [m, *extra], dst, map=chain, src=m, weights=-1, dst=dst, **fields, **end)


def _winograd_block(w: dict[str, Any], kernel: Value) -> int:
    """Tiles that F(4x4, 3x3) takes at a time, or 0 where the plain product is the better or the only way."""
    if not (
        w["kernel"] == [1, 3, 3]
        and w["stride"] == w["dilation"] == [1, 1, 1]
        and w["groups"] == 1
        and kernel.is_constant
    ):
        return 0
    tiles = _tiles(w)
    if w["c"] % 4 or w["f"] % 8 or min(w["c"], w["f"]) < 16 or tiles < 8:
        return 0
    most = max(4, WINOGRAD_SCRATCH // (36 * (w["c"] + w["f"])) // 4 * 4)
    blocks = -(-tiles // most)
    return int(min(most, -(-tiles // blocks // 4) * 4))


def conv_transpose(b: Builder, node: Node) -> None:
    x, w = node.inputs[:2]
    fields = _window(node, w.shape[:-2], [p[0] for p in node.attrs["pads"]])
    fields["fn"] = 1
    end, chain, extra = epilogue(b, node, 2)
    c, f = fields["c"], fields["f"]
    strided = (
        max(fields["stride"]) > 1
        and fields["dilation"] == [1, 1, 1]
        and all(s <= k for s, k in zip(fields["stride"], fields["kernel"], strict=True))
    )
    if strided and b.source(w)[0].is_constant and chain is None and end["residual"] == -1:
        _phases(b, node, fields, end, extra)
        return
    packed, fields["format"] = b.packed(
        w, "PACK", taps=size(w.shape[:-2]), c=c, f=f, tap_step=f * c, c_step=1, f_step=c
    )
    src, dst = b.store(x), b.store(node.out)
    b.emit(
        "CONV",
        [src, packed, *extra],
        dst,
        scratch=ROWS * DEPTH + PANEL,
        map=chain,
        src=src,
        weights=packed,
        dst=dst,
        **fields,
        **end,
    )


def _phases(b: Builder, node: Node, fields: dict[str, Any], end: dict[str, Any], extra: list[Store]) -> None:
    """A strided transposed convolution as one plain convolution for each place between two input elements.

    Output o = s q + r of an axis gets input i = q + (r + p) // s - j through tap t = s j + (r + p) % s, j = 0, 1, ...:
    of the taps every s-th, backwards. No product with the zeros between the inputs is computed.
    """
    c, f, stride = fields["c"], fields["f"], fields["stride"]
    src, dst = b.store(node.inputs[0]), b.store(node.out)
    to = row_major((fields["n"], *fields["out"], f))
    tap_steps = row_major((*fields["kernel"], f, c))[:3]
    for phase in range(size(stride)):
        r = [phase // size(stride[i + 1 :]) % stride[i] for i in range(3)]
        out = [-(-(o - k) // s) for o, k, s in zip(fields["out"], r, stride, strict=True)]
        if min(out) < 1:
            continue
        first = [(k + p) % s for k, p, s in zip(r, fields["before"], stride, strict=True)]
        taps = [-(-(k - t) // s) for k, t, s in zip(fields["kernel"], first, stride, strict=True)]
        before = [n - 1 - (k + p) // s for n, k, p, s in zip(taps, r, fields["before"], stride, strict=True)]
        packed = _phase_kernel(b, node, first, taps, stride, tap_steps, c, f)
        part = Store(fields["n"] * size(out) * f)
        own = {**fields, "fn": 0, "out": out, "kernel": taps, "stride": [1, 1, 1], "before": before}
        own |= {"format": HALVES if b.half else FLOATS, "src": src, "weights": packed, "dst": part}
        b.emit("CONV", [src, packed, *extra], part, scratch=ROWS * DEPTH + PANEL, **own, **end)
        steps = [to[0], *(t * s for t, s in zip(to[1:4], stride, strict=True)), 1]
        at = sum(k * t for k, t in zip(r, to[1:4], strict=True))
        dims = [fields["n"], *out, f]
        copy(b, node, part, Part(dst, at), dims, row_major(tuple(dims)), steps)


def _phase_kernel(
    b: Builder, node: Node, first: list[int], taps: list[int], stride: list[int], tap_steps: list[int], c: int, f: int
) -> Store:
    """Of a constant transposed kernel (taps, f, c) every stride-th tap from `first` on, backwards, packed."""
    w, _ = b.source(node.inputs[1])
    last = [t + s * (n - 1) for t, s, n in zip(first, stride, taps, strict=True)]
    format = HALVES if b.half else FLOATS
    chosen, out = Store(size(taps) * f * c), Store(panels(size(taps) * c, f, format))
    steps = [-s * k for s, k in zip(stride, tap_steps, strict=True)]
    begin = sum(t * k for t, k in zip(last, tap_steps, strict=True))
    layout: dict[str, Any] = {
        "count": 1,
        "src_step": 0,
        "dst_step": 0,
        "taps": size(taps),
        "c": c,
        "f": f,
        "tap_step": f * c,
        "c_step": 1,
        "f_step": c,
        "format": format,
        **UNSCALED,
    }
    with b.into(b.once):
        copy(b, node, Part(b.store(w), begin), chosen, [*taps, f * c], [*steps, 1])
        b.emit("PACK", [chosen], out, src=chosen, dst=out, **layout)
    return out


def pool(b: Builder, node: Node) -> None:
    fields = _window(node, node.attrs["window_"], [p[0] for p in node.attrs["pads"]])
    fields["fn"] = ("max", "mean").index(node.attrs["fn"])
    src, dst = b.store(node.inputs[0]), b.store(node.out)
    b.emit(
        "POOL", [src], dst, src=src, weights=-1, dst=dst, **fields, bias=-1, residual=-1, low=-math.inf, high=math.inf
    )
