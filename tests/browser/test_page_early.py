"""What is done while weights are on their way: all that needs only the model and the metadata."""

import math
import threading

import pytest

from tests.browser.site import dense, model_json
from tests.browser.test_page import FILES, MODES, answer, hidden, near

LAYERS = [dense("hidden", 3, "relu", batch_input_shape=[None, 2]), dense("answer", 2, "softplus")]


@pytest.fixture
def held(site):
    """A site that keeps m.buf until somebody asks for /now."""
    site.held["/m.buf"] = site.released["/now"] = threading.Event()
    site.files["/now"] = b"now"
    site.open("page.html")
    return site


def softplus(x):
    a, b, c = hidden(x)
    return [math.log1p(math.exp(v)) for v in (a + c, b + c)]


def test_programs_compile_and_draw_before_the_weights_are_here(held):
    """The server sends them only when a shader of the model's own has drawn: else it fails."""
    held.files["/odd.json"] = model_json(layers=LAYERS)
    seen, found = held.js(
        f"""
        const {{ prototype }} = WebGL2RenderingContext, seen = [], own = new Set();
        const before = (name, look) => {{
          const method = prototype[name];
          prototype[name] = function (...args) {{ return look(this, ...args), method.apply(this, args); }};
        }};
        before("shaderSource", (gl, shader, source) => /EPILOGUE.*log/.test(source) && own.add(shader));
        before("attachShader", (gl, program, shader) => own.has(shader) && own.add(program));
        before("drawArrays", (gl) => {{
          if (!own.has(gl.getParameter(gl.CURRENT_PROGRAM)) || seen.includes("draws")) return;
          seen.push("draws"), fetch("/now");
        }});
        const filepaths = {FILES.replace("m.json", "odd.json")};
        const model = new WebKeras.Model({{ filepaths, backend: "webgl2", worker: false }});
        for (const type of ["loadingprogress", "initprogress"])
          model.addEventListener(type, (e) => seen.push([type, e.progress]));
        const {{ output }} = await model.predict({{ input: [1, 2] }});
        return [seen, [...output]];
        """
    )
    assert near(found, softplus([1, 2]))
    assert seen.index("draws") < seen.index(["initprogress", 0])
    events = [e for e in seen if e not in ("draws", ["loadingprogress", 100])]  # the last one says that all is done
    assert events == sorted(events, key=lambda e: (e[0] != "loadingprogress", e[1]))


@MODES
@pytest.mark.parametrize("backend", ["webgl2", "wasm", "reference"])
def test_the_answer_is_the_same_and_waiting_is_no_work(held, worker, backend):
    found, stats = held.js(
        f"""
        const model = new WebKeras.Model({{ filepaths: {FILES}, backend: args[1], worker: args[0] }});
        model.addEventListener("loadingprogress", (e) => e.progress > 70 && setTimeout(() => fetch("/now"), 1000));
        return [[...(await model.predict({{ input: [1, 2] }})).output], model.stats];
        """,
        worker,
        backend,
    )
    h = hidden([1, 2])
    assert near(found, [h[0] + h[2], h[1] + h[2]])
    assert stats["files"]["weights"]["ms"] >= 1000
    assert 0 <= stats["prepare"] < 900


@MODES
def test_the_wait_for_the_self_test_is_no_work_of_any_model(site, worker):
    """Neither of the model that waited for it, nor taken off those that came after it."""
    site.open("page.html")
    found = site.js(
        f"""
        const filepaths = {FILES}, found = [];
        for (const backend of ["webgl2", "wasm", "webgl2", "reference"]) {{
          const model = new WebKeras.Model({{ filepaths, backend, worker: args[0] }});
          await model.ready();
          found.push(model.stats.prepare);
        }}
        return found;
        """,
        worker,
    )
    assert all(ms >= 0 for ms in found), found


@MODES
def test_a_bad_model_is_refused_before_its_weights_are_here(held, worker):
    message = held.js(
        f"""
        const model = new WebKeras.Model({{ filepaths: {FILES.replace("m.json", "unknown.json")}, worker: args[0] }});
        return model.ready().then(() => "", (e) => e.message);
        """,
        worker,
    )
    assert "'hidden', a layer the model 'two' does not have" in message
    assert not held.held["/m.buf"].is_set()


@MODES
@pytest.mark.parametrize("shape", [[None, 2], [None, None, 2]], ids=["one shape", "any shape"])
def test_a_driver_that_computes_wrongly_is_refused_when_a_model_is_loaded(site, worker, shape):
    """The self-test goes on while a model is read and planned, but no model is ready before its end."""
    site.files["/any.json"] = model_json(layers=[dense("hidden", 3, "relu", batch_input_shape=shape), *LAYERS[1:]])
    site.open("page.html")
    lies = """
    const { prototype } = WebGL2RenderingContext, read = prototype.getBufferSubData;
    prototype.getBufferSubData = function (target, offset, into) {
      read.call(this, target, offset, into);
      into.forEach((v, i) => (into[i] = 1.5 * v));
    };
    """
    found = site.js(
        f"""
        const honest = Worker, lies = args[1];
        {lies if not worker else ""}
        globalThis.Worker = class extends honest {{
          constructor(url, options) {{
            const first = URL.createObjectURL(new Blob([lies], {{ type: "text/javascript" }}));
            const text = `import "${{first}}"; import "${{new URL(url, location)}}";`;
            super(URL.createObjectURL(new Blob([text], {{ type: "text/javascript" }})), options);
          }}
        }};
        const options = {{ filepaths: {FILES.replace("m.json", "any.json")}, backend: "webgl2", worker: args[0] }};
        return new WebKeras.Model(options).ready().then(() => "", (e) => `${{e.name}}: ${{e.message}}`);
        """,
        worker,
        lies,
    )
    assert found.startswith("NoBackend: this GPU's driver computes a convolution wrongly")


@pytest.mark.parametrize("there", [True, False], ids=["", "its plan is missing"])
def test_the_self_test_of_the_gpu_begins_before_python_is_there(site, there):
    """Python's memory comes only when it has begun; where the page cannot begin it, Python does."""
    if there:
        site.held["/pyodide/snapshot.bin"] = site.released["/now"] = threading.Event()
    else:
        site.files |= {f"/selftest/{lanes}-{n}.json": b"<html>" for lanes in (4, 8) for n in (1, 2, 4)}
    site.files["/now"] = b"now"
    site.open("page.html")
    runners, begun, snapshot, found = site.js(
        f"""
        await Promise.all(["common.js", "runner.js"].map((name) => import(new URL(name, location.href))));
        const {{ create }} = webkerasRunner, runners = [], begun = [];
        webkerasRunner.create = (...args) => {{
          const runner = create(...args), {{ begin }} = runner;
          runner.begin = (plan) => {{
            begun.push(Object.keys(plan.inputs)), fetch("/now");
            return begin.call(runner, plan);
          }};
          return runners.push(runner), runner;
        }};
        const model = new WebKeras.Model({{ filepaths: {FILES}, backend: "webgl2", worker: false }});
        const {{ output }} = await model.predict({{ input: [1, 2] }});
        return [runners.length, begun, model.stats.snapshot, [...output]];
        """
    )
    assert runners == 1
    assert begun == [[], ["hidden_input"]]
    assert snapshot is True
    assert near(found, answer([1, 2]))
