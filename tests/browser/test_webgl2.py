"""The webgl2 backend from Python: chains on the GPU, half floats, lost contexts, drivers that lie."""

import pytest

pytestmark = pytest.mark.driver_timeout(300)

SETUP = """
import asyncio, js
import numpy as np
from webkeras import ops
from webkeras.backends import available, choose
from webkeras.backends.webgl2 import context
from webkeras.errors import DeviceLost
from webkeras.graph import Graph, Literal, Value, run

w = np.linspace(-1, 1, 64, dtype="float32")
def dense(scale):
    x = Value((1, 8), name="x")
    y = ops.tanh(ops.matmul(x, Value((8, 8), constant=Literal((8, 8), tuple(w.tolist()))))) * scale
    return Graph({"x": x}, {"y": y})
x = np.arange(8, dtype="float32").reshape(1, 8) / 8
def off(got, want):
    return float(np.abs(np.asarray(got.to_py()).ravel() - want.ravel()).max())
once = run(dense(0.5), {"x": x})["y"]
twice = run(dense(2.0), {"x": once})["y"]
gpu = choose("webgl2")
"""


LIARS = '''
import sys
from contextlib import contextmanager
from webkeras.backends import auto as measured
from webkeras.errors import NoBackend
backends = sys.modules["webkeras.backends"]  # webkeras.backends is a function of the same name

@contextmanager
def driver(set_up, lies):
    # A new runner, set up so, whose driver makes what is read half as large again while this is true of it.
    kept = context._runner, dict(backends._open)
    js.eval("""globalThis.honest = webkerasRunner.create;
    webkerasRunner.create = (canvas) => {
      const made = honest(canvas), read = made.read.bind(made), collect = made.collect.bind(made);
      const scaled = (v) => (LIES ? v.map((f) => f * 1.5) : v);
      const larger = (o) => Object.fromEntries(Object.entries(o).map(([k, v]) => [k, scaled(v)]));
      SET_UP;
      made.read = (e) => larger(read(e));
      made.collect = (...args) => collect(...args).then(larger);
      return made;
    };""".replace("SET_UP", set_up).replace("LIES", lies))
    context._runner = None
    backends._open.clear()
    try:
        yield
    finally:
        js.eval("webkerasRunner.create = honest")
        context._runner, context._refused = kept[0], ""
        backends._open.clear()
        backends._open.update(kept[1])
'''


@pytest.fixture(scope="module")
def python(selenium_module_scope):
    selenium = selenium_module_scope
    selenium.load_package(["webkeras", "numpy"])
    selenium.run(SETUP)
    selenium.run(LIARS)
    return selenium


def test_an_output_stays_on_the_gpu(python):
    assert python.run("""
    a, b = gpu.prepare(dense(0.5)), gpu.prepare(dense(2.0))
    a.leave({"x": x.ravel()})
    chained = off(b.run({"x": a.output("y")})["y"], twice)
    a.free(); b.free()
    chained
    """) < 1e-6  # fmt: skip


MODELS = """
import json, webkeras
from webkeras.kept import Kept
layer = {"name": "d", "units": 8, "use_bias": False, "activation": "tanh", "batch_input_shape": [None, 8]}
layers = [{"class_name": "Dense", "config": layer}]
config = {"class_name": "Sequential", "keras_version": "2.15.0", "config": {"name": "one", "layers": layers}}
entry = {"layer_name": "d", "weight_name": "d/kernel:0", "offset": 0, "length": 64, "shape": [8, 8], "type": "float32"}
def model(backend):
    files = {"weights": w.tobytes(), "metadata": json.dumps([entry]).encode()}
    return webkeras.load_model(json.dumps(config).encode(), **files, backend=backend)
batch = np.linspace(-1, 1, 24, dtype="float32").reshape(3, 8)
want = np.tanh(np.tanh(batch @ w.reshape(8, 8)) @ w.reshape(8, 8))
"""


