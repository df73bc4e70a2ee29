"""runner.js alone, on plans made here: lost contexts, several predictions at once, chains."""

import json

import numpy as np
import pytest

from tests.cases import TOLERANCE, error
from tools.common import ROOT
from webkeras import ops
from webkeras.backends.webgl2 import selftest
from webkeras.backends.webgl2.context import plan
from webkeras.backends.webgl2.layout import Limits
from webkeras.backends.webgl2.planner import COMPUTED
from webkeras.backends.webgl2.program import program
from webkeras.graph import Graph, Literal, Value, run

RUNNER = "".join((ROOT / "src/webkeras/backends" / name).read_text() for name in ("common.js", "webgl2/runner.js"))
START = """
globalThis.webkerasRunner ?? (0, eval)(args[0]);
const r = webkerasRunner.create(new OffscreenCanvas(1, 1));
const open = (text) => { const e = r.begin(JSON.parse(text)); r.load(e, []); r.finish(e); return e; };
const floats = (o) => Object.fromEntries(Object.entries(o).map(([k, v]) => [k, [...v]]));
const renewed = async () => { // the context is lost and comes back
  const loss = r.gl.getExtension("WEBGL_lose_context");
  const back = new Promise((yes) => r.addEventListener("contextrestored", yes));
  loss.loseContext();
  await new Promise((done) => setTimeout(done, 50));
  loss.restoreContext();
  await back;
};
const feed = (o) => Object.fromEntries(Object.entries(o).map(([k, v]) => [k, Float32Array.from(v)]));
"""


def planned(graph, limits=None):
    text, buffers = program(plan(graph, limits))
    assert not buffers
    return text


def affine(n, scale):
    """y = relu(x @ w + b) * scale, several draws long."""
    rng = np.random.default_rng(n)
    w, b = (
        Value(s, constant=Literal(s, tuple(rng.uniform(-1, 1, int(np.prod(s))).tolist()))) for s in ((n, n), (n,))
    )
    x = Value((1, n), name="x")
    y = x
    for _ in range(4):
        y = ops.maximum(ops.matmul(y, w) + b, 0.0) * scale
    return Graph({"x": x}, {"y": y})


def wanted(graph, x):
    return run(graph, {"x": np.array([x], "float32")})["y"].ravel()


X1, X2 = [0.5, -1.0, 2.0, 0.25, 1.5, -0.5, 3.0, 1.0], [2.0, 1.0, 0.0, -1.0, 0.5, 0.5, -2.0, 1.0]


def test_the_self_test_finds_a_driver_whose_derivatives_are_of_another_row(page):
    """SwiftShader is such a one; it computes all but the sums that fragments of a row tell each other."""
    body = START + "return args[1].map((plan) => { const e = open(plan); r.run(e, {}); return floats(r.read(e)); });"
    limits = [Limits(neighbours=2), Limits(), Limits(half=True)]
    trusting, wary, half = page.js(body, RUNNER, [planned(selftest.graph(), each) for each in limits])
    assert "a convolution wrongly" in selftest.complaint(trusting)
    assert selftest.complaint(wary) == selftest.complaint(half) == ""
    assert half != wary  # 16 bits were enough


def test_a_lost_context_comes_back_with_everything_in_it(page):
    graph = affine(8, 0.5)
    found = page.js(
        START
        + """
        const e = open(args[1]), events = [], said = [];
        for (const type of ["contextlost", "contextrestored"]) r.addEventListener(type, () => events.push(type));
        const before = r.textures, lose = r.gl.getExtension("WEBGL_lose_context");
        lose.loseContext();
        while (!events.length) await new Promise((done) => setTimeout(done, 5));
        try { r.run(e, feed({ x: args[2] })); } catch (error) { said.push(error.name); }
        await r.predict(e, feed({ x: args[2] })).catch((error) => said.push(error.name));
        lose.restoreContext();
        while (events.length < 2) await new Promise((done) => setTimeout(done, 5));
        r.run(e, feed({ x: args[2] }));
        const one = floats(r.read(e)), other = floats(await r.predict(e, feed({ x: args[3] })));
        const after = r.textures;
        r.free(e);
        return { events, said, one, other, before, after, left: r.textures, error: r.gl.getError() };
        """,
        RUNNER, planned(graph), X1, X2,
    )  # fmt: skip
    assert found["events"] == ["contextlost", "contextrestored"]
    assert found["said"] == ["DeviceLost", "DeviceLost"]
    assert error(found["one"]["y"], wanted(graph, X1)) < 1e-6
    assert error(found["other"]["y"], wanted(graph, X2)) < 1e-6
    assert (found["before"], found["left"], found["error"]) == (found["after"], 0, 0)


