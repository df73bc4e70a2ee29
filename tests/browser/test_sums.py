"""Fragments that tell each other their sums (shaders/sums.glsl): Mesa's driver, in Firefox, has the derivatives."""

import numpy as np
import pytest

from tests.browser.site import Site
from tests.browser.test_runner import RUNNER, START, planned
from tests.cases import TOLERANCE, error
from tools.browser import firefox
from webkeras import ops
from webkeras.backends.webgl2.layout import Limits
from webkeras.graph import Graph, Literal, Value, run

THREE = (1.0, 2.0, 3.0)
SAME, VALID = ((1, 1), (1, 1)), ((0, 0), (0, 0))


def constant(shape, seed):
    floats = np.random.default_rng(seed).uniform(-1, 1, int(np.prod(shape))).round(4)
    return Value(shape, constant=Literal(shape, tuple(floats.tolist())))


def conv(x, kernel, filters, pads=SAME, strides=(1, 1), groups=1, **more):
    w = constant((*kernel, x[-1] // groups, filters), 1)
    return x, lambda v: ops.conv(v, w, strides=strides, pads=pads, groups=groups, **more) + constant((filters,), 2)


def one(v):
    return conv(v.shape, (1, 1), 8, VALID)[1](v)


GRAPHS = {
    "3x1, an odd number of rows": conv((1, 5, 9, 8), (3, 1), 16, pads=((1, 1), (0, 0))),
    "7x1, two images": conv((2, 7, 17, 16), (7, 1), 8, pads=((3, 3), (0, 0))),
    "1x1, a stride of 2": conv((2, 7, 17, 8), (1, 1), 8, strides=(2, 2), pads=VALID),
    "dilated": conv((1, 9, 9, 8), (3, 3), 8, dilation=(2, 2)),
    "a stride of 3": conv((1, 9, 19, 8), (3, 3), 8, strides=(3, 3), pads=VALID),
    "groups of 8": conv((1, 3, 9, 16), (3, 1), 16, pads=((1, 1), (0, 0)), groups=2),
    "1x1": conv((1, 3, 9, 24), (1, 1), 24, pads=VALID),
    "Winograd": conv((1, 15, 14, 96), (3, 3), 104),
    "written in place": ((1, 3, 19, 16), lambda v: ops.concat(*(one(v * k) for k in THREE), axis=3)),
    "rows by a matrix": ((3, 5, 16), lambda v: ops.matmul(v, constant((16, 24), 3))),
    "batches of matrices": ((3, 5, 16), lambda v: ops.matmul(v, constant((3, 16, 8), 4))),
}


@pytest.fixture(scope="module")
def fox():
    with firefox(headless=False) as driver:
        site = Site(driver)
        site.open("page.html")
        yield site
        site.stop()


@pytest.mark.parametrize("name", GRAPHS)
def test_a_pair_of_fragments_sums_as_one_does(fox, name):
    shape, op = GRAPHS[name]
    x = Value(shape, name="x")
    graph = Graph({"x": x}, {"y": op(x)})
    text = planned(graph, Limits(pairs=True))
    assert "#define PAIR" in text
    data = np.random.default_rng(5).normal(size=shape).astype("float32")
    body = "const e = open(args[1]); r.run(e, feed({ x: args[2] })); return floats(r.read(e)).y;"
    got = fox.js(START + body, RUNNER, text, data.ravel().tolist())
    want = run(graph, {"x": data})["y"]
    assert error(np.array(got, "float32").reshape(want.shape), want) <= TOLERANCE["webgl2"]


def test_the_driver_is_asked(fox):
    """Here pairs are used by the product itself; SwiftShader's derivatives are not asked."""
    said = fox.js(START + "return [r.pairs, r.gl.getParameter(r.gl.RENDERER)];", RUNNER)
    assert said[0], said[1]
