"""Fragments that tell each other something (shaders/sums.glsl): their sums where derivatives are of a fragment's own
row, as those of Mesa's driver in Firefox; what they fetch where they are of a square's first ones, as SwiftShader's."""

import numpy as np
import pytest

from tests.browser.site import Site
from tests.browser.test_runner import RUNNER, START, planned
from tests.cases import TOLERANCE, error
from tools.browser import firefox
from webkeras import ops
from webkeras.backends.webgl2 import selftest
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


def one16(v):
    return conv(v.shape, (1, 1), 16, VALID)[1](v)


def nine16(v):
    return conv(v.shape, (3, 3), 16)[1](v)


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
    "Winograd of lines down": conv((2, 17, 19, 48), (7, 1), 88, pads=((3, 2), (0, 0))),
    "written in place": ((1, 3, 19, 16), lambda v: ops.concat(*(one(v * k) for k in THREE), axis=3)),
    "rows by a matrix": ((3, 5, 16), lambda v: ops.matmul(v, constant((16, 24), 3))),
    "batches of matrices": ((3, 5, 16), lambda v: ops.matmul(v, constant((3, 16, 8), 4))),
}


SQUARES = {
    "1x1": conv((1, 3, 15, 24), (1, 1), 48, pads=VALID),
    "1x1, an odd number of rows and blocks": conv((1, 5, 23, 8), (1, 1), 16, pads=VALID),
    "1x1, a stride of 2": conv((2, 7, 31, 8), (1, 1), 32, strides=(2, 2), pads=VALID),
    "3x3": conv((2, 5, 15, 20), (3, 3), 16),
    "3x3, a stride of 2": conv((1, 9, 31, 8), (3, 3), 16, strides=(2, 2), pads=((0, 1), (0, 1))),
    "7x1": conv((2, 7, 15, 16), (7, 1), 16, pads=((3, 3), (0, 0))),
    "1x7": conv((1, 3, 23, 12), (1, 7), 16, pads=((0, 0), (3, 3))),
    "groups of 16": conv((1, 3, 8, 16), (3, 1), 32, pads=((1, 1), (0, 0)), groups=2),
    "Winograd": conv((1, 15, 14, 96), (3, 3), 112),
    "Winograd of lines across": conv((2, 17, 19, 48), (1, 7), 80, pads=((0, 0), (2, 4))),
    "written in place": ((1, 3, 23, 16), lambda v: ops.concat(*(one16(v * k) for k in THREE), axis=3)),
    "1x1, one pixel in the last block": ((2, 3, 17, 16), lambda v: one16(nine16(v))),
    "one pixel in the last block, and a sum": ((1, 3, 25, 16), lambda v: one16(nine16(v)) + v),
    "one pixel in the last block, written in place": (
        (1, 3, 17, 16), lambda v: ops.concat(*(one16(nine16(v) * k) for k in THREE), axis=3)
    ),
    "rows by a matrix": ((3, 15, 16), lambda v: ops.matmul(v, constant((16, 32), 3))),
    "batches of matrices": ((3, 15, 16), lambda v: ops.matmul(v, constant((3, 16, 16), 4))),
}


@pytest.fixture(scope="module")
def fox():
    with firefox(headless=False) as driver:
        site = Site(driver)
        site.open("page.html")
        yield site
        site.stop()


def sums_as_one_does(site, graph_of, define, **limits):
    shape, op = graph_of
    x = Value(shape, name="x")
    graph = Graph({"x": x}, {"y": op(x)})
    text = planned(graph, Limits(**limits))
    assert f"#define {define}" in text
    data = np.random.default_rng(5).normal(size=shape).astype("float32")
    body = "const e = open(args[1]); r.run(e, feed({ x: args[2] })); return floats(r.read(e)).y;"
    got = site.js(START + body, RUNNER, text, data.ravel().tolist())
    want = run(graph, {"x": data})["y"]
    assert error(np.array(got, "float32").reshape(want.shape), want) <= TOLERANCE["webgl2"]


@pytest.mark.parametrize("name", GRAPHS)
def test_a_pair_of_fragments_sums_as_one_does(fox, name):
    sums_as_one_does(fox, GRAPHS[name], "PAIR", neighbours=2)


@pytest.mark.parametrize("name", SQUARES)
def test_a_square_of_fragments_sums_as_one_does(page, name):
    sums_as_one_does(page, SQUARES[name], "SQUARE", neighbours=4)


def test_a_square_of_fragments_multiplies_tiles_that_lie_in_two_rows(page):
    graph, limits = conv((1, 30, 30, 96), (3, 3), 96), {"neighbours": 4, "max_size": 1024}
    x = Value(graph[0], name="x")
    assert '"rows": 2' in planned(Graph({"x": x}, {"y": graph[1](x)}), Limits(**limits))
    sums_as_one_does(page, graph, "SQUARE", **limits)


def test_both_drivers_are_asked(fox, page):
    """And so the product uses here what is tested here."""
    for site, neighbours in ((fox, 2), (page, 4)):
        said = site.js(START + "return [r.neighbours, r.gl.getParameter(r.gl.RENDERER)];", RUNNER)
        assert said[0] == neighbours, said[1]


def test_the_self_test_finds_a_driver_whose_derivatives_are_of_each_row(fox):
    """Mesa's is such a one; it computes all but what fragments of a square tell each other."""
    body = START + "const e = open(args[1]); r.run(e, {}); return floats(r.read(e));"
    found = fox.js(body, RUNNER, planned(selftest.graph(), Limits(neighbours=4)))
    assert "a convolution wrongly" in selftest.complaint(found)