def test_a_run_sets_no_state_that_is_set(page):
    """Of a chain of draws in which programs, sizes and textures stay and change."""
    rng = np.random.default_rng(3)
    kernel = Value((3, 3, 4, 4), constant=Literal((3, 3, 4, 4), tuple(rng.uniform(-1, 1, 144).tolist())))
    x = y = Value((1, 9, 9, 4), name="x")
    for stride in (1, 1, 2, 1, 1):
        y = ops.conv(ops.tanh(ops.conv(y, kernel, strides=(1, 1), pads=((1, 1), (1, 1)))) + y, kernel,
                     strides=(stride, stride), pads=((1, 1), (1, 1)))  # fmt: skip
    graph, image = Graph({"x": x}, {"y": y}), rng.uniform(-1, 1, x.shape).astype("float32")
    found = page.js(
        START
        + """
        const e = open(args[1]), set = {}, again = [], known = [];
        let unit = -1, calls = 0;
        const id = (v) => (v instanceof Object ? `#${known.includes(v) ? known.indexOf(v) : known.push(v) - 1}` : v);
        const watch = (name, which = () => "") => {
          const own = r.gl[name].bind(r.gl);
          r.gl[name] = (...to) => {
            const at = `${name} ${which(to)}`, value = String(to.map(id));
            calls++;
            if (set[at] === value) again.push(`${at}: ${value}`);
            set[at] = value;
            return own(...to);
          };
        };
        for (const name of ["useProgram", "viewport", "bindBufferRange", "bindFramebuffer"]) watch(name);
        watch("activeTexture", ([u]) => ((unit = u), ""));
        watch("bindTexture", ([target]) => `${unit} ${target}`);
        r.draw(e, e.plan.steps);
        const told = { again: [...again], calls, draws: e.plan.steps.length };
        r.run(e, feed({ x: args[2] }));
        Object.assign(told, floats(r.read(e)));
        r.free(e);
        return told;
        """,
        RUNNER, planned(graph), image.ravel().tolist(),
    )  # fmt: skip
    assert found["draws"] >= 10
    assert 3 * found["draws"] < found["calls"] < 6 * found["draws"]
    assert found["again"] == []
    assert error(np.array(found["y"]), run(graph, {"x": image})["y"].ravel()) < 1e-5


@pytest.mark.parametrize("lost", [False, True], ids=["", "the context is lost between"])
def test_a_pixel_drawn_with_every_program_needs_no_weights_and_leaves_nothing(page, lost):
    """Also with programs that read plain weights, write several layers, or draw before the first run only."""
    x, draw = Value((2, 2, 99, 8), name="x"), np.random.default_rng(3).normal
    c = joined(x).shape[-1]
    shapes = (c, 8), (8,)
    kernel, scale = (Value(n, constant=Literal(n, tuple(draw(size=n).ravel().tolist()))) for n in shapes)
    graph = Graph({"x": x}, {"y": ops.matmul(joined(x), kernel * scale)})
    assert plan(graph).prepare
    text, buffers = program(plan(graph))
    assert not buffers
    x = np.random.default_rng(2).normal(size=graph.inputs["x"].shape).astype("float32")
    found = page.js(
        START
        + """
        const e = r.begin(JSON.parse(args[1])), used = new Set(), use = r.gl.useProgram.bind(r.gl);
        r.gl.useProgram = (handle) => { used.add(handle); use(handle); };
        const drawn = [], draw = r.gl.drawArrays.bind(r.gl);
        r.gl.drawArrays = (...rest) => { drawn.push([...r.gl.getParameter(r.gl.VIEWPORT)]); draw(...rest); };
        const before = r.textures;
        r.warm(e);
        const told = { programs: e.programs.length, used: used.size, drawn: drawn.length, left: r.textures - before };
        Object.assign(told, { pixels: drawn.every((v) => `${v}` === "0,0,1,1"), failed: r.gl.getError() });
        if (args[3]) await renewed();
        r.load(e, []);
        r.finish(e);
        r.run(e, feed({ x: args[2] }));
        Object.assign(told, floats(r.read(e)));
        r.free(e);
        return told;
        """,
        RUNNER, text, x.ravel().tolist(), lost,
    )  # fmt: skip
    assert found["programs"] == found["used"] == found["drawn"] >= 4
    assert (found["pixels"], found["left"], found["failed"]) == (True, 0, 0)
    assert error(found["y"], run(graph, {"x": x})["y"]) < 1e-5


