"""What webgl2 decides on the host: layouts within limits, sources, the self-test's answers, loops."""

import json

import numpy as np
import pytest

from webkeras import ops
from webkeras.backends.webgl2 import glsl, selftest
from webkeras.backends.webgl2.context import passes, plan
from webkeras.backends.webgl2.layout import WIDE, Limits, Tile, rows, tile
from webkeras.backends.webgl2.program import parts, program
from webkeras.backends.webgl2.work import fitted, work
from webkeras.graph import Graph, Literal, Value, run


def test_the_self_test_knows_the_answers():
    wanted = {k: y.ravel() for k, y in run(selftest.graph(), {}).items()}
    for name, answer in selftest.ANSWERS.items():
        np.testing.assert_allclose(answer, wanted[name], rtol=0, atol=1e-6)
    assert selftest.complaint({k: list(y) for k, y in selftest.ANSWERS.items()}) == ""


@pytest.mark.parametrize(("neighbours", "define"), [(2, "PAIR"), (4, "SQUARE")])
def test_the_self_test_asks_for_what_fragments_share(neighbours, define):
    """A driver with other derivatives must not be trusted with them: one of its draws has to depend on them."""
    asked = [s for s in plan(selftest.graph(), Limits(neighbours=neighbours)).prepare if define in s.defines]
    assert any(s.viewport[2] * s.viewport[3] > 4 and s.viewport[3] > 1 for s in asked)


def test_the_self_test_notices_a_liar():
    lies = {k: [*y[:-1], y[-1] + 1.0] for k, y in selftest.ANSWERS.items()}
    assert "computes a convolution wrongly" in selftest.complaint(lies)
    nothing = {k: [float("nan")] * len(y) for k, y in selftest.ANSWERS.items()}
    assert selftest.complaint(nothing)


@pytest.mark.parametrize("most", [2048, 4096, 8192])
@pytest.mark.parametrize(
    "layout", [tile, lambda shape, limits: rows(int(np.prod(shape[:-1])), shape[-1], limits)], ids=["tile", "rows"]
)
@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 40000), (3000, 1, 1, 8), (1, 9000, 9, 4), (1, 2, 30000, 3), (20000, 64), (9, 1, 1, 4096)]
)
def test_layouts_stay_within_limits(most, shape, layout):
    found = layout(shape, Limits(max_size=most))
    width, height, layers = found.texture
    assert max(width, height) <= most
    assert width * height * layers * 4 >= found.size
    if found.in_order:  # the parts cover every texel once, in order
        spans = [(first + row * stride, w) for _, _, w, h, first, stride in parts(found) for row in range(h)]
        texels = [at + x for at, w in spans for x in range(w)]
        assert len(texels) == len(set(texels)) == found.plain[0] * found.plain[1] == max(texels) + 1


