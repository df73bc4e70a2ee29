"""The C kernels give what the numpy bodies of the ops give, on ragged sizes, and touch no memory but their operands'.

They are compiled for the host with the address and undefined-behaviour sanitizers; wasm/machine.c confines every
instruction to the tensors it names.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "wasm"))
import machine
from checks import array, check

from webkeras import ops
from webkeras.backends.wasm import expression, kernels, program, windows
from webkeras.backends.wasm.plan import layout, plan
from webkeras.errors import BackendError
from webkeras.expr import SCALARS
from webkeras.graph import Graph, Value
from webkeras.graph import run as reference
from webkeras.passes import attend

RAGGED = (1, 3, 4, 5, 7, 8, 13, 31)


@pytest.mark.parametrize("m", RAGGED)
@pytest.mark.parametrize("n", [*RAGGED, 36, 70])
def test_matmul(m: int, n: int) -> None:
    k = RAGGED[(m + n) % 8]
    w, bias = array(k, n), array(n)
    check(lambda x: ops.maximum(ops.matmul(x, w) + bias, 0.0), (m, k), expect="GEMM")


def test_matmul_of_two_inputs_in_batches() -> None:
    check(ops.matmul, (2, 3, 5, 7), (2, 3, 7, 9))
    check(ops.matmul, (2, 1, 5, 7), (3, 7, 4))
    check(ops.matmul, (4, 5, 7), (7, 13))
    check(lambda a, b: ops.matmul(a, ops.transpose(b, perm=(0, 2, 1))), (3, 5, 4), (3, 6, 4))


def test_matmul_deeper_than_a_block() -> None:
    w = array(700, 19)
    check(lambda x: ops.tanh(ops.matmul(x, w)), (150, 700), tolerance=1e-4)
    check(lambda x: ops.matmul(x, w), (1, 700), tolerance=1e-4)
    w = array(300, 75)
    check(lambda x: ops.matmul(x, w), (1, 300), tolerance=1e-4)


CONVS = [
    # input, kernel, strides, pads, dilation, groups
    ((1, 5, 7, 3), (3, 3, 3, 5), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    ((2, 9, 8, 4), (3, 3, 4, 13), (2, 2), ((0, 1), (0, 1)), (1, 1), 1),
    ((1, 13, 13, 1), (7, 7, 1, 8), (2, 2), ((3, 3), (2, 3)), (1, 1), 1),
    ((1, 5, 5, 31), (1, 1, 31, 7), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    ((3, 6, 5, 8), (1, 1, 8, 9), (2, 2), ((0, 0), (0, 0)), (1, 1), 1),
    ((1, 9, 9, 6), (3, 3, 2, 9), (1, 1), ((1, 1), (1, 1)), (1, 1), 3),
    ((1, 9, 9, 4), (3, 3, 4, 8), (1, 1), ((2, 2), (2, 2)), (2, 2), 1),
    ((1, 3, 4, 2), (3, 5, 2, 3), (1, 1), ((2, 2), (4, 4)), (1, 1), 1),
    ((1, 4, 4, 40), (3, 3, 40, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    ((2, 13, 3), (4, 3, 5), (1,), ((3, 0),), (1,), 1),
    ((2, 13, 3), (2, 3, 5), (1,), ((4, 0),), (4,), 1),
    ((1, 5, 4, 6, 3), (3, 2, 3, 3, 5), (1, 2, 1), ((1, 1), (0, 0), (1, 1)), (1, 1, 1), 1),
    ((1, 3, 3, 8), (5, 5, 8, 8), (1, 1), ((9, 9), (9, 9)), (1, 1), 1),
]


@pytest.mark.parametrize("case", CONVS, ids=str)
def test_conv(case: Any) -> None:
    x, kernel, strides, pads, dilation, groups = case
    w, bias = array(*kernel), array(kernel[-1])

    def build(x: Any) -> Any:
        y = ops.conv(x, w, strides=strides, pads=pads, dilation=dilation, groups=groups)
        return ops.minimum(ops.maximum(y + bias, 0.0), 6.0)

    check(build, x, expect="CONV")


def test_conv_of_two_inputs() -> None:
    check(lambda x, w: ops.conv(x, w, strides=(1, 1), pads=((1, 1), (1, 1))), (1, 5, 7, 3), (3, 3, 3, 5))


@pytest.mark.parametrize("c", [*RAGGED, 20])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (5, 1, 1), (5, 2, 1), (3, 1, 2), (2, 1, 1), (7, 1, 1)]
)
def test_depthwise(c: int, kernel: int, stride: int, dilation: int) -> None:
    if c == 1:
        return
    w, bias, before = array(kernel, kernel, 1, c), array(c), dilation * (kernel - 1) // 2
    for n in (1, 5, 13):
        check(
            lambda x: (
                ops.conv(
                    x, w, strides=(stride, stride), pads=((before, kernel),) * 2, dilation=(dilation,) * 2, groups=c
                )
                + bias
            ),
            (2, n, n + 1, c),
            expect="DEPTHWISE",
        )


def test_depthwise_multiplier_one_axis_and_three() -> None:
    w = array(3, 3, 1, 10)
    check(lambda x: ops.conv(x, w, strides=(1, 1), pads=((1, 1), (1, 1)), groups=5), (1, 6, 7, 5), expect="DEPTHWISE")
    v = array(3, 1, 8)
    check(lambda x: ops.conv(x, v, strides=(1,), pads=((2, 0),), groups=8), (2, 9, 8), expect="DEPTHWISE")
    u = array(2, 3, 3, 1, 4)
    check(
        lambda x: ops.conv(x, u, strides=(1, 2, 1), pads=((1, 0), (1, 1), (1, 1)), groups=4),
        (1, 4, 6, 5, 4),
        expect="DEPTHWISE",
    )


@pytest.mark.parametrize(("h", "w", "c", "f"), [(12, 16, 16, 16), (14, 14, 20, 24), (13, 9, 32, 40), (11, 31, 16, 72)])
@pytest.mark.parametrize("pads", [((1, 1), (1, 1)), ((0, 0), (0, 0)), ((2, 2), (0, 2))])
@pytest.mark.parametrize("apart", [False, True])
def test_winograd(h: int, w: int, c: int, f: int, pads: Any, apart: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "WINOGRAD_LARGE", 0 if apart else 1 << 30)
    kernel, bias, other = array(3, 3, c, f) / 12, array(f), (2, h + sum(pads[0]) - 2, w + sum(pads[1]) - 2, f)
    expect = "WINOGRAD_OUT" if apart else "WINOGRAD"
    check(
        lambda x, r: ops.maximum(ops.conv(x, kernel, strides=(1, 1), pads=pads) + bias + r, 0.0),
        (2, h, w, c),
        other,
        expect=expect,
        threads=2,
    )
    check(lambda x: ops.sigmoid(ops.conv(x, kernel, strides=(1, 1), pads=pads) + bias), (2, h, w, c), expect=expect)


TRANSPOSED = [
    ((1, 4, 5, 3), (3, 3, 5, 3), (2, 2), ((0, 1), (0, 1)), (8, 10), (1, 1)),
    ((2, 3, 3, 4), (4, 4, 9, 4), (2, 2), ((1, 1), (1, 1)), (6, 6), (1, 1)),
    ((1, 3, 4, 2), (2, 2, 3, 2), (3, 3), ((0, 0), (0, 0)), (9, 12), (1, 1)),
    ((1, 5, 5, 3), (3, 3, 4, 3), (1, 1), ((2, 2), (2, 2)), (5, 5), (2, 2)),
    ((2, 5, 3), (3, 4, 3), (2,), ((0, 1),), (10,), (1,)),
    ((1, 3, 4, 2), (5, 4, 9, 2), (3, 2), ((1, 1), (0, 3)), (8, 9), (1, 1)),
    ((1, 2, 3, 2, 3), (2, 3, 4, 5, 3), (2, 1, 3), ((0, 0), (1, 1), (0, 1)), (4, 3, 7), (1, 1, 1)),
    ((1, 3, 3, 2), (2, 5, 3, 2), (3, 2), ((0, 0), (2, 2)), (9, 5), (1, 1)),
]


@pytest.mark.parametrize("case", TRANSPOSED, ids=str)
def test_conv_transpose(case: Any) -> None:
    x, kernel, strides, pads, output, dilation = case
    w, bias = array(*kernel), array(kernel[-2])
    check(lambda x: ops.conv_transpose(x, w, strides=strides, pads=pads, output=output, dilation=dilation) + bias, x)


def test_epilogues() -> None:
    """Bias, residual and limits as numbers; every other end as a map over the output."""
    w, bias, gate = array(1, 1, 5, 12), array(12), array(12)

    def conv(x: Any) -> Any:
        return ops.conv(x, w, strides=(1, 1), pads=((0, 0), (0, 0)))

    x, r = (2, 3, 7, 5), (2, 3, 7, 12)
    ends: list[tuple[Callable[..., Any], int]] = [
        (lambda x, r: ops.maximum(conv(x) + bias + r, 0.0), 0),
        (lambda x, r: r + conv(x), 0),
        (lambda x, r: ops.minimum(ops.maximum(conv(x) + r, -0.5), 0.5), 0),
        (lambda x, r: ops.maximum(0.25, conv(x) + bias), 0),
        (lambda x, r: ops.tanh(conv(x) + bias) * gate + r, 1),
        (lambda x, r: (lambda y: ops.where(ops.less(0.0, y), y, r))(conv(x)), 1),
        (lambda x, r: (lambda y: y * ops.sigmoid(y))(conv(x) + bias), 1),
        (lambda x, r: ops.maximum(conv(x), 0.0) + r, 1),
        (lambda x, r: 2.0 - conv(x), 1),
    ]
    for build, maps in ends:
        check(build, x, r)
        graph = Graph(g := {"x": Value(x), "r": Value(r)}, {"y": build(*g.values())})
        assert sum(i.map is not None for i in layout(graph).always) == maps
    check(lambda x, s: conv(x) * s, x, (1,))


def test_map_broadcasts() -> None:
    check(lambda a, b: a * b, (2, 3, 4, 5), (5,))
    check(lambda a, b: a * b, (2, 3, 4, 5), (2, 1, 1, 5))
    check(lambda a, b: a + b, (2, 3, 1, 5), (1, 4, 1))
    check(lambda a, b, c: (a - b) / (c + 3.0), (3, 1), (1, 7), ())
    check(lambda a, b: ops.maximum(a, b), (31, 1, 33), (31, 2, 1))
    check(lambda a, b: a * b + a, (1, 70, 7, 13), (1, 1, 1, 13))


def test_reduce_pool_softmax() -> None:
    for fn, n in itertools.product(("sum", "max", "min", "prod"), RAGGED):
        check(lambda x, fn=fn: ops.reduce(x, fn=fn, axes=(1,)), (5, n))
        check(lambda x, fn=fn: ops.reduce(x, fn=fn, axes=(1,)), (2, n, 7))
        check(lambda x, fn=fn: ops.reduce(x, fn=fn, axes=(0, 2)), (3, 4, n))
        check(lambda x, fn=fn: ops.reduce(x, fn=fn, axes=(1, 2)), (2, 3, n, 9))
    for fn, c in itertools.product(("max", "mean"), (1, 3, 4, 13)):
        check(lambda x, fn=fn: ops.pool(x, fn=fn, window_=(3, 3), strides=(2, 2), pads=((0, 1), (1, 1))), (2, 8, 7, c))
        check(lambda x, fn=fn: ops.pool(x, fn=fn, window_=(2,), strides=(2,), pads=((0, 0),)), (1, 9, c))
        check(
            lambda x, fn=fn: ops.pool(x, fn=fn, window_=(2, 2, 2), strides=(1, 2, 2), pads=((0, 0),) * 3),
            (1, 3, 4, 5, c),
        )
    for n in RAGGED:
        check(lambda x: ops.softmax(x * 20.0, axes=(1,)), (3, n), expect="SOFTMAX")
    check(lambda x: ops.softmax(x, axes=(1,)), (2, 5, 3), expect="SOFTMAX")
    check(lambda x: ops.softmax(x, axes=(1, 2)), (2, 5, 3), expect="SOFTMAX")
    check(lambda x: ops.log_softmax(x, axes=(1,)), (2, 5))
    check(lambda x: ops.mean(x, axes=(1, 2)), (2, 4, 5, 6))


@pytest.mark.parametrize("n", RAGGED)
def test_normalisation(n: int) -> None:
    """Bare, with gains in the kernel, and with what is left over in a map; axes that have to be moved."""
    gamma, beta, full = array(n), array(n), array(3, 2, n)
    ends: list[tuple[Callable[..., Any], list[str], bool]] = [
        (lambda y: y, ["NORM"], False),
        (lambda y: y * gamma + beta, ["NORM"], False),
        (lambda y: y * gamma, ["NORM"], False),
        (lambda y: beta + y, ["NORM"], False),
        (lambda y: ops.tanh(y * gamma + beta) * full, ["NORM"], True),
        (lambda y: y * 2.0 + y, ["NORM"], True),
    ]
    for end, instructions, chain in ends:

        def build(x: Any, end: Callable[..., Any] = end) -> Any:
            return end(ops.normalize(x * 3.0 + 5.0, axes=(2,), epsilon=1e-3))

        check(build, (3, 2, n), tolerance=1e-5, threads=2)
        at = layout(Graph(g := {"x": Value((3, 2, n))}, {"y": build(g["x"])})).always
        assert [i.op for i in at] == ["MAP", *instructions]
        assert (at[-1].map is not None) == chain
    for axes in ((1,), (1, 2), (0, 2)):
        check(lambda x, axes=axes: ops.normalize(x, axes=axes, epsilon=1e-3) * gamma + 1.0, (3, 5, n), expect="NORM")


def attended(q: Any, k: Any, v: Any, scores: Callable[[Any], Any] = lambda s: s) -> Any:
    return ops.matmul(ops.softmax(scores(ops.matmul(q, k)), axes=(q.ndim - 1,)), v)


@pytest.mark.parametrize("t", [*RAGGED, 70])
@pytest.mark.parametrize("threads", [1, 3])
def test_attention(t: int, threads: int) -> None:
    """Plain, scaled, and masked by what broadcasts or is as large as the scores; keys more than a block is deep."""
    s, c, f = RAGGED[t % 8], RAGGED[(t + 3) % 8], RAGGED[(t + 5) % 8]
    shapes = ((2, 3, t, c), (2, 3, c, s), (2, 3, s, f))
    check(attended, *shapes, expect="ATTENTION", threads=threads)
    check(lambda q, k, v: attended(q, k, v, lambda x: x * 0.3), *shapes, expect="ATTENTION", threads=threads)
    for mask in ((1, s), (2, 1, t, 1), (2, 3, t, s)):

        def masked(q: Any, k: Any, v: Any, m: Any) -> Any:
            return attended(q, k, v, lambda x: ops.where(ops.less(0.0, m), x, -1e9) * 2.0)

        check(masked, *shapes, mask, expect="ATTENTION", threads=threads)
    check(attended, (1, t, 300), (1, 300, 290), (1, 290, f), tolerance=1e-4, expect="ATTENTION", threads=threads)


def test_attention_only_where_nobody_else_reads_between() -> None:
    def ops_of(build: Callable[..., Any]) -> list[str]:
        inputs = {"q": Value((2, 5, 4)), "k": Value((2, 4, 5)), "v": Value((2, 5, 6))}
        y = build(*inputs.values())
        graph = Graph(inputs, {f"y{i}": v for i, v in enumerate(y if isinstance(y, tuple) else (y,))})
        return [n.op for n in attend(graph).nodes]

    def weights(q: Any, k: Any, v: Any) -> Any:
        w = ops.softmax(ops.matmul(q, k), axes=(2,))
        return ops.matmul(w, v), w

    def scores(q: Any, k: Any, v: Any) -> Any:
        s = ops.matmul(q, k)
        return ops.matmul(ops.softmax(s, axes=(2,)), v), s

    assert ops_of(attended) == ["attention"]
    assert ops_of(weights) == ops_of(scores) == ["matmul", "softmax", "matmul"]
    assert "softmax" in ops_of(lambda q, k, v: ops.matmul(ops.softmax(ops.matmul(q, k), axes=(1,)), v))
    assert "softmax" in ops_of(lambda q, k, v: ops.matmul(ops.softmax(ops.matmul(q, k), axes=(2,)), array(5, 6)))


def test_movement() -> None:
    for perm in itertools.permutations(range(4)):
        check(lambda x, perm=perm: ops.transpose(x, perm=perm), (3, 5, 4, 9))
    check(lambda x: ops.transpose(x, perm=(1, 0)), (70, 37))
    check(lambda x: ops.pad(x, pads=((0, 0), (1, 2), (0, 3)), value=2.5), (2, 3, 5))
    check(lambda x: ops.slice_(x, begin=(0, 1), end=(3, 7), step=(1, 2)), (3, 8))
    check(lambda x: ops.slice_(x, begin=(0, 7), end=(3, -1), step=(1, -1)), (3, 8))
    check(lambda x: ops.slice_(x, begin=(2, 6), end=(0, 0), step=(-1, -3)), (3, 8))
    for axis in range(3):
        check(lambda x, y, axis=axis: ops.concat(x, y, x, axis=axis), (2, 3, 5), (2, 3, 5))
    check(lambda x: ops.transpose(ops.reshape(x, shape=(6, 4)), perm=(1, 0)), (2, 3, 4))
    check(lambda x: (ops.reshape(x, shape=(24,)), x), (2, 3, 4))


def test_take_clips() -> None:
    table = array(7, 5)
    graph = Graph(
        i := {"i": Value((2, 3))},
        {"y": ops.take(table, i["i"], axis=0), "z": ops.take(i["i"], np.array([1.0, 5.0]), axis=1)},
    )
    feeds = {"i": np.array([[0, 6, 7], [-1, 2, 1e30]], "float32")}
    got, want = machine.run(graph, feeds), reference(graph, {"i": np.array([[0, 6, 7], [-1, 2, 100]], "float32")})
    np.testing.assert_array_equal(got["y"], want["y"])
    np.testing.assert_array_equal(got["z"], np.array([[6, 7], [2, 1e30]], "float32"))


def test_constants_are_computed_once() -> None:
    w, s = array(3, 3, 4, 8), array(8)
    graph = Graph(
        i := {"x": Value((1, 5, 5, 4))}, {"y": ops.conv(i["x"], w, strides=(1, 1), pads=((0, 0), (0, 0))) * s}
    )
    at = layout(graph)
    assert [i.op for i in at.always] == ["CONV"]
    assert [i.op for i in at.once] == ["COPY", "MAP", "PACK"] or [i.op for i in at.once] == ["MAP", "PACK"]


def test_results_share_memory() -> None:
    graph = Graph(i := {"x": Value((1, 1000))}, {})
    x = i["x"]
    for _ in range(20):
        x = ops.reduce(ops.pad(x, pads=((0, 1), (0, 0))), fn="sum", axes=(0,))
    graph.outputs["y"] = x
    assert layout(graph).floats < 5 * 1008


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_agree(threads: int) -> None:
    w, v, dw, bias = array(3, 3, 8, 40), array(1, 1, 40, 33), array(3, 3, 1, 8), array(40)

    def build(x: Any) -> Any:
        x = ops.tanh(ops.conv(x, dw, strides=(1, 1), pads=((1, 1), (1, 1)), groups=8))
        x = ops.maximum(ops.conv(x, w, strides=(1, 1), pads=((1, 1), (1, 1))) + bias, 0.0)
        y = ops.pool(x, fn="max", window_=(2, 2), strides=(2, 2), pads=((0, 0), (0, 0)))
        y = ops.sigmoid(ops.conv(y, v, strides=(1, 1), pads=((0, 0), (0, 0))))
        z = ops.softmax(ops.reshape(ops.transpose(y, perm=(0, 3, 1, 2)), shape=(33, -(-y.size // 33))), axes=(1,))
        return x, ops.reduce(z, fn="sum", axes=(0,))

    check(build, (2, 18, 20, 8), threads=threads)


def test_c_and_python_agree_on_the_program() -> None:
    """Structs of program.h against FIELDS, enum against OPS, map.c against SCALARS, tile and block sizes."""
    text = re.sub(r"/\*.*?\*/", "", (machine.CSRC / "program.h").read_text(), flags=re.S)
    structs = {}
    for body, name in re.findall(r"typedef struct \{(.*?)\} (\w+);", text, re.S):
        fields = []
        for kind, names in re.findall(r"(\w+) ([^;]+);", body):
            for n in re.split(r",\s*", names.strip()):
                array_ = re.fullmatch(r"(\w+)\[(\d+)\]", n)
                plain = f"{array_[1]}*{array_[2]}" if array_ else n + (":f" if kind == "float" else "")
                fields.extend(structs.get(kind, [plain]))
        structs[name] = fields
    owner = {
        "CONV": "Window",
        "DEPTHWISE": "Window",
        "WINOGRAD": "Window",
        "WINOGRAD_IN": "Window",
        "WINOGRAD_OUT": "Window",
        "POOL": "Window",
        "GEMM": "Gemm",
        "PACK": "Pack",
        "WINOGRAD_PACK": "Pack",
    }
    owner |= {"SCAN": "Scan", "MAP": "Map", "REDUCE": "Reduce", "SOFTMAX": "Reduce", "NORM": "Norm"}
    owner |= {"ATTENTION": "Attention", "COPY": "Copy", "TAKE": "Take"}
    assert {op: structs[s][2:] for op, s in owner.items()} == program.FIELDS
    assert re.findall(r"enum \{ (END.*?), OPS \}", text)[0].split(", ") == program.OPS
    functions = re.findall(r"enum \{ (ADD.*?) \}", (machine.CSRC / "map.c").read_text())[0].lower().split(", ")
    assert [{"maximum": "max", "minimum": "min"}.get(f, f) for f in functions] == list(SCALARS)
    assert f"TILE = {expression.TILE} " in (machine.CSRC / "map.c").read_text()
    text = (machine.CSRC / "gemm.c").read_text()
    assert f"MC = {windows.ROWS}, KC = {windows.DEPTH} " in text
    assert f"HIGH = {kernels.QUERIES} " in text


def test_a_plan_larger_than_a_memory_is_one_sentence() -> None:
    x = Value((2**10, 2**10, 2**10), name="x")
    with pytest.raises(BackendError, match=r"the model needs 8\.0 GiB .* WebAssembly has 4; use a smaller batch"):
        plan(Graph({"x": x}, {"y": ops.tanh(x)}))


def test_what_has_no_kernel_is_refused_by_name() -> None:
    with pytest.raises(BackendError, match=r"wasm backend takes 6"):
        layout(Graph(i := {"a": Value((2,) * 8), "b": Value((2, 1) * 4)}, {"y": i["a"] + i["b"]}))
