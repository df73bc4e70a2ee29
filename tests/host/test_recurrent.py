"""scan and the recurrent composites mean the same computed at once, recorded, expanded and fused."""

import numpy as np
import pytest

from webkeras import ops
from webkeras.errors import ShapeError
from webkeras.graph import Graph, Value, run
from webkeras.passes import expand, fold, fuse

SIGMOID, TANH = ("sigmoid", 0), ("tanh", 0)
N, T, U = 2, 5, 3
GATES = {"activation": TANH, "recurrent_activation": SIGMOID}
CELLS = {
    "simple_rnn": ("simple_rnn", 1, [(N, U)], {"activation": TANH}),
    "lstm": ("lstm", 4, [(N, U), (N, U)], GATES),
    "gru_before": ("gru", 3, [(N, U)], {**GATES, "reset_after": False}),
    "gru_after": ("gru", 3, [(N, U), (U,)], {**GATES, "reset_after": True}),
}


def arrays(cell, masked):
    rng = np.random.default_rng(1)
    _, gates, rest, _ = CELLS[cell]
    xs = [rng.normal(size=s).astype("float32") for s in [(N, T, gates * U), (U, gates * U), *rest]]
    return [*xs, np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0]], "float32")] if masked else xs


def traced(function, xs):
    values = [Value(x.shape) for x in xs]
    ys = function(*values)
    names = [f"x{i}" for i in range(len(xs))]
    graph = Graph(dict(zip(names, values, strict=True)), {f"y{i}": y for i, y in enumerate(ys)})
    return graph, dict(zip(names, xs, strict=True))


@pytest.mark.parametrize("options", [{}, {"reverse": True}, {"zero": True}], ids=["forward", "reverse", "zero"])
@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
@pytest.mark.parametrize("cell", CELLS)
def test_passes_keep_meaning(cell, masked, options):
    name, _, _, attrs = CELLS[cell]
    xs = arrays(cell, masked)
    wanted = getattr(ops, name)(*xs, **attrs, **options)
    graph, feed = traced(lambda *v: getattr(ops, name)(*v, **attrs, **options), xs)
    assert [n.op for n in graph.nodes] == [name]
    for change in (lambda g: g, expand, lambda g: fuse(fold(expand(g)), {"matmul"})):
        for want, got in zip(wanted, run(change(graph), feed).values(), strict=True):
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)


def test_passes_go_into_bodies():
    graph, _ = traced(lambda *v: ops.lstm(*v, **GATES), arrays("lstm", False))
    (scan,) = fuse(fold(expand(graph)), {"matmul"}).nodes
    assert [n.op for n in scan.attrs["body"].nodes] == ["matmul", *["slice"] * 4, "map", "map"]


def test_native_composites_stay():
    graph, _ = traced(lambda *v: ops.lstm(*v, **GATES), arrays("lstm", False))
    assert [n.op for n in expand(graph, {"lstm"}).nodes] == ["lstm"]


def test_a_mask_of_zeros_holds_the_states():
    xs = arrays("lstm", True)
    ys, h, _ = ops.lstm(*xs, **GATES)
    np.testing.assert_array_equal(ys[0, 3], ys[0, 2])
    np.testing.assert_array_equal(ys[0, 0], xs[2][0])
    np.testing.assert_array_equal(h[1], ys[1, 1])
    zeros = ops.lstm(*xs, **GATES, zero=True)[0]
    np.testing.assert_array_equal(zeros, np.where(xs[4][..., None] != 0, ys, 0))


def test_reverse_is_forward_on_the_flipped_sequence():
    x, *rest = arrays("lstm", False)
    ys, h, _ = ops.lstm(x, *rest, **GATES, reverse=True)
    other, k, _ = ops.lstm(x[:, ::-1], *rest, **GATES)
    np.testing.assert_array_equal(ys, other[:, ::-1])
    np.testing.assert_array_equal(h, k)


def test_scan_computes_once_what_does_not_vary():
    x, w = Value((N, T, U)), Value((U, U))

    def step(states, xs):
        y = ops.matmul(ops.add(states[0], xs[0]), ops.transpose(w, perm=(1, 0)))
        return [y], [y, ops.multiply(y, 2.0)]

    (last,), (ys, twice) = ops.scan(step, [Value((N, U))], [x])
    scan = last.node
    assert [n.op for n in scan.attrs["body"].nodes] == ["map", "matmul", "map"]
    assert [v.node.op if v.node else "" for v in scan.inputs] == ["", "", "transpose"]
    assert (last.shape, ys.shape, twice.shape) == ((N, U), (N, T, U), (N, T, U))


def test_scan_gives_out_what_does_not_vary():
    w = np.arange(6, dtype="float32").reshape(N, U)
    graph, feed = traced(
        lambda x, w: ops.scan(lambda s, xs: (s, [w]), [], [x])[1], [np.zeros((N, T, 1), "float32"), w]
    )
    np.testing.assert_array_equal(run(graph, feed)["y0"], np.stack([w] * T, 1))


def test_a_step_that_changes_a_shape_is_refused():
    with pytest.raises(ShapeError, match="expected the same shapes"):
        ops.scan(lambda s, xs: ([ops.concat(s[0], xs[0], axis=1)], []), [Value((N, U))], [Value((N, T, U))])
    with pytest.raises(ShapeError, match="one length on axis 1"):
        ops.scan(lambda s, xs: (s, xs), [Value((N, U))], [Value((N, T, U)), Value((N, T + 1, U))])


def test_wrong_shapes_are_refused():
    with pytest.raises(ShapeError, match=r"input .* and recurrent kernel"):
        ops.lstm(Value((N, T, 3 * U)), Value((U, 4 * U)), Value((N, U)), Value((N, U)), **GATES)
    with pytest.raises(ShapeError, match="states, bias and mask"):
        ops.gru(Value((N, T, 3 * U)), Value((U, 3 * U)), Value((N, U)), **GATES, reset_after=True)


def test_an_elementwise_function_is_an_expression():
    assert ops.expression(ops.tanh) == TANH
    assert ops.expression(lambda x: x) == 0
    assert ops.expression(lambda x: ops.add(ops.multiply(x, 0.2), 0.5)) == ("add", ("mul", 0, 0.2), 0.5)
    assert ops.expression(lambda x: ops.softmax(x, axes=(0,))) is None


def test_a_fused_function_is_one_op():
    def ramp(x, y):
        return ops.minimum(ops.add(ops.multiply(x, 0.2), y), 1.0)

    a, b = Value((2, 3), name="a"), Value((3,), name="b")
    y = ops.fused(ramp, a, b)
    assert y.node.attrs["expr"] == ("min", ("add", ("mul", 0, 0.2), 1), 1.0)
    assert y.node.inputs == (a, b)
    x, c = np.linspace(-9, 9, 6, dtype="float32").reshape(2, 3), np.array([-1, 0, 1], "float32")
    np.testing.assert_array_equal(ops.fused(ramp, x, c), np.minimum(x * np.float32(0.2) + c, 1))
