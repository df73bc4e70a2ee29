"""The one table of op cases: every backend against the numpy meaning, every pass against none.

A row is a name, a function of ops, the shapes of its inputs and which of those are constants (weights). Shapes are
chosen to hit the edges of texels (4 channels), tiles (8 pixels) and SIMD lanes: 1, 3, 4, 5, 7, 8, 9, 13.

To add a case: add a row to `cases()`. To add an op: add rows until its edges are covered; nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from webkeras import ops
from webkeras.expr import SCALARS
from webkeras.graph import Graph, Literal, Value
from webkeras.layers.activation import ACTIVATIONS


class Case(NamedTuple):
    name: str
    build: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    constants: tuple[int, ...] = ()

    def arrays(self) -> list[np.ndarray]:
        """The inputs, the same on every machine."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return [rng.uniform(-2, 2, s).astype("float32") for s in self.shapes]

    def graph(self) -> Graph:
        """The case traced: constants are literals, the rest are inputs x0, x1, ..."""
        values = [
            Value(a.shape, constant=Literal(a.shape, tuple(a.ravel().tolist())) if i in self.constants else None)
            for i, a in enumerate(self.arrays())
        ]
        inputs = {f"x{i}": v for i, v in enumerate(values) if i not in self.constants}
        y = self.build(*values)
        outs = y if isinstance(y, list | tuple) else [y]
        return Graph(inputs, {f"y{i}": v for i, v in enumerate(outs)})

    def feed(self) -> dict[str, np.ndarray]:
        """The arrays of the graph's inputs."""
        return {f"x{i}": a for i, a in enumerate(self.arrays()) if i not in self.constants}


# Relative to the largest magnitude of the result. float32 sums of thousands of terms differ by their order; GPU
# transcendental functions are allowed some ulps by the GLSL specification, and exp of large numbers multiplies them.
TOLERANCE = {"reference": 1e-6, "webgl2": 2e-5, "wasm": 1e-5}

ONE, ZERO = (1, 1), ((0, 0), (0, 0))


def conv(**attrs: Any) -> Callable[..., Any]:
    return lambda x, w: ops.conv(x, w, **({"strides": ONE, "pads": ZERO} | attrs))