def test_predictions_of_one_plan_do_not_mix(page):
    graph = affine(8, 0.5)
    found = page.js(
        START
        + """
        const e = open(args[1]);
        e.chunk = 1; // the page has its turn after every draw
        const waiting = [args[2], args[3], args[2]].map((x) => r.predict(e, feed({ x })));
        await new Promise((done) => setTimeout(done, 0));
        e.chunk = 1;
        r.run(e, feed({ x: args[3] }));
        const between = floats(r.read(e)), rest = await Promise.all(waiting);
        r.free(e);
        return [between, ...rest.map(floats)];
        """,
        RUNNER, planned(graph), X1, X2,
    )  # fmt: skip
    for got, x in zip(found, (X2, X1, X2, X1), strict=True):
        assert error(got["y"], wanted(graph, x)) < 1e-6


def test_an_output_feeds_another_plan_without_leaving_the_gpu(page):
    first, second = affine(8, 0.5), affine(8, 2.0)
    found = page.js(
        START
        + """
        const a = open(args[1]), b = open(args[2]);
        let read = 0;
        const readPixels = r.gl.readPixels.bind(r.gl);
        r.gl.readPixels = (...rest) => { read++; return readPixels(...rest); };
        r.run(a, feed({ x: args[3] }));
        r.run(b, { x: { exe: a, output: "y" } });
        const y = floats(r.read(b));
        r.free(a); r.free(b);
        return { y, read, left: r.textures };
        """,
        RUNNER, planned(first), planned(second), X1,
    )  # fmt: skip
    assert error(found["y"]["y"], wanted(second, wanted(first, X1))) < 1e-6
    assert (found["read"], found["left"]) == (1, 0)


@pytest.mark.parametrize("neighbours", [1, 4])
@pytest.mark.parametrize("lost", [False, True], ids=["", "the context is lost between"])
def test_an_image_of_few_channels_on_the_gpu_is_laid_out_there(page, neighbours, lost):
    """Where arrays go up as kernels read them, what is on the GPU takes a program more, which compiles only then."""
    kernel = np.random.default_rng(5).uniform(-1, 1, (3, 3, 3, 3))
    w = Value(kernel.shape, constant=Literal(kernel.shape, tuple(kernel.ravel().tolist())))
    x = Value((2, 9, 21, 3), name="x")
    graph = Graph({"x": x}, {"y": ops.conv(x, w, strides=(1, 1), pads=((1, 1), (1, 1)))})
    image = np.random.default_rng(6).uniform(-1, 1, x.shape).astype("float32")
    found = page.js(
        START
        + """
        const a = open(args[1]), b = open(args[1]), x = feed({ x: args[2] }), answers = [], programs = [];
        const made = r.textures, before = r.programs.size;
        for (const again of [false, args[3]]) {
          if (again) await renewed();
          r.run(a, x);
          programs.push(r.programs.size);
          for (let i = 0; i < 2; i++) {
            r.run(b, { x: { exe: a, output: "y" } });
            answers.push(floats(r.read(b)).y);
          }
          programs.push(r.programs.size);
          r.run(b, x);
          answers.push(floats(r.read(b)).y);
        }
        const told = { answers, programs, more: r.textures - made, failed: r.gl.getError() };
        r.free(a); r.free(b);
        return { ...told, before, left: r.textures };
        """,
        RUNNER, planned(graph, Limits(neighbours=neighbours)), image.ravel().tolist(), lost,
    )  # fmt: skip
    once = run(graph, {"x": image})["y"]
    twice = run(graph, {"x": once})["y"]
    for got, want in zip(found["answers"], [twice, twice, once] * 2, strict=True):
        assert error(np.array(got), want.ravel()) < 1e-5
    n, more = found["before"], int(neighbours == 4)
    assert found["programs"] == [n, n + more, n if lost else n + more, n + more]
    assert (found["more"], found["left"], found["failed"]) == (0, 0, 0)


