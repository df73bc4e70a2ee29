"""A page that stays open: its own thread is free, memory stays flat and is given back, a GPU may go and come back."""

import pytest
from selenium.webdriver.common.by import By

from tests.browser.devtools import DevTools
from tests.browser.test_page import DOUBLE, FILES
from tools import demo
from tools.common import WEB

FRAME = 16  # milliseconds


@pytest.fixture
def devtools(site):
    """Made when first called, for the page that is open by then."""
    made = []

    def open_():
        made.append(DevTools(site.driver))
        return made[-1]

    yield open_
    for tools in made:
        tools.close()


PREDICTING = """
    const at = `/models/${args[0]}/${args[0]}`;
    const filepaths = { model: `${at}.json`, weights: `${at}_weights.buf`, metadata: `${at}_metadata.json` };
    globalThis.model = new WebKeras.Model({ filepaths, backend: args[1], worker: args[2] });
    await model.ready();
    globalThis.ask = async () => (await model.predict({ input: picture })).output.reduce((a, b) => a + b);
    const length = model.inputs[0].shape.reduce((a, b) => a * (b ?? 1), 1);
    globalThis.picture = Float32Array.from({ length }, (_, i) => (i % 7) / 7);
    const sum = await ask();
    if (Math.abs(sum - 1) > 1e-4) throw new Error(`probabilities with a sum of ${sum}`);
"""


BUSY = f"for (const end = performance.now() + {40 * FRAME}; performance.now() < end; );"


def test_the_page_is_free_while_a_model_predicts(site, devtools):
    """In the worker, on the CPU and on the GPU, and on the CPU in the page itself; a busy page is seen as one."""
    demo.lay_out()
    site.open("page.html")
    assert devtools().busy(lambda: site.js(BUSY)) > FRAME
    longest = {}
    for case in (("nsfw_mobilenet_v2", "wasm", True), ("fer", "webgl2", True), ("nsfw_mobilenet_v2", "wasm", False)):
        site.js(PREDICTING, *case)
        longest[case] = devtools().busy(
            lambda: site.js("for (let i = 0; i < 3; i++) await ask()")
        )
        site.js("await model.dispose()")
    assert max(longest.values()) <= FRAME, longest


@pytest.mark.parametrize("backend", ["webgl2", "wasm"])
def test_the_workers_memory_is_flat_and_given_back(site, devtools, backend):
    """Buffers, WebAssembly's memory among them, to the byte; of small objects the engine's own caches grow a little."""
    site.open("page.html")
    make = f"""
        globalThis.ask = (n) => model.predict({{ input: {{ data: new Float32Array(200 * n), shape: [100 * n, 2] }} }});
        globalThis.model = new WebKeras.Model({{ filepaths: {DOUBLE}, backend: args[0] }});
        for (let i = 0; i < 20; i++) await ask(1 + (i % 10)); // ten shapes: more than are kept ready
    """
    many = "for (let i = 0; i < 200; i++) await ask(1);"
    site.js(f"globalThis.kept = new WebKeras.Model({{ filepaths: {FILES}, backend: args[0] }})", backend)
    site.js("await kept.predict({ input: [1, 2] })")
    site.js(make + "await model.dispose()", backend)  # what is made once for all models is made now
    tools = devtools()
    worker = tools.worker()
    before = tools.memory(worker)
    site.js(make + many, backend)
    first = tools.memory(worker)
    site.js(many)
    last = tools.memory(worker)
    site.js("await model.dispose()")
    after = tools.memory(worker)
    assert last["buffers"] == first["buffers"] > before["buffers"]
    assert after["buffers"] == before["buffers"]
    assert last["objects"] < first["objects"] + 200 * 500  # a prediction's message, promise and tensors are larger


def test_dispose_leaves_nothing_in_python(site):
    site.open("page.html")
    counts = site.js(
        """
        const { Engine } = await import("/engine.mjs"), base = new URL("/", location.href).href, counts = {};
        const engine = new Engine(base), x = { data: new Float32Array(2) };
        const files = { model: `${base}m.json`, weights: `${base}m.buf`, metadata: `${base}m_metadata.json` };
        for (const backend of ["webgl2", "wasm"])
          for (let i = 0; i < 4; i++) {
            await engine.call("load", [i, { files, headers: {}, backend }]);
            await engine.call("predict", [i, { input: x }, ["hidden"]]);
            await engine.call("dispose", [i]);
            (counts[backend] ??= []).push(engine.python.runPython("import gc; gc.collect(); len(gc.get_objects())"));
          }
        return counts;
        """
    )
    for backend, (_, first, *more) in counts.items():  # the first time, modules are imported
        assert more == [first, first], backend


# Appended to the worker's script: loses its GPU and gets it back when a test says so.
LOSING = b"""
const Real = OffscreenCanvas, channel = new BroadcastChannel("gpu");
globalThis.OffscreenCanvas = class extends Real {
  constructor(...size) {
    super(...size);
    let losing;
    channel.onmessage = ({ data }) => {
      losing ??= this.getContext("webgl2").getExtension("WEBGL_lose_context"); // a lost context has no extensions
      losing[data]();
    };
  }
};
"""
FIRST = "document.querySelector('#bars .first')?.textContent.trim()"


def test_a_demo_goes_on_when_the_gpu_is_back(site):
    site.files["/worker.mjs"] = (WEB / "worker.mjs").read_bytes() + LOSING
    site.open("demos/mnist-cnn/index.html")
    site.js(
        """
        globalThis.gpu = new BroadcastChannel("gpu");
        globalThis.line = document.getElementById("status");
        globalThis.until = async (words) => {
          for (let i = 0; i < 900; i++) {
            if (words.test(line.textContent)) return line.textContent;
            await new Promise((done) => setTimeout(done, 100));
          }
          throw new Error(`${words} is never said, but ${line.textContent}`);
        };
        await until(/ ms the first time/);
        """
    )
    said = site.js("gpu.postMessage('loseContext'); return [await until(/GPU/), line.className]")
    assert said == [
        "The GPU went away; this page goes on as soon as it is back, or on another backend.",
        "status error",
    ]
    site.driver.find_element(By.ID, "pad").send_keys("4")
    site.js("await until(/lost/)")  # what is asked meanwhile is refused in a sentence
    site.js("gpu.postMessage('restoreContext'); await until(/ ms,/)")
    assert site.js(f"return {FIRST}") == "4"
    assert site.js("return line.className") == "status"


def test_the_lost_gpu_is_told(site):
    site.open("page.html")
    found = site.js(
        f"""
        const canvases = [], Real = OffscreenCanvas;
        globalThis.OffscreenCanvas = class extends Real {{ constructor(...a) {{ super(...a); canvases.push(this); }} }};
        const model = new WebKeras.Model({{ filepaths: {FILES}, worker: false, backend: "webgl2" }});
        await model.ready();
        const told = new Promise((done) => model.addEventListener("contextlost", (e) => done(e.type)));
        canvases[0].getContext("webgl2").getExtension("WEBGL_lose_context").loseContext();
        const type = await told;
        const answer = model.predict({{ input: [1, 2] }});
        return [type, await answer.then(() => "answered", (e) => e.name + ": " + e.message)];
        """
    )
    assert found[0] == "contextlost"
    assert found[1] == "answered" or (found[1].startswith("DeviceLost") and "lost" in found[1])