def test_a_fold_is_its_own_inverse():
    layout = Tile(5000, 3, 8, 1).within(Limits(max_size=2048))
    columns, before, width, height = layout.fold
    seen = set()
    for row in range(5000):
        for column in range(layout.plain[0]):
            x, y = column % columns + row // before * width, row % before + column // columns * height
            assert (x % width, y + x // width * before) == (column, row)  # unfolded() of tensor.glsl
            seen.add((x, y))
    assert len(seen) == 5000 * layout.plain[0]


def test_sources_hold_only_the_functions_they_call():
    plain = glsl.assemble("map.glsl", {"EPILOGUE": "return v;"}).text
    assert "tanh_" not in plain
    assert "//" not in plain
    sine = glsl.assemble("map.glsl", {"EPILOGUE": "return sin_(v);"}).text
    assert "vec4 quadrant(" in sine
    assert "erf_" not in sine


def lstm(units=8, steps=7, sequences=True):
    gates = {"activation": ("tanh", 0), "recurrent_activation": ("sigmoid", 0)}
    x = Value((1, steps, 4 * units))
    shapes = [(units, 4 * units), (1, units), (1, units)]
    weights = [Value(s, constant=Literal(s, (0.5,) * int(np.prod(s)))) for s in shapes]
    ys, h, _ = ops.lstm(x, *weights, **gates)
    return Graph({"x": x}, {"y": ys if sequences else h})


def test_an_lstm_is_a_draw_a_step():
    drawn = [s.source.files[1] for s in plan(lstm(steps=7)).steps]
    assert drawn.count("recurrent.glsl") == 7
    assert drawn.count("sequence.glsl") == 1
    assert len({s.source.text for s in plan(lstm(steps=7)).steps if s.source.files[1] == "recurrent.glsl"}) == 1


def test_no_draw_reads_what_it_writes():
    planned = plan(lstm())
    for row in json.loads(program(planned)[0])["steps"]:
        target = json.loads(program(planned)[0])["targets"][row[2]]
        assert not {t for t, _ in target} & set(row[7])


def test_half_floats_take_half_the_memory():
    def held(half):
        return float(str(plan(lstm(), Limits(half=half))).split()[-2])

    assert held(True) == pytest.approx(held(False) / 2, abs=0.1)


def test_a_layer_in_a_loop_is_not_drawn_beside_one_that_reads_the_loop():
    def layer(x):
        w, state = (Value(s, constant=Literal(s, (0.5,) * (s[0] * s[1]))) for s in ((4, 16), (1, 4)))
        return ops.lstm(x, w, state, state, activation=("tanh", 0), recurrent_activation=("sigmoid", 0))[0]

    x, start = Value((1, 3, 2, 16), name="x"), Value((1, 1), constant=Literal((1, 1), (0.0,)))
    _, (ys,) = ops.scan(lambda states, xs: (states, [layer(xs[0])]), [start], [x])
    y = ops.reshape(ops.slice_(ys, begin=(0, 0, 0, 0), end=(1, 1, 2, 4), step=(1, 1, 1, 1)), shape=(1, 2, 4))
    graph = Graph({"x": x}, {"y": layer(ops.concat(y, y, y, y, axis=2))})
    steps = [s for s in plan(graph).steps if s.shader == "recurrent.glsl"]
    assert len(steps) == 3 * 2 + 2


@pytest.mark.parametrize(
    ("image", "as_it_lies"), [((1, 1, 1280), False), ((1, 3, 1000), False), ((7, 7, 64), True), ((12, 12, 6), False)]
)
def test_a_long_sum_is_cut_into_parts_and_its_image_is_copied_only_where_it_must(image, as_it_lies):
    """An image of few pixels is one vector as it lies or is made one; of many, it is read as it is."""
    k = int(np.prod(image))
    x, w = Value((1, *image), name="x"), Value((k, 10), constant=Literal((k, 10), (0.5,) * (k * 10)))
    steps = plan(Graph({"x": x}, {"y": ops.matmul(ops.reshape(ops.tanh(x), shape=(1, k)), w)})).steps
    product = next(s for s in steps if s.shader == "matmul.glsl")
    assert product.viewport[3] >= k // 4 // 64
    assert product.params["down"] == (image[0] if as_it_lies else 1)
    read = next(s for s in steps if product.inputs["x_"] in s.outs)
    assert (read.shader == "map.glsl") == (as_it_lies or image[:2] == (1, 1))


def test_little_to_do_takes_narrow_programs():
    def lanes(size, **limits):
        x, kernel = Value((1, size, size, 8), name="x"), (3, 3, 8, 8)
        w = Value(kernel, constant=Literal(kernel, (0.5,) * 576))
        y = ops.conv(x, w, strides=(1, 1), pads=((1, 1), (1, 1)))
        planned = plan(Graph({"x": x}, {"y": y}), Limits(winograd=False, **limits), little=1 << 20)
        return len(planned.steps[-1 if planned.steps[-1].shader == "conv.glsl" else -2].targets)

    assert (lanes(16), lanes(64), lanes(16, lanes=4)) == (2, 8, 2)
    assert work(lstm(8, 7)) == 7 * 8 * 32


@pytest.mark.parametrize(
    ("width", "kernel", "had", "lanes"),
    [(14, 1, 8, 7), (28, 1, 8, 7), (17, 1, 8, 7), (16, 1, 8, 8), (14, 3, 8, 8), (14, 1, 4, 4), (14, 1, 2, 2)],
)
def test_images_that_sevens_fit_take_seven_texels_a_fragment_but_not_where_squares_of_four_may_be_computed(
    width, kernel, had, lanes
):
    x, pads = Value((1, width, width, 8), name="x"), ((kernel // 2, kernel // 2),) * 2
    w = Value((kernel, kernel, 8, 8), constant=Literal((kernel, kernel, 8, 8), (0.5,) * kernel**2 * 64))
    graph = Graph({"x": x}, {"y": ops.conv(x, w, strides=(1, 1), pads=pads)})
    assert fitted(graph, Limits(lanes=had), 0).lanes == lanes
    assert fitted(graph, Limits(lanes=had), 1 << 30).lanes == 2


def test_a_pixel_is_divided_by_any_number_of_lanes():
    for w in (7, 100, 100_000, WIDE):
        for most in range(1, 9):
            lanes = tile((w, 1), Limits(lanes=most)).lanes
            assert lanes <= most
            _, n, inverse = Tile(1, w, 1, lanes).param
            pixels, part = np.arange(w), np.int32(inverse).view("float32")
            for near in (part, np.nextafter(part, np.float32(0)), np.nextafter(part, np.float32(2))):
                found = (pixels.astype("float32") + np.float32(0.5)) * near
                np.testing.assert_array_equal(found.astype("int32"), pixels // n)


def test_an_image_too_wide_for_floats_is_divided_by_integers():
    for w, wide in ((WIDE, False), (WIDE + 8, True)):
        graph = Graph({"x": (x := Value((1, w, 1), name="x"))}, {"y": ops.reduce(x, fn="sum", axes=(1,))})
        steps = plan(graph).steps
        assert any("WIDE" in s.defines for s in steps) == wide


def test_pixels_that_nobody_reads_are_not_computed():
    """As at a ResNet's stages: what only strided 1x1 convolutions read is made at their strides, by all that may be."""

    def weights(*shape):
        return Value(shape, constant=Literal(shape, (0.5,) * int(np.prod(shape))))

    def made(*outputs):
        graph = passes(Graph({"x": x}, {str(i): y for i, y in enumerate(outputs)}), Limits())
        return [(n.op, n.out.shape[1:3]) for n in graph.nodes if n.op != "map"]

    x, w = Value((1, 8, 9, 4), name="x"), weights(1, 1, 4, 4)
    plain = {"strides": (1, 1), "pads": ((0, 0), (0, 0))}
    y = ops.maximum(ops.conv(x, w, **plain) + x, 0.0)
    a, b = (ops.conv(y, weights(1, 1, 4, f), **plain | {"strides": (2, 2)}) for f in (4, 5))
    assert made(a, b) == [("slice", (4, 5)), ("conv", (4, 5)), ("conv", (4, 5)), ("conv", (4, 5))]
    assert ("conv", (8, 9)) in made(a, b, y)
    assert ("conv", (8, 9)) in made(a, ops.conv(y, w, **plain | {"strides": (1, 2)}))
    assert ("slice", (4, 5)) not in made(ops.conv(y, weights(3, 3, 4, 4), **plain | {"strides": (2, 2)}))


def test_what_draws_parts_of_concatenations_draws_wholes_as_well():
    x, w = Value((1, 8, 32, 8), name="x"), Value((1, 1, 8, 8), constant=Literal((1, 1, 8, 8), (0.5,) * 64))
    y = ops.conv(x, w, strides=(1, 1), pads=((0, 0), (0, 0)))
    z = ops.concat(*(ops.conv(y, w, strides=(1, 1), pads=((0, 0), (0, 0))) for _ in range(2)), axis=3)
    steps = [s for s in plan(Graph({"x": x}, {"z": z})).steps if s.shader == "matmul.glsl"]
    assert len(steps) == 3
    assert len({s.source.text for s in steps}) == 1


def conv(x, filters, seed, kernel=(3, 3)):
    """A convolution of every other pixel, with a bias and a ReLU behind it."""
    floats = np.random.default_rng(seed).normal(size=(*kernel, x.shape[-1], filters))
    w = Value(floats.shape, constant=Literal(floats.shape, tuple(floats.ravel().tolist())))
    bias = Value((filters,), constant=Literal((filters,), (0.5,) * filters))
    return ops.maximum(ops.conv(x, w, strides=(2, 2), pads=((0, 0), (0, 0))) + bias, 0.0)


@pytest.mark.parametrize(("width", "draws"), [(17, [8, 1]), (16, [8]), (8, [8])])
def test_one_pixel_in_the_last_block_is_drawn_by_itself(width, draws):
    x = Value((2, 3, width, 8), name="x")
    w = Value((8, 16), constant=Literal((8, 16), (0.5,) * 128))
    steps = plan(Graph({"x": x}, {"y": ops.matmul(x, w)}), Limits(neighbours=4)).steps
    steps = [s for s in steps if s.shader == "matmul.glsl"]
    assert [len(s.targets) for s in steps] == draws
    columns = sorted(x for s in steps for x in range(s.viewport[0], s.viewport[0] + s.viewport[2]))
    assert columns == list(range(-(-width // 8) * 2))  # four texels a pixel, stacked: each of two columns once
    assert {s.viewport[3] for s in steps} == {2 * 2 * 3}


@pytest.mark.parametrize(("kernel", "programs"), [((3, 3), 1), ((3, 5), 2)])
def test_a_program_for_many_channels_takes_few(kernel, programs):
    """The first convolution of an image has three; another one like it makes a program of its own needless."""
    x = Value((1, 127, 127, 3), name="x")
    y = conv(conv(x, 32, 1), 32, 2, kernel)
    convs = [s for s in plan(Graph({"x": x}, {"y": y}), Limits(neighbours=4)).steps if s.shader == "conv.glsl"]
    assert len(convs) == 2
    assert len({s.program for s in convs}) == programs
    assert any("FEW" in s.defines for s in convs) == (programs == 2)
