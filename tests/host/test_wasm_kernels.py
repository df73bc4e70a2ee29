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

from webkeras import ops
from webkeras.backends.wasm import expression, program, windows
from webkeras.backends.wasm.plan import layout, plan
from webkeras.errors import BackendError
from webkeras.expr import SCALARS
from webkeras.graph import Graph, Value
from webkeras.graph import run as reference

RAGGED = (1, 3, 4, 5, 7, 8, 13, 31)
rng = np.random.default_rng(5)


def array(*shape: int) -> np.ndarray:
    return rng.uniform(-1, 1, shape).astype("float32")


def check(
    build: Callable[..., Any], *shapes: tuple[int, ...], tolerance: float = 1e-5, threads: int = 1, expect: str = ""
) -> None:
    """build(*inputs) computed by the kernels and by numpy; `expect` names an instruction that must be among them."""
    inputs = {f"x{i}": Value(s, name=f"x{i}") for i, s in enumerate(shapes)}
    y = build(*inputs.values())
    graph = Graph(inputs, {f"y{i}": v for i, v in enumerate(y if isinstance(y, tuple) else (y,))})
    feeds = {k: array(*v.shape) for k, v in inputs.items()}
    if expect:
        assert expect in [i.op for i in layout(graph).always]
    want, got = reference(graph, feeds), machine.run(graph, feeds, threads)
    for k, w in want.items():
        np.testing.assert_allclose(
            got[k], w, rtol=tolerance, atol=tolerance * max(1.0, float(np.abs(w[np.isfinite(w)]).max(initial=0)))
        )


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


def rounded(w: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return w.astype("float16").astype("float32")


HALVED: dict[str, tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...]]] = {
    "rows": (lambda x, w: ops.tanh(ops.matmul(x, w)), (3, 13, 7), (7, 13)),
    "one row": (lambda x, w: ops.matmul(x, w), (1, 300), (300, 45)),
    "deep": (lambda x, w: ops.maximum(ops.matmul(x, w), 0.0), (9, 520), (520, 31)),
    "batches": (lambda x, w: ops.matmul(x, w), (2, 3, 5, 4), (3, 4, 9)),
    "window": (lambda x, w: ops.conv(x, w, strides=(1, 2), pads=((1, 1), (0, 2))), (2, 8, 9, 32), (3, 3, 32, 40)),
    "groups": (
        lambda x, w: ops.conv(x, w, strides=(1, 1), pads=((1, 1), (1, 1)), groups=2),
        (1, 5, 6, 6),
        (3, 3, 3, 10),
    ),
    "winograd's": (lambda x, w: ops.conv(x, w, strides=(1, 1), pads=((1, 1), (1, 1))), (1, 14, 14, 16), (3, 3, 16, 16)),
    "between": (
        lambda x, w: ops.conv_transpose(x, w, strides=(2, 2), pads=((0, 1), (0, 1)), output=(8, 10)),
        (1, 4, 5, 3),
        (3, 3, 5, 3),
    ),
    "transposed": (
        lambda x, w: ops.conv_transpose(x, w, strides=(1, 1), pads=((2, 2), (2, 2)), output=(5, 5), dilation=(2, 2)),
        (1, 5, 5, 3),
        (3, 3, 4, 3),
    ),
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", HALVED)
def test_weights_of_sixteen_bits_are_weights_rounded_to_them(name: str, threads: int) -> None:
    build, of_x, of_w = HALVED[name]
    w = array(*of_w) * (10.0 ** rng.uniform(-8, 1, of_w)).astype("float32")  # down to what is zero in 16 bits
    x = Value(of_x, name="x")
    feeds = {"x": array(*of_x)}
    halved, exact = Graph({"x": x}, {"y": build(x, w)}), Graph({"x": x}, {"y": build(x, rounded(w))})
    got, want = machine.run(halved, feeds, threads, half=True)["y"], reference(exact, feeds)["y"]
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6 * np.abs(want).max())
    assert layout(halved, half=True).weights < layout(exact).weights * 0.6 + 64
    assert not {"WINOGRAD", "WINOGRAD_OUT"} & {i.op for i in layout(halved, half=True).always}


def test_every_number_of_sixteen_bits_is_kept_and_others_are_rounded() -> None:
    every = np.arange(65536, dtype="uint16").view("float16")
    every = np.sort(every[np.isfinite(every)].astype("float32"))
    tie, beyond = every[:-1] / 2 + every[1:] / 2, np.array([65519.0, 65520.0, -7e4, 3e38, np.inf, 2.9e-8, 1e-40], "f4")
    x, feeds = Value((1, 1), name="x"), {"x": np.ones((1, 1), "float32")}
    for numbers in (every, tie, every[::7] * np.float32(1.0003), beyond):
        w = numbers.reshape(1, -1)
        got = machine.run(Graph({"x": x}, {"y": ops.matmul(x, w)}), feeds, half=True)["y"]
        np.testing.assert_array_equal(got, rounded(w))


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
    owner |= {"SCAN": "Scan", "MAP": "Map", "REDUCE": "Reduce", "SOFTMAX": "Reduce", "COPY": "Copy", "TAKE": "Take"}
    assert {op: structs[s][2:] for op, s in owner.items()} == program.FIELDS
    assert re.findall(r"enum \{ (END.*?), OPS \}", text)[0].split(", ") == program.OPS
    functions = re.findall(r"enum \{ (ADD.*?) \}", (machine.CSRC / "map.c").read_text())[0].lower().split(", ")
    assert [{"maximum": "max", "minimum": "min"}.get(f, f) for f in functions] == list(SCALARS)
    assert f"TILE = {expression.TILE} " in (machine.CSRC / "map.c").read_text()
    assert f"MC = {windows.ROWS}, KC = {windows.DEPTH} " in (machine.CSRC / "gemm.c").read_text()