def test_constants_are_computed_as_numpy_does(page):
    """Every function, of arrays and of numbers: no draw makes them, and no bit differs."""
    of = [np.random.default_rng(i).uniform(0.1, 9, n).astype("float32") for i, n in enumerate([(6,), (6,), (1,)])]
    a, b, c = (Value(v.shape, constant=Literal(v.shape, tuple(v.tolist()))) for v in of)
    halves = [ops.reshape(-v, shape=(3, 2)) for v in (a, b)]
    beside = ops.reshape(ops.concat(*halves, axis=1), shape=(2, 6))
    made = [beside, a + b, a - 0.3, b * c, c / a, -b, ops.sqrt(a), ops.rsqrt(a), ops.rsqrt(b + 1e-3) * a - (b - c / a)]
    x = Value((1, 6), name="x")
    graph = Graph({"x": x}, {f"y{i}": x * v for i, v in enumerate(made)})
    text = planned(graph)
    code = [u["code"] for u in json.loads(text)["uploads"] if "code" in u]
    assert len(code) == len(made)
    assert {line[0] for lines in code for line in lines} == {*COMPUTED, "slot", "number", "join"}
    assert not plan(graph).prepare
    ones = np.ones((1, 6), "float32")
    found = page.js(
        START
        + """
        const e = open(args[1]);
        r.run(e, { x: new Float32Array(6).fill(1) });
        const y = floats(r.read(e));
        r.free(e);
        return y;
        """,
        RUNNER, text,
    )  # fmt: skip
    assert {k: np.array(v, "float32").tolist() for k, v in found.items()} == {
        k: v.ravel().tolist() for k, v in run(graph, {"x": ones}).items()
    }


def test_memory_stays_as_it_is(page):
    found = page.js(
        START
        + """
        const e = open(args[1]), before = r.textures, made = {};
        for (const name of ["createTexture", "createBuffer", "createFramebuffer"]) {
          const make = r.gl[name].bind(r.gl), drop = name.replace("create", "delete"), undo = r.gl[drop].bind(r.gl);
          made[name] = 0;
          r.gl[name] = () => { made[name]++; return make(); };
          r.gl[drop] = (thing) => { made[name]--; return undo(thing); };
        }
        const x = feed({ x: args[2] });
        r.run(e, x); r.read(e);
        const once = { ...made };
        for (let i = 0; i < 1000; i++) { r.run(e, x); r.read(e); }
        for (let i = 0; i < 20; i++) await r.predict(e, x);
        r.free(e);
        return { once, made, before, after: before };
        """,
        RUNNER, planned(affine(8, 0.5)), X1,
    )  # fmt: skip
    assert found["once"]["createTexture"] == 0
    assert all(n <= 0 for n in found["made"].values())  # `free` has dropped what was there before as well


def test_a_broken_shader_names_its_line(page):
    broken = json.loads(planned(affine(8, 0.5)))
    broken["programs"][0]["source"] = broken["programs"][0]["source"].replace("gl_FragCoord", "gl_FragCord")
    found = page.js(
        START + "try { open(args[1]); } catch (e) { return [e.name, e.message, e.source === args[2]]; }",
        RUNNER, json.dumps(broken), broken["programs"][0]["source"],
    )  # fmt: skip
    assert found[0] == "ShaderError"
    assert "gl_FragCord" in found[1]
    assert found[2]


