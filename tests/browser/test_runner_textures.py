"""What textures hold: weights of few bits, tensors larger than a texture, 16-bit floats."""

import base64
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tests.browser.test_runner import RUNNER, START, X1, affine, planned, wanted
from tests.cases import TOLERANCE, cases, error
from webkeras import ops
from webkeras.backends.webgl2.context import plan
from webkeras.backends.webgl2.layout import Limits
from webkeras.backends.webgl2.program import program
from webkeras.buffer import HostBuffer
from webkeras.errors import BackendError
from webkeras.graph import Graph, Value, run
from webkeras.weights import Tensor

# All finite 16-bit floats; bytes with a scale and a least value that 32 bits hold roughly.
STORED = {
    "float16": np.concatenate([np.arange(0x7C00, dtype="<u2"), np.arange(0x8000, 0xFC00, dtype="<u2")]),
    "uint8": np.random.default_rng(1).integers(0, 256, 31 * 400).astype("u1"),
}


@pytest.mark.parametrize("kind", STORED)
def test_stored_weights_go_up_exactly_in_rows_that_are_no_whole_texels(page, kind):
    bits = STORED[kind]
    shape = (bits.size // 31, 31)
    tensor = Tensor("", "w", shape, kind, HostBuffer(b"???" + bits.tobytes()), 3, -0.7, 0.0051)
    w = Value(shape, constant=tensor)
    x = Value((1, shape[0]), name="x")
    text, (buffer,) = program(plan(Graph({"x": x}, {"y": ops.take(w, ops.reshape(x, shape=(shape[0],)), axis=0)})))
    (upload,) = json.loads(text)["uploads"]
    assert (upload["row"], upload["gap"]) == (31, 1)
    found = page.js(
        START
        + """
        const e = r.begin(JSON.parse(args[1]));
        r.load(e, [Uint8Array.from(atob(args[2]), (c) => c.charCodeAt(0)).buffer]);
        r.finish(e);
        r.run(e, { x: Float32Array.from({ length: args[3] }, (_, i) => i) });
        const { y } = floats(r.read(e));
        r.free(e);
        return y;
        """,
        RUNNER, text, base64.b64encode(buffer.data).decode(), shape[0],
    )  # fmt: skip
    wanted = bits.view("<f2") if kind == "float16" else bits * np.float32(0.0051) + np.float32(-0.7)
    np.testing.assert_array_equal(np.array(found, "float32"), wanted.astype("float32"))


@pytest.mark.parametrize("limits", [Limits(max_size=64, lanes=4), Limits(max_size=64)], ids=["4 lanes", "8 lanes"])
def test_what_does_not_fit_is_folded(page, limits):
    """Every case whose plan folds anything under textures this small; what no folding can place is refused."""
    folded, texts, refused = [], [], []
    for case in cases():
        try:
            text = planned(case.graph(), limits)
        except BackendError:
            refused.append(case.name)
            continue
        if "#define FOLD" in text:
            folded.append(case)
            texts.append([text, {k: a.ravel().tolist() for k, a in case.feed().items()}])
    assert len(folded) > 10
    assert len(refused) < 6, refused
    page.js(START + "Object.assign(globalThis, { r, open_: open, feed_: feed, floats_: floats });", RUNNER)
    predict = "const e = open_(args[0]); r.run(e, feed_(args[1])); const y = floats_(r.read(e)); r.free(e); return y;"
    for case, (text, x) in zip(folded, texts, strict=True):
        got = page.js(predict, text, x)
        for name, want in run(case.graph(), case.feed()).items():
            assert error(got[name], want) < TOLERANCE["webgl2"], case.name


# Name, the input's shape, the weights' shape, what is computed: at a limit of n texels.
LARGE = {
    "a Dense with more inputs than rows": lambda n: ((2, n + 808), (n + 808, 36), ops.matmul),
    "a Dense with more units than columns": lambda n: ((2, 12), (12, 4 * n + 100), ops.matmul),
    "a 1x1 image of many channels": lambda n: (
        (1, 1, 1, n + 808),
        (1, 1, n + 808, 36),
        partial(ops.conv, strides=(1, 1), pads=((0, 0), (0, 0))),
    ),
    "an Embedding": lambda n: ((2, 7), (2 * n + 3, 37), lambda x, table: ops.take(table, x, axis=0)),
}


@pytest.mark.parametrize("most", [2048, 4096, 8192])
@pytest.mark.parametrize("what", LARGE)
def test_matrices_larger_than_textures(page, what, most):
    """At the sizes that real drivers have."""
    rng = np.random.default_rng(most)
    shape, weights, op = LARGE[what](most)
    data = HostBuffer(rng.uniform(-1, 1, weights).astype("<f4").tobytes())
    x = Value(shape, name="x")
    graph = Graph({"x": x}, {"y": op(x, Value(weights, constant=Tensor("", "", weights, "float32", data, 0)))})
    feed = rng.integers(0, 2 * most, shape) if "Embedding" in what else rng.uniform(-1, 1, shape)
    text, buffers = program(plan(graph, Limits(max_size=most)))
    assert buffers == [data]
    assert "#define FOLD" in text
    got = page.js(
        START
        + """
        const bytes = Uint8Array.from(atob(args[2]), (c) => c.charCodeAt(0)), plan = JSON.parse(args[1]);
        const e = r.begin(plan);
        r.load(e, [bytes.buffer]);
        r.finish(e);
        r.run(e, feed({ x: args[3] }));
        const { y } = floats(r.read(e));
        r.free(e);
        return { y, largest: Math.max(...plan.textures.flatMap(([w, h]) => [w, h])) };
        """,
        RUNNER, text, base64.b64encode(data.data).decode(), feed.ravel().tolist(),
    )  # fmt: skip
    assert got["largest"] <= most
    assert error(got["y"], run(graph, {"x": feed.astype("float32")})["y"]) < 1e-5


def test_half_floats_are_close(page):
    graph = affine(8, 0.5)
    body = START + "const e = open(args[1]); r.run(e, feed({ x: args[2] })); return floats(r.read(e));"
    got = page.js(body, RUNNER, planned(graph, replace(Limits(), half=True)), X1)
    assert 1e-6 < error(got["y"], wanted(graph, X1)) < 5e-3