def test_a_plan_larger_than_a_memory_is_one_sentence() -> None:
    x = Value((2**10, 2**10, 2**10), name="x")
    with pytest.raises(BackendError, match=r"the model needs 8\.0 GiB .* WebAssembly has 4; use a smaller batch"):
        plan(Graph({"x": x}, {"y": ops.tanh(x)}))


def test_what_has_no_kernel_is_refused_by_name() -> None:
    with pytest.raises(BackendError, match=r"wasm backend takes 6"):
        layout(Graph(i := {"a": Value((2,) * 8), "b": Value((2, 1) * 4)}, {"y": i["a"] + i["b"]}))


TANH, SIGMOID = ("tanh", 0), ("sigmoid", 0)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("n", "t", "u"), [(1, 5, 8), (3, 4, 5), (2, 1, 13)])
def test_recurrent(reverse: bool, n: int, t: int, u: int) -> None:
    """Whole recurrent layers as scans, masked too, and with the kernel computed rather than given."""
    kernels_ = {k: array(u, k * u) for k in (1, 3, 4)}
    bias = array(u)

    def lstm(x: Any, h: Any, c: Any, m: Any) -> Any:
        mask = ops.less(0.0, m)
        args = {"activation": TANH, "recurrent_activation": SIGMOID, "reverse": reverse}
        return (*ops.lstm(x, kernels_[4], h, c, **args), *ops.lstm(x, kernels_[4], h, c, mask, **args, zero=True))

    def gru(x: Any, h: Any, r: Any) -> Any:
        args = {"activation": TANH, "recurrent_activation": SIGMOID, "reverse": reverse}
        after = ops.gru(x, kernels_[3], h, bias, reset_after=True, **args)
        return (*after, *ops.gru(x, r * 0.5, h, reset_after=False, **args))

    check(lstm, (n, t, 4 * u), (n, u), (n, u), (n, t), expect="SCAN")
    check(gru, (n, t, 3 * u), (n, u), (u, 3 * u), expect="SCAN")
    check(
        lambda x, h: ops.simple_rnn(x, kernels_[1], h, activation=TANH, reverse=reverse),
        (n, t, u),
        (n, u),
        expect="SCAN",
    )


def test_scan_whose_states_change_places() -> None:
    def build(x: Any, a: Any, b: Any) -> Any:
        states, ys = ops.scan(lambda s, x: ([s[1], s[0]], [x[0] + s[0], s[1]]), [a, b], [x])
        return (*states, *ys)

    check(build, (2, 5, 3), (2, 3), (2, 3))


def cut(x: Any, *ranges: tuple[int, int]) -> Any:
    """x[begin:end, ...] of the last axes."""
    whole = [(0, n) for n in x.shape[: len(x.shape) - len(ranges)]] + list(ranges)
    return ops.slice_(x, begin=tuple(b for b, _ in whole), end=tuple(e for _, e in whole), step=(1,) * len(whole))


STEPS: dict[str, Callable[..., Any]] = {
    "handed on": lambda s, x: ([ops.tanh(s[0] + x), s[0]], [s[1]]),
    "handed on, in part": lambda s, x: (
        [s[0] * x, ops.concat(cut(s[0], (0, 1)), cut(s[1], (0, 2)), axis=1)],
        [cut(s[0], (1, 3))],
    ),
    "a part of the new": lambda s, x: (
        [n := ops.tanh(s[0] + x), ops.concat(cut(n, (2, 3)), cut(s[1], (1, 3)), axis=1)],
        [n],
    ),
    "read after it is made": lambda s, x: ([n := ops.exp(s[0] * x), n - s[0]], [n + s[1]]),
    "read across": lambda s, x: ([ops.maximum(s[0], s[1]), s[1] * ops.reduce(s[1], fn="max", axes=(1,))], [s[0]]),
    "the same twice": lambda s, x: ([n := s[0] + s[1] * x, n], [n]),
    "spread": lambda s, x: ([s[0] + cut(s[0], (1, 2)) * x, cut(s[1], (0, 1)) + s[1]], [x]),
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("n", [1, 2])
def test_scan_whose_states_are_written_in_place_or_not(name: str, n: int) -> None:
    def build(x: Any, a: Any, b: Any) -> Any:
        states, ys = ops.scan(lambda s, x: STEPS[name](s, x[0]), [a, b], [x])
        return (*states, *ys)

    check(build, (n, 6, 3), (n, 3), (n, 3))


def test_slices_in_one_piece_are_views() -> None:
    def build(x: Any) -> Any:
        row = cut(x, (1, 3), (0, 4), (0, 3))
        return row * 2.0, cut(row, (1, 2), (0, 2), (0, 3)), cut(x, (0, 1), (2, 4), (0, 3))

    check(build, (5, 4, 3))
    x = Value((5, 4, 3), name="x")
    y = ops.tanh(cut(cut(x, (1, 3), (0, 4), (0, 3)), (1, 2), (0, 2), (0, 3)))
    assert [i.op for i in layout(Graph({"x": x}, {"y": y})).always] == ["MAP"]


def test_scan_over_images() -> None:
    w = array(3, 3, 4, 4) / 6

    def build(x: Any, h: Any) -> Any:
        def step(s: Any, x: Any) -> Any:
            y = ops.tanh(x[0] + ops.conv(s[0], w, strides=(1, 1), pads=((1, 1), (1, 1))))
            return [y], [ops.reduce(y, fn="max", axes=(1, 2))]

        states, ys = ops.scan(step, [h], [x])
        return (*states, *ys)

    check(build, (2, 3, 5, 6, 4), (2, 5, 6, 4), threads=2)