def joined(v):
    """Concatenations of what is drawn for them, of one another, of what others read too; ragged at the end."""
    w = Literal((3, 3, 8, 8), tuple(np.random.default_rng(1).uniform(-1, 1, 576).round(4).tolist()))
    a = ops.conv(v, Value(w.shape, constant=w), strides=(1, 1), pads=((1, 1), (1, 1)))
    b = ops.pool(v, fn="max", window_=(3, 3), strides=(1, 1), pads=((1, 1), (1, 1)))
    inner = ops.concat(a * 2.0, ops.maximum(b, 0.0), axis=3)
    ragged = ops.slice_(v * 3.0, begin=(0, 0, 0, 0), end=(*v.shape[:3], 3), step=(1,) * 4) + 1.0
    return ops.concat(inner, v, ragged, axis=3)


@pytest.mark.parametrize("limits", [Limits(), Limits(lanes=4), Limits(max_size=64)], ids=["8", "4", "folded"])
def test_concatenations_are_written_in_place(page, limits):
    x = Value((2, 2, 99, 8), name="x")
    graph = Graph({"x": x}, {"y": joined(x)})
    data = np.random.default_rng(2).normal(size=x.shape).astype("float32")
    body = START + "const e = open(args[1]); r.run(e, feed({ x: args[2] })); return floats(r.read(e)).y;"
    got = page.js(body, RUNNER, planned(graph, limits), data.ravel().tolist())
    want = run(graph, {"x": data})["y"]
    assert error(np.array(got, "float32").reshape(want.shape), want) <= TOLERANCE["webgl2"]
    moves = sum(s.source.files[1] == "move.glsl" and s.label.startswith("concat") for s in plan(graph, limits).steps)
    assert bool(moves) == (limits.max_size == 64)


@pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
@pytest.mark.parametrize("op", ["simple_rnn", "lstm", "gru", "gru, reset after"])
def test_the_two_directions_take_one_draw_a_step(page, op, masked):
    rng, (n, t, u) = np.random.default_rng(3), (2, 6, 5)
    gates, states = {"simple_rnn": (1, 1), "lstm": (4, 2), "gru": (3, 1)}[op.split(",")[0]]
    after = {"reset_after": op.endswith("after")} if gates == 3 else {}

    def given(shape):
        return Value(shape, constant=Literal(shape, tuple(rng.uniform(-1, 1, int(np.prod(shape))).round(4).tolist())))

    def layer(x, mask, **way):
        functions = {"activation": ("tanh", 0)} | ({} if gates == 1 else {"recurrent_activation": ("sigmoid", 0)})
        more = [given((u,))] if after.get("reset_after") else []
        parts = [ops.matmul(x, given((3, gates * u))), given((u, gates * u)), *(given((n, u)) for _ in range(states))]
        outs = getattr(ops, op.split(",")[0])(*parts, *more, *mask, **functions, **after, **way)
        return {f"{k}{way['reverse']}": y for k, y in enumerate(outs)}

    x, m = Value((n, t, 3), name="x"), Value((n, t), name="m")
    mask = [m] if masked else []
    outputs = layer(x, mask, reverse=False, zero=masked) | layer(x, mask, reverse=True)
    graph = Graph({"x": x} | ({"m": m} if masked else {}), outputs)
    steps = sum(s.source.files[1] == "recurrent.glsl" for s in plan(graph, Limits()).steps)
    assert steps == t * (2 if op == "gru" else 1)
    data = {"x": rng.normal(size=x.shape).astype("float32")}
    if masked:
        data["m"] = np.array([[1, 1, 0, 1, 1, 0], [1, 0, 0, 1, 1, 1]], "float32")
    body = START + "const e = open(args[1]); r.run(e, feed(args[2])); return floats(r.read(e));"
    got = page.js(body, RUNNER, planned(graph, Limits()), {k: v.ravel().tolist() for k, v in data.items()})
    for name, want in run(graph, data).items():
        assert error(np.array(got[name], "float32").reshape(want.shape), want) <= TOLERANCE["webgl2"], name
