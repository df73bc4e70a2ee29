"""Whole models in Chromium, through webkeras.js, against genuine Keras."""

import json

import numpy as np
import pytest

from tests.golden.models import rebuild
from tools import demo
from tools.common import ROOT, WEB

GOLDEN = ROOT / "tests/golden/models"
FOLDER = WEB / "test-models"

PREDICT = """
await import("/webkeras.js");
const [name, input, backend, runs] = args, at = `/test-models/${name}/${name}`;
const model = new WebKeras.Model({ backend, worker: false, base: "/", filepaths: {
  model: `${at}.json`, weights: `${at}_weights.buf`, metadata: `${at}_metadata.json` } });
await model.ready();
const x = new Float32Array(await (await fetch(`/test-models/${name}/x.f32`)).arrayBuffer()).slice(0, input);
const first = await model.predict({ input: x });
for (let i = 1; i < runs; i++) await model.predict({ input: x });
const last = await model.predict({ input: x });
return { y: [...first.output], again: [...last.output], backend: model.backend };
"""


def relative(got: list[float], want: np.ndarray) -> float:
    return float(np.abs(np.array(got) - want).max() / np.abs(want).max())


@pytest.mark.parametrize("backend", ["webgl2", "wasm"])
@pytest.mark.parametrize("name", ["mnist_cnn", "mobilenetv2"])
def test_answers_as_keras(page, name, backend):
    folder = rebuild.rebuild(name, FOLDER)
    io = json.loads((folder / "io.json").read_text())
    want = np.fromfile(folder / "y.f32", "<f4")[: int(np.prod(io["output"]))]
    page.open("pyodide/pyodide-lock.json")
    found = page.js(PREDICT, name, int(np.prod(io["input"])), backend, 2)
    assert found["backend"] == backend
    assert relative(found["y"], want) < 1e-4
    assert found["again"] == found["y"]


ENGINE = """
const GL = WebGL2RenderingContext.prototype, { linkProgram, shaderSource } = GL, sources = new Set();
let linked = 0;
GL.linkProgram = function (...args) { linked++; return linkProgram.apply(this, args); };
GL.shaderSource = function (shader, text) {
  if (this.getShaderParameter(shader, this.SHADER_TYPE) === this.FRAGMENT_SHADER) sources.add(text);
  return shaderSource.call(this, shader, text);
};
const { Engine } = await import("/engine.mjs");
const engine = new Engine(location.origin + "/");
const at = location.origin + "/models/fer/fer";
const spec = { headers: {}, backend: "webgl2", files: {
  model: `${at}.json`, weights: `${at}_weights.buf`, metadata: `${at}_metadata.json` } };
const id = 0;
await engine.call("load", [id, spec]);
const x = Float32Array.from(args[0]), once = () => engine.call("predict", [id, { input: { data: x } }, []]);
const first = (await once()).outputs, python = engine.python;
const counted = () => python.runPython("from webkeras.backends.webgl2 import context; context.runner().textures");
const before = counted();
for (let i = 0; i < 100; i++) await once();
const numpy = python.runPython("import sys; 'numpy' in sys.modules");
const after = counted();
await engine.call("dispose", [id]);
const y = [...Object.values(first)[0].data];
return { y, before, after, left: counted(), linked, sources: sources.size, numpy, snapshot: engine.snapshot };
"""


@pytest.fixture(scope="module")
def fer():
    """The real model and its picture, laid out as the demo does, and what genuine Keras answers."""
    demo.lay_out()
    with np.load(GOLDEN / "fer.npz") as stored:
        return stored["input"].ravel().tolist(), stored["outputs"].ravel(), stored["labels"].tolist()


def test_fer_with_half_floats(page, fer):
    x, want, _ = fer
    page.open("pyodide/pyodide-lock.json")
    got = page.js(
        """
        const { Model } = await import("/webkeras.mjs"), at = "/models/fer/fer";
        const model = new Model({ backend: "webgl2-half", worker: false, base: "/", filepaths: {
          model: `${at}.json`, weights: `${at}_weights.buf`, metadata: `${at}_metadata.json` } });
        await model.ready();
        const { output } = await model.predict({ input: Float32Array.from(args[0]) });
        await model.dispose();
        return [model.backend, ...output];
        """,
        x,
    )
    assert got[0] == "webgl2-half"
    assert 1e-5 < np.abs(np.array(got[1:]) - want).max() < 1e-3


def test_fer_on_webgl2_without_numpy_and_without_leaks(page, fer):
    x, want, labels = fer
    page.open("pyodide/pyodide-lock.json")
    found = page.js(ENGINE, x)
    assert np.abs(np.array(found["y"]) - want).max() < 1e-4
    assert labels[int(np.argmax(found["y"]))] == "happy"
    assert found["snapshot"] is True, "the page booted without the memory snapshot"
    assert found["numpy"] is False, "the page's path imported numpy"
    assert found["after"] == found["before"] > 0, "a prediction left textures behind"
    assert found["left"] == 0, "dispose left textures behind"
    assert found["linked"] == found["sources"] > 9, "a program was compiled twice"