def test_what_a_model_keeps_on_the_gpu_feeds_another(python):
    python.run(MODELS)
    far, reads, kind, gone = python.run('''
    a, b, c = model("webgl2"), model("webgl2"), model("reference")
    context.test()  # which reads too
    js.eval("""(gl) => { const read = gl.readPixels; gl.downloads = 0;
      gl.readPixels = (...a) => { gl.downloads++; return read.apply(gl, a); }; }""")(context.runner().gl)
    kept = a.predict(batch, keep=True)
    b.predict(kept, keep=True)
    reads = context.runner().gl.downloads
    far = [float(np.abs(m.predict(kept) - want).max()) for m in (b, c)]
    kind = isinstance(kept, Kept)
    a.predict(batch)
    try:
        b.predict(kept)
        gone = ""
    except webkeras.WebKerasError as e:
        gone = str(e)
    for m in (a, b, c):
        m.dispose()
    [far, reads, kind, gone]
    ''')  # fmt: skip
    assert max(far) < 1e-6
    assert (reads, kind) == (0, True)
    assert "predicted again" in gone


def test_half_floats_are_an_option(python):
    assert 1e-6 < python.run("""
    e = choose("webgl2-half").prepare(dense(0.5))
    half = off(e.run({"x": x.ravel()})["y"], once)
    e.free()
    half
    """) < 5e-3  # fmt: skip


def test_a_lost_context_is_an_error_by_name_and_comes_back(python):
    said, error = python.run_async("""
    e = gpu.prepare(dense(0.5))
    lose = context.runner().gl.getExtension("WEBGL_lose_context")
    lose.loseContext()
    await asyncio.sleep(0.1)
    said = ""
    try:
        e.run({"x": x.ravel()})
    except DeviceLost as lost:
        said = str(lost)
    lose.restoreContext()
    for _ in range(100):
        await asyncio.sleep(0.1)
        if not context.runner().lost:
            break
    error = off((await e.run_async({"x": x.ravel()}))["y"], once)
    e.free()
    [said, error]
    """)
    assert said == "webgl2: the GPU context was lost; predict again once it is restored"
    assert error < 1e-6


def test_a_driver_that_lies_is_refused_and_another_backend_taken(python):
    why, refused, taken, again = python.run('''
    with driver("", "true"):
        why, auto, quick, measured.QUICK = available()["webgl2"], choose("auto"), measured.QUICK, -1  # try all
        trial = auto.prepare(dense(0.5))
        for _ in range(4): trial.run({"x": x.ravel()})
        trial.free()
        measured.QUICK = quick
    [why, auto.refused["webgl2"], auto.name, available()["webgl2"]]
    ''')
    assert "this GPU's driver computes a convolution wrongly" in why
    assert why in refused
    assert taken == "wasm"
    assert again == ""


def test_a_driver_that_lies_is_found_out_before_the_first_answer(python):
    opened, said, left = python.run_async('''
    said = []
    with driver("", "true"):
        backend = choose("webgl2")
        textures = backend.runner.textures
        for _ in range(2):
            try:
                await backend.prepare_async(dense(0.5))
            except NoBackend as e:
                said.append(str(e))
        try:
            backend.prepare(dense(0.5))
        except NoBackend as e:
            said.append(str(e))
    [backend.name, said, backend.runner.textures - textures]
    ''')
    assert opened == "webgl2"
    assert len(said) == 3
    assert all("this GPU's driver computes a convolution wrongly" in s for s in said)
    assert left == 0


def test_a_driver_whose_fragments_lie_to_each_other_only_is_taken_without(python):
    neighbours, error, left = python.run_async('''
    with driver("made.neighbours = 2", "made.neighbours > 1"):
        backend = choose("webgl2")
        before = backend.runner.textures, backend.limits.neighbours
        e = await backend.prepare_async(dense(0.5))
        error = off((await e.run_async({"x": x.ravel()}))["y"], once)
        e.free()
    [[before[1], backend.limits.neighbours], error, backend.runner.textures - before[0]]
    ''')
    assert neighbours == [2, 1]
    assert error < 1e-6
    assert left == 0