def same(kh: int, kw: int) -> tuple[tuple[int, int], ...]:
    return (((kh - 1) // 2, kh // 2), ((kw - 1) // 2, kw // 2))


def elementwise() -> Iterator[Case]:
    positive = {"log": 0.5, "sqrt": 0.0, "rsqrt": 0.5, "log1p": 0.0}
    for name, row in SCALARS.items():

        def one(*xs: Any, name: str = name) -> Any:
            if name in positive:
                xs = (ops.add(ops.absolute(xs[0]), positive[name]),)
            if name == "pow":
                xs = (ops.add(ops.absolute(xs[0]), 0.1), xs[1])
            if name in ("floor", "round"):
                xs = (ops.multiply(xs[0], 3.0),)
            if name == "eq":
                xs = (ops.round_(xs[0]), ops.round_(xs[1]))
            return ops.map_(*xs, expr=(name, *range(len(xs))))

        yield Case(f"map {name}", one, ((2, 5, 9, 7),) * row.arity)
    for name, function in ACTIVATIONS.items():
        yield Case(f"activation {name}", function, ((2, 3, 9, 6 if name == "glu" else 5),))
    for exponent in (0.0, 1.0, 2.0, 3.0, -1.0):
        yield Case(f"map pow {exponent:g} of negatives", lambda x, e=exponent: ops.power(x, e), ((3, 7),))
    broadcast = [
        ((2, 3, 9, 5), (5,)),
        ((2, 3, 9, 5), (1,)),
        ((2, 3, 9, 5), ()),
        ((2, 3, 9, 5), (2, 1, 1, 5)),
        ((2, 3, 9, 5), (2, 3, 9, 1)),
        ((2, 3, 9, 5), (1, 3, 1, 5)),
        ((2, 3, 9, 5), (9, 1)),
        ((2, 3, 9, 5), (3, 1, 1)),
        ((2, 3, 9, 5), (9, 5)),
        ((2, 1, 9, 1), (3, 1, 5)),
        ((4, 5), (4, 1)),
        ((3, 1), (1, 6)),
        ((2, 3, 4, 2, 5), (2, 1, 4, 1, 1)),
        ((13,), (13,)),
        ((1,), (9,)),
    ]
    for a, b in broadcast:
        yield Case(f"add {a} {b}", ops.add, (a, b))
        yield Case(f"add constant {a} {b}", ops.add, (a, b), (1,))


def convolutions() -> Iterator[Case]:
    for c, f in ((1, 1), (3, 4), (4, 3), (5, 8), (13, 7)):
        for n, h, w in ((1, 5, 5), (2, 4, 9), (1, 3, 17), (1, 8, 1)):
            yield Case(f"conv 1x1 {(n, h, w, c)} {f}", conv(), ((n, h, w, c), (1, 1, c, f)), (1,))
            yield Case(f"conv 3x3 same {(n, h, w, c)} {f}", conv(pads=same(3, 3)), ((n, h, w, c), (3, 3, c, f)), (1,))
    for kh, kw, h, w in ((2, 2, 7, 9), (3, 3, 3, 3), (5, 5, 9, 13), (1, 7, 4, 16), (7, 1, 9, 4), (3, 9, 5, 20)):
        shapes = ((1, h, w, 5), (kh, kw, 5, 6))
        yield Case(f"conv valid {kh}x{kw} on {h}x{w}", conv(), shapes, (1,))
        yield Case(f"conv same {kh}x{kw} on {h}x{w}", conv(pads=same(kh, kw)), shapes, (1,))
    window = ((2, 9, 13, 5), (3, 3, 5, 8))
    yield Case("conv stride 2", conv(strides=(2, 2)), window, (1,))
    yield Case("conv stride 2 same", conv(strides=(2, 2), pads=((0, 1), (0, 1))), window, (1,))
    yield Case("conv stride (3, 1)", conv(strides=(3, 1), pads=((1, 1), (1, 1))), window, (1,))
    yield Case("conv 1x1 stride 2", conv(strides=(2, 2)), ((1, 7, 9, 5), (1, 1, 5, 3)), (1,))
    wider = conv(strides=(2, 2), pads=((0, 0), (1, 2)))
    yield Case("conv 1x1 stride 2 padded", wider, ((1, 7, 15, 5), (1, 1, 5, 3)), (1,))
    for c in (1, 2, 3):  # many pixels of few channels
        yield Case(f"conv 7x7 same of {c} channels", conv(pads=same(7, 7)), ((1, 32, 32, c), (7, 7, c, 16)), (1,))
    yield Case("conv 7x7 stride 2", conv(strides=(2, 2), pads=((3, 3), (3, 3))), ((1, 17, 19, 3), (7, 7, 3, 9)), (1,))
    yield Case("conv dilation 2", conv(dilation=(2, 2), pads=((2, 2), (2, 2))), window, (1,))
    yield Case("conv uneven pads", conv(pads=((0, 2), (3, 1))), window, (1,))
    yield Case("conv with kernel from the graph", conv(pads=same(3, 3)), window)
    for groups, c, f in ((2, 8, 16), (3, 6, 9), (4, 4, 8), (5, 5, 5), (7, 7, 21)):
        shapes = ((1, 5, 9, c), (3, 3, c // groups, f))
        yield Case(f"conv groups {groups} {c}->{f}", conv(pads=same(3, 3), groups=groups), shapes, (1,))
        yield Case(f"conv groups {groups} {c}->{f} stride 2", conv(strides=(2, 2), groups=groups), shapes, (1,))
    yield Case("depthwise 1x1 stride 2", conv(strides=(2, 2), groups=5), ((1, 7, 17, 5), (1, 1, 1, 5)), (1,))
    yield Case("depthwise 5x5", conv(pads=same(5, 5), groups=13), ((1, 7, 9, 13), (5, 5, 1, 13)), (1,))
    yield Case("conv 1d", conv(strides=(1,), pads=((1, 1),)), ((2, 13, 5), (3, 5, 7)), (1,))
    yield Case("conv 1d stride 2", conv(strides=(2,), pads=((2, 0),)), ((2, 13, 5), (3, 5, 7)), (1,))
    cube = {"strides": (1, 1, 1), "pads": ((1, 1), (1, 1), (1, 1))}
    yield Case("conv 3d", conv(**cube), ((2, 3, 4, 9, 3), (3, 3, 3, 3, 5)), (1,))
    yield Case("conv 3d stride 2", conv(**cube | {"strides": (2, 2, 2)}), ((1, 5, 4, 9, 3), (3, 3, 3, 3, 5)), (1,))

    def transposed(strides: tuple[int, ...], out: tuple[int, ...], lo: tuple[int, ...], **attrs: Any) -> Any:
        pads = tuple((p, 0) for p in lo)
        return lambda x, w: ops.conv_transpose(x, w, strides=strides, pads=pads, output=out, **attrs)

    yield Case("conv_transpose", transposed((1, 1), (7, 11), (0, 0)), ((1, 5, 9, 3), (3, 3, 6, 3)), (1,))
    yield Case("conv_transpose stride 2", transposed((2, 2), (10, 18), (0, 0)), ((2, 5, 9, 3), (3, 3, 6, 3)), (1,))
    yield Case("conv_transpose cropped", transposed((2, 3), (9, 20), (1, 2)), ((1, 5, 7, 5), (4, 5, 3, 5)), (1,))
    dilated = transposed((1, 1), (9, 13), (0, 0), dilation=(2, 2))
    yield Case("conv_transpose dilated", dilated, ((1, 5, 9, 4), (3, 3, 4, 4)), (1,))
    yield Case("conv_transpose 1d", transposed((2,), (19,), (0,)), ((1, 9, 4), (3, 5, 4)), (1,))
    three = transposed((2, 2, 2), (5, 5, 7), (0, 0, 0))
    yield Case("conv_transpose 3d", three, ((1, 2, 2, 3, 4), (3, 3, 3, 2, 4)), (1,))


def contractions() -> Iterator[Case]:
    for m, k, n in ((1, 1, 1), (1, 13, 7), (3, 4, 5), (8, 8, 8), (9, 31, 13), (17, 5, 4), (1, 531, 7)):
        yield Case(f"matmul {m} {k} {n} constant", ops.matmul, ((m, k), (k, n)), (1,))
        yield Case(f"matmul {m} {k} {n}", ops.matmul, ((m, k), (k, n)))
    rows = ((3, 4, 5), (3, 5, 6)), ((2, 3, 9, 5), (2, 3, 5, 7)), ((3, 4, 5), (1, 5, 6)), ((3, 1, 150), (3, 150, 6))
    for a, b in rows:
        yield Case(f"matmul {a} by {b}", ops.matmul, (a, b))
    yield Case("matmul batch of one", ops.matmul, ((2, 3, 9, 5), (5, 7)), (1,))
    for equation, a, b in (
        ("abc,cd->abd", (2, 9, 5), (5, 7)),
        ("abc,bcd->abd", (3, 4, 5), (4, 5, 6)),
        ("abcd,cde->abe", (2, 3, 4, 5), (4, 5, 7)),
        ("...x,xy->...y", (2, 3, 5), (5, 6)), ("abc,bd->adc", (2, 3, 5), (3, 4)),
        ("ab,ac->abc", (3, 5), (3, 7)), ("abc,dc->ad", (2, 3, 5), (4, 5)),
    ):
        yield Case(f"einsum {equation}", lambda x, y, e=equation: ops.einsum(e, x, y), (a, b))
    images = (1, (5, 7, 36), 1260), (1, (3, 19, 8), 456), (1, (90, 12), 1080), (2, (4, 3, 24), 288), (1, (9, 8, 5), 360)
    for n, image, k in images:
        flat = lambda x, w, s=(n, 1, k): ops.matmul(ops.reshape(ops.tanh(x), shape=s), w)  # noqa: E731
        yield Case(f"matmul of {n} flattened {image}", flat, ((n, *image), (k, 10)), (1,))


def reductions() -> Iterator[Case]:
    for fn in ("sum", "max", "min", "prod"):
        for shape, axes in (
            ((2, 3, 9, 5), (1, 2)),
            ((2, 3, 9, 5), (3,)),
            ((2, 3, 9, 5), (2,)),
            ((2, 3, 9, 5), (1, 2, 3)),
            ((2, 3, 9, 5), (1,)),
            ((2, 3, 9, 5), (0,)),
            ((2, 3, 9, 5), (1, 3)),
            ((3, 13), (1,)),
            ((3, 13), (0,)),
            ((7,), (0,)),
            ((2, 3, 2, 4, 5), (1, 3)),
        ):
            yield Case(f"reduce {fn} {shape} {axes}", lambda x, f=fn, a=axes: ops.reduce(x, fn=f, axes=a), (shape,))
    for fn in ("max", "mean"):
        for window, strides, pads, shape in (
            ((2, 2), (2, 2), ZERO, (2, 6, 10, 5)),
            ((3, 3), (2, 2), ((0, 1), (1, 1)), (1, 7, 9, 13)),
            ((3, 2), (1, 1), ZERO, (1, 5, 17, 3)),
            ((3,), (2,), ((1, 1),), (2, 13, 5)),
            ((2, 2, 2), (2, 2, 2), ((0, 0),) * 3, (1, 4, 4, 9, 3)),
        ):
            pooled = partial(ops.pool, fn=fn, window_=window, strides=strides, pads=pads)
            yield Case(f"pool {fn} {window} {strides} {pads} {shape}", pooled, (shape,))
    for floor, value in ((0.0, 0.0), (-1.0, 0.0), (0.0, 0.5)):

        def padded(x: Any, floor: float = floor, value: float = value) -> Any:
            x = ops.pad(ops.maximum(x, floor), pads=((0, 0), (1, 1), (1, 2), (0, 0)), value=value)
            return ops.pool(x, fn="max", window_=(3, 3), strides=(2, 2), pads=ZERO)

        yield Case(f"pool of what is at least {floor} with {value} around", padded, ((1, 7, 9, 13),))
    for axes, shape in (((3,), (2, 3, 9, 5)), ((1,), (3, 13)), ((1,), (2, 7, 4)), ((1, 2), (2, 3, 5, 4)), ((0,), (9,))):
        yield Case(f"softmax {axes} {shape}", lambda x, a=axes: ops.softmax(x, axes=a), (shape,))
        yield Case(f"log_softmax {axes} {shape}", lambda x, a=axes: ops.log_softmax(x, axes=a), (shape,))
        normalized = partial(ops.normalize, axes=axes, epsilon=1e-3)
        yield Case(f"normalize {axes} {shape}", normalized, (shape,))
        large = Case(f"softmax of large {axes} {shape}", lambda x, a=axes: ops.softmax(x * 100.0, axes=a), (shape,))
        yield large
    for lead, t, c, s, f in (((2, 3), 5, 4, 7, 9), ((1,), 1, 3, 1, 1), ((2,), 35, 8, 13, 8)):
        three = ((*lead, t, c), (*lead, c, s), (*lead, s, f))
        yield Case(f"attention {lead} {t} {c} {s} {f}", lambda q, k, v: ops.attention(q, k, v), three)
        masked = ("select", ("lt", 0.0, 1), ("mul", 0, 0.5), -1e9)

        def attended(q: Any, k: Any, v: Any, m: Any, expr: Any = masked) -> Any:
            return ops.attention(q, k, v, m, expr=expr)

        yield Case(f"attention, masked, {lead} {t} {c} {s} {f}", attended, (*three, (1, s)))


def movements() -> Iterator[Case]:
    for a, b in (
        ((2, 3, 4, 5), (6, 20)),
        ((2, 12), (2, 3, 4)),
        ((1, 4, 4, 8), (1, 128)),
        ((1, 1, 1, 9), (1, 9)),
        ((5, 4), (2, 10)),
        ((7,), (1, 7)),
    ):
        yield Case(f"reshape {a} {b}", lambda x, b=b: ops.reshape(x, shape=b) * 2.0, (a,))
    for a, b in (((2, 3, 8, 13), (2, 312)), ((2, 8, 4, 3), (2, 4, 8, 3)), ((108,), (1, 9, 12, 1))):
        yield Case(f"reshape alone {a} {b}", lambda x, b=b: ops.reshape(x, shape=b), (a,))
    for perm in ((0, 3, 1, 2), (0, 2, 3, 1), (3, 2, 1, 0), (1, 0, 2, 3)):
        yield Case(f"transpose {perm}", lambda x, p=perm: ops.transpose(x, perm=p), ((2, 3, 9, 5),))
    yield Case("transpose matrix", lambda x: ops.transpose(x, perm=(1, 0)), ((9, 13),))
    yield Case("pad", lambda x: ops.pad(x, pads=((0, 0), (1, 2), (3, 0), (0, 0)), value=1.5), ((2, 3, 9, 5),))
    yield Case("pad channels", lambda x: ops.pad(x, pads=((0, 1), (0, 0), (0, 0), (2, 1))), ((2, 3, 9, 5),))
    cuts = [
        ((0, 1, 2, 0), (2, 3, 9, 5), (1, 1, 1, 1)),
        ((0, 2, 8, 4), (2, -1, -1, -1), (1, -1, -2, -1)),
        ((1, 0, 0, 1), (2, 3, 9, 4), (1, 2, 3, 2)),
    ]
    for begin, end, step in cuts:
        cut = partial(ops.slice_, begin=begin, end=end, step=step)
        yield Case(f"slice {begin} {end} {step}", cut, ((2, 3, 9, 5),))
    for axis, shapes in (
        (3, ((2, 3, 9, 5), (2, 3, 9, 4), (2, 3, 9, 1))),
        (3, ((1, 4, 9, 8), (1, 4, 9, 4))),
        (2, ((2, 3, 9, 5), (2, 3, 4, 5))),
        (0, ((2, 5), (3, 5))),
    ):
        yield Case(f"concat {axis} {shapes}", lambda *xs, a=axis: ops.concat(*xs, axis=a), shapes)
    yield Case("concat of 20", lambda *xs: ops.concat(*xs, axis=1), ((2, 3),) * 20)

    def rows(x: Any, i: Any, axis: int = 0) -> Any:
        return ops.take(x, ops.floor(ops.multiply(ops.absolute(i), 4.0)), axis=axis)

    for mode in ("nearest", "linear"):
        for shape, size in (
            ((2, 5, 3), (7,)),
            ((2, 5, 3), (3,)),
            ((1, 3, 4, 5), (6, 12)),
            ((2, 5, 7, 4), (3, 9)),
            ((1, 4, 3, 2, 3), (2, 6, 5)),
        ):
            yield Case(
                f"resize {mode} {shape} {size}", lambda x, m=mode, s=size: ops.resize(x, size=s, mode=m), (shape,)
            )
    yield Case("take rows", rows, ((9, 5), (2, 7)), (0,))
    yield Case("take rows, clipped", rows, ((4, 8), (9,)), (0,))
    yield Case("take axis 1", lambda x, i: rows(x, i, 1), ((3, 9, 5), (4,)))


def fusions() -> Iterator[Case]:
    def block(x: Any, w: Any, b: Any, s: Any, v: Any) -> Any:
        y = ops.conv(x, w, strides=ONE, pads=same(3, 3))
        y = ops.maximum((y + b) * s + b, 0.0)
        y = ops.conv(y, v, strides=ONE, pads=ZERO) * s
        return ops.maximum(y + x, 0.0)

    def stages(x: Any, w: Any, b: Any, v: Any, t: Any) -> Any:
        def halved(x: Any, strides: tuple[int, int]) -> Any:
            y = ops.maximum(ops.conv(x, w, strides=ONE, pads=ZERO) + b, 0.0)
            x = ops.maximum(ops.conv(y, v, strides=ONE, pads=ZERO) * t + x, 0.0)
            return ops.conv(x, v, strides=strides, pads=ZERO) * b + ops.conv(x, w, strides=strides, pads=ZERO)

        return [y := halved(halved(x, (2, 2)), (1, 3)), ops.concat(y, ops.tanh(y), axis=3)]

    c = 6
    yield Case("a residual block", block, ((1, 8, 9, c), (3, 3, c, c), (c,), (c,), (1, 1, c, c)), (1, 2, 3, 4))
    bounds = {"bounded": lambda y: ops.minimum(1.5, ops.maximum(-0.5, y))}
    bounds["bounded by infinity"] = lambda y: ops.minimum(ops.maximum(y, 0.5), float("inf"))
    for how, bound in bounds.items():
        within = lambda x, w, bound=bound: bound(ops.conv(x, w, strides=ONE, pads=ZERO))  # noqa: E731
        yield Case(f"a convolution {how}", within, ((1, 4, 9, 5), (1, 1, 5, 6)), (1,))
    yield Case(
        "a padded convolution",
        lambda x, w: ops.conv(ops.pad(x, pads=((0, 0), (1, 1), (0, 2), (0, 0))), w, strides=(2, 2), pads=ZERO),
        ((1, 7, 9, 5), (3, 3, 5, 4)),
        (1,),
    )
    for h, w, pads in ((3, 3, ((1, 1), (0, 2))), (1, 7, ((0, 0), (3, 2))), (7, 1, ((3, 3), (0, 0)))):
        yield Case(
            f"a {h}x{w} convolution large enough for Winograd",
            lambda x, w, b, p=pads: ops.maximum(ops.conv(x, w, strides=ONE, pads=p) + b, 0.0),
            ((2, 22, 29, 24), (h, w, 24, 78), (78,)),
            (1, 2),
        )
    yield Case("stages of a ResNet", stages, ((2, 7, 10, c), (1, 1, c, c), (c,), (1, 1, c, c), (c,)), (1, 2, 3))
    yield Case("a long reduction, then more", lambda x: ops.mean(x, axes=(1, 2)) * 2.0 + 1.0, ((2, 23, 31, 5),))
    yield Case("a long maximum of everything", lambda x: ops.reduce(x, fn="max", axes=(0, 1, 2, 3)), ((1, 20, 30, 5),))
    yield Case("a softmax of many", lambda x: ops.softmax(x, axes=(2,)), ((4, 10, 641),))
    yield Case("a log_softmax of many", lambda x: ops.log_softmax(x, axes=(2,)), ((4, 10, 641),))
    yield Case(
        "resize, then relu", lambda x: ops.maximum(ops.resize(x, size=(6, 9), mode="linear"), 0.5), ((2, 3, 4, 5),)
    )
    yield Case("one value, two users", lambda x: (lambda y: ops.tanh(y) + ops.exp(y) * x)(ops.sigmoid(x)), ((2, 9, 5),))
    gate = lambda x, w: x * ops.sigmoid(ops.conv(ops.mean(x, axes=(1, 2)), w, strides=ONE, pads=ZERO))  # noqa: E731
    yield Case("squeeze and excite", gate, ((2, 5, 9, 6), (1, 1, 6, 6)), (1,))
    dense = lambda x, w, b, s: ops.tanh((ops.matmul(x, w) + b) * s)  # noqa: E731
    yield Case("a dense layer scaled", dense, ((3, 5), (5, 7), (7,), (7,)), (1, 2, 3))
    yield Case(
        "a transposed convolution scaled",
        lambda x, w, s: ops.conv_transpose(x, w, strides=(2, 2), pads=ZERO, output=(7, 11)) * s,
        ((1, 3, 5, 4), (3, 3, 6, 4), (6,)),
        (1, 2),
    )
    yield Case("two outputs, one feeding the other", lambda x: [(y := ops.exp(x)), y + x], ((2, 9),))
    yield Case("output that is the input", lambda x: [x, x * 2.0], ((3, 5),))
    yield Case("output that is constant", lambda x, w: [x + 1.0, w * 2.0], ((3, 5), (4,)), (1,))
    yield Case("mean of everything", lambda x: ops.mean(x, axes=(0, 1)), ((3, 5),))


def recurrence() -> Iterator[Case]:
    tanh, sigmoid = ("tanh", 0), ("sigmoid", 0)
    two = {"activation": tanh, "recurrent_activation": sigmoid}
    cells = {
        "simple_rnn": (ops.simple_rnn, 1, 1, 0, {"activation": tanh}),
        "lstm": (ops.lstm, 4, 2, 0, two),
        "lstm of sigmoids": (ops.lstm, 4, 2, 0, {**two, "activation": sigmoid}),  # whose padding is not 0 by itself
        "gru": (ops.gru, 3, 1, 1, {**two, "reset_after": True}),
        "gru that resets before": (ops.gru, 3, 1, 0, {**two, "reset_after": False}),
    }
    for name, (op, gates, states, biases, attrs) in cells.items():
        for n, t, u in ((1, 5, 8), (2, 9, 3), (3, 1, 1)):
            shapes = ((n, t, gates * u), (u, gates * u), *[(n, u)] * states, *[(u,)] * biases)
            for options in ({}, {"reverse": True}):

                def plain(*xs: Any, op: Any = op, attrs: Any = attrs, options: Any = options) -> Any:
                    return list(op(*xs, **attrs, **options))

                def masked(*xs: Any, op: Any = op, attrs: Any = attrs, options: Any = options) -> Any:
                    mask = ops.where(ops.less(xs[-1], 0.5), 1.0, 0.0)
                    return list(op(*xs[:-1], mask, **attrs, **options, zero="reverse" in options))

                row = f"{name} {n} {t} {u} {' '.join(options)}".strip()
                yield Case(row, plain, shapes, tuple(range(1, len(shapes))))
                yield Case(f"{row} masked", masked, (*shapes, (n, t)), (1,))
        shapes = ((1, 4, gates * 5), (5, gates * 5), *[(1, 5)] * states, *[(5,)] * biases)
        last = lambda *xs, op=op, attrs=attrs: op(*xs, **attrs)[1]  # noqa: E731
        yield Case(f"{name}, the last state alone", last, shapes, (1,))

    def counted(x: Any) -> Any:
        step = lambda s, xs: ([s[0] + xs[0], s[1] * 0.5], [s[0] * s[1]])  # noqa: E731
        (a, b), (y,) = ops.scan(step, [x * 0.0, x + 1.0], [ops.reshape(ops.concat(x, x, x, axis=1), shape=(2, 3, 7))])
        return [a, b, y]

    yield Case("scan", counted, ((2, 7),))


def cases() -> list[Case]:
    """Every row."""
    tables = (elementwise, convolutions, contractions, reductions, movements, fusions, recurrence)
    rows = [case for table in tables for case in table()]
    assert len({c.name for c in rows}) == len(rows), "two cases of one name"
    return rows


def error(got: Any, want: Any) -> float:
    """The largest difference, relative to the largest magnitude wanted (at least 1); NaN equals NaN."""
    got, want = np.asarray(got, "float64").ravel(), np.asarray(want, "float64").ravel()
    if got.shape != want.shape or (np.isfinite(got) != np.isfinite(want)).any():
        return float("inf")
    finite = np.isfinite(want)
    if not finite.any():
        return 0.0
    return float(np.abs(got - want)[finite].max() / max(1.0, np.abs(want[finite]).max()))
