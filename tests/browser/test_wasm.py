"""The kernels' machine in Chromium: with workers where the page is isolated, without elsewhere, on both modules."""

import json
import os
import subprocess
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest

from tests import every_kernel
from tests.browser.pages import Page
from tests.golden.models import rebuild
from tools.common import ROOT, WEB
from tools.serve import Handler
from webkeras import load_model, ops
from webkeras.backends.wasm import module
from webkeras.backends.wasm.plan import plan
from webkeras.buffer import HostBuffer
from webkeras.graph import Graph, Literal, Value, run
from webkeras.weights import Tensor

FOLDER = WEB / "test-models"
KERNELS = ROOT / "src/webkeras/backends/wasm"


class Plain(Handler):
    """A server as most are: the page may not share memory with its workers."""

    def send_header(self, keyword: str, value: str) -> None:
        if not keyword.startswith("Cross-Origin-"):
            super().send_header(keyword, value)


@pytest.fixture(scope="module", params=[True, False], ids=["isolated", "not isolated"])
def machine_page(request, chromium_driver) -> Iterator[tuple[Page, bool]]:
    """A page with machine.js and the modules beside it."""
    handler = Handler if request.param else Plain
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: handler(*a, directory=str(WEB)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield Page(chromium_driver, f"http://127.0.0.1:{server.server_port}"), request.param
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def mnist():
    """A model's folder, with its plan for one sample."""
    folder = rebuild.rebuild("mnist_cnn", FOLDER)
    files = {"weights": folder / "mnist_cnn_weights.buf", "metadata": folder / "mnist_cnn_metadata.json"}
    model = load_model(folder / "mnist_cnn.json", **files, backend="reference")
    io = json.loads((folder / "io.json").read_text())
    text, _ = module.program(plan(model.network.trace({model.inputs[0].name: tuple(io["input"])})))
    (folder / "plan.json").write_text(text)
    for name in ("kernels.wasm", "kernels_relaxed.wasm"):
        (folder / name).write_bytes((KERNELS / name).read_bytes())
    return np.fromfile(folder / "y.f32", "<f4")[: int(np.prod(io["output"]))]


RUN = """
for (const script of ["common", "machine"]) await import(`/${script}.js`);
const at = "/test-models/mnist_cnn/", [relaxed, threads, runs] = args;
const bytes = async (f) => new Uint8Array(await (await fetch(at + f)).arrayBuffer());
const modules = [relaxed ? "kernels_relaxed.wasm" : "kernels.wasm", "kernels.wasm"];
const opened = webkerasWasm.open(await bytes(modules[0]), await bytes(modules[1]), threads);
const plan = { ...(await (await fetch(at + "plan.json")).json()), threads };
const machine = webkerasWasm.create(opened, plan, [await bytes("mnist_cnn_weights.buf")], "/machine.js");
await machine.staffed;
const [name] = Object.keys(plan.inputs), x = new Float32Array((await bytes("x.f32")).buffer, 0, plan.inputs[name][1]);
const all = [];
for (let i = 0; i < runs; i++) all.push([...Object.values(machine.run({ [name]: x }))[0]]);
const used = machine.threads, times = machine.profile({ [name]: x });
const ask = async (method) => all.push([...Object.values(await machine[method]({ [name]: x }))[0]]);
await ask("run"); // as if it had not been profiled
const now = performance.now.bind(performance);
let late = 0, rests = 0, ended = false;
performance.now = () => now() + (late += 10); // every instruction takes longer than a slice
const slow = ask("predict").then(() => (ended = true)), rest = () => new Promise((done) => setTimeout(done));
for (; !ended; rests++) {
  if (rests === 1) machine.run({ [name]: x.map(() => 1) }); // overtakes
  await rest();
}
await slow;
performance.now = now;
machine.took = 0;
await ask("predict"); // whole again
machine.free();
const y = all[0], gone = await machine.predict({ [name]: x }).then(String, () => "refused");
const same = all.every((z) => z.every((v, i) => v === y[i]));
return { y, rests, gone, same, used, left: machine.workers.length, times };
"""


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("relaxed", [False, True], ids=["plain", "relaxed"])
def test_threads_agree(machine_page, mnist, threads, relaxed):
    page, isolated = machine_page
    page.open("pyodide/pyodide-lock.json")
    found = page.js(RUN, relaxed, threads, 50)
    assert found["used"] == (threads if isolated else 1)
    assert found["same"], "two runs of the same input differ"
    assert np.abs(np.array(found["y"]) - mnist).max() / np.abs(mnist).max() < 1e-4
    assert found["left"] == 0
    assert found["rests"] > 2
    assert found["gone"] == "refused"
    assert len(found["times"]) == 6  # two convolutions, a pool, two products, a softmax
    assert all(ms >= 0 for ms in found["times"])


@pytest.fixture(scope="module")
def every():
    """The folder of the model with every kernel: its plan and its inputs."""
    folder = FOLDER / "every_kernel"
    folder.mkdir(parents=True, exist_ok=True)
    planned, feeds = plan(every_kernel.graph()), every_kernel.feeds()
    text, buffers = module.program(planned)
    assert not buffers  # constants are words of the plan
    (folder / "plan.json").write_text(text)
    (folder / "x.f32").write_bytes(b"".join(feeds[name].tobytes() for name in planned.inputs))
    return folder


LOADED = """
for (const script of ["common", "machine"]) await import(`/${script}.js`);
const at = "/test-models/mnist_cnn/", bytes = async (f) => new Uint8Array(await (await fetch(f)).arrayBuffer());
const modules = [await bytes(at + "kernels_relaxed.wasm"), await bytes(at + "kernels.wasm")];
const plan = await (await fetch("/test-models/every_kernel/plan.json")).json();
const x = new Float32Array((await bytes("/test-models/every_kernel/x.f32")).buffer), feeds = {};
let from = 0;
for (const [name, [, size]] of Object.entries(plan.inputs)) feeds[name] = x.subarray(from, (from += size));
const spin = URL.createObjectURL(new Blob(["for (;;);"])), busy = [0, 1, 2].map(() => new Worker(spin));
let one = null;
const found = [];
for (const threads of [1, 2, 4]) {
  const machine = webkerasWasm.create(webkerasWasm.open(...modules, threads), { ...plan, threads }, [], "/machine.js");
  await machine.staffed;
  let other = 0;
  for (let i = 0; i < args[0]; i++) {
    const y = Object.values(machine.run(feeds)).flatMap((v) => [...new Int32Array(v.buffer)]);
    one ??= y;
    other += y.some((v, j) => v !== one[j]);
  }
  found.push([machine.threads, other]);
  machine.free();
}
busy.forEach((w) => w.terminate());
return found;
"""


def test_threads_on_a_busy_machine_give_the_bytes_of_one(machine_page, mnist, every):
    page, isolated = machine_page
    page.open("pyodide/pyodide-lock.json")
    found = page.js(LOADED, 40)
    assert found == ([[1, 0], [2, 0], [4, 0]] if isolated else [[1, 0], [1, 0], [1, 0]])


def test_a_short_plan_is_run_by_as_many_threads_as_are_quicker(machine_page, mnist, every):
    page, isolated = machine_page
    page.open("pyodide/pyodide-lock.json")
    best = page.js("""
        for (const script of ["common", "machine"]) await import(`/${script}.js`);
        const at = "/test-models/mnist_cnn/", bytes = async (f) => new Uint8Array(await (await fetch(f)).arrayBuffer());
        const opened = webkerasWasm.open(await bytes(at + "kernels_relaxed.wasm"), await bytes(at + "kernels.wasm"), 2);
        const stored = await (await fetch("/test-models/every_kernel/plan.json")).json();
        const plan = { ...stored, threads: 2, short: true };
        const machine = webkerasWasm.create(opened, plan, [], "/machine.js"), { kernels } = machine, found = [];
        await machine.staffed;
        const feeds = { x: new Float32Array(plan.inputs.x[1]), ids: new Float32Array(plan.inputs.ids[1]) };
        const late = (f) => (...a) => { const t = performance.now() + 100; f(...a); while (performance.now() < t); };
        for (const name of ["run", "run_all"]) {
          machine.kernels = { ...kernels, [name]: late(kernels[name]) };
          machine.trial = 0;
          for (let i = 0; i < 6; i++) machine.run(feeds);
          found.push(machine.best);
        }
        machine.free();
        return found;
    """)
    assert best == ([2, 1] if isolated else [1, 1])


def test_threads_give_the_bytes_of_one_in_code_of_the_baseline_compiler(every, tmp_path):
    """In Node, whose V8 of 2023 lost the locals of a function that waits."""
    command = ["node", "--liftoff-only", ROOT / "tests/host/wasm/node.mjs", every / "plan.json"]
    found = []
    for threads in ("1", "2", "4"):
        environment = {**os.environ, "THREADS": threads, "RUNS": "40"}
        with (every / "x.f32").open("rb") as x, (tmp_path / threads).open("wb") as y:
            subprocess.run(command, stdin=x, stdout=y, env=environment, check=True, timeout=120)
        whole = (tmp_path / threads).read_bytes()
        found.append({whole[i : i + len(whole) // 40] for i in range(0, len(whole), len(whole) // 40)})
    assert [len(f) for f in found] == [1, 1, 1]
    assert found[0] == found[1] == found[2]


def test_a_model_too_large_is_refused(machine_page):
    page, _ = machine_page
    page.open("pyodide/pyodide-lock.json")
    sentence = page.js("""
        for (const script of ["common", "machine"]) await import(`/${script}.js`);
        const plan = { floats: 2 ** 30, scratch: 0, instructions: 0, threads: 1, once: [],
          program: [0, 2], inputs: {}, outputs: {} };
        const bytes = async (f) => new Uint8Array(await (await fetch("/test-models/mnist_cnn/" + f)).arrayBuffer());
        const opened = webkerasWasm.open(await bytes("kernels_relaxed.wasm"), await bytes("kernels.wasm"), 1);
        try { webkerasWasm.create(opened, plan, [], null); } catch (e) { return String(e); }
        return "";
    """)
    assert "emory" in sentence


def test_bytes_of_a_file_reach_the_kernels_as_bytes(tmp_path):
    """In Node: loaded from an odd place of the file, packed, multiplied by batch normalisation's factors."""
    rng = np.random.default_rng(3)
    stored = Tensor("", "w", (37, 40), "uint8", HostBuffer(rng.bytes(7 + 37 * 40)), 7, -0.8, 0.006)
    scale = Value((40,), constant=Literal((40,), tuple(rng.uniform(1, 2, 40).tolist())))
    x = Value((1, 37), name="x")
    graph = Graph({"x": x}, {"y": ops.matmul(x, Value((37, 40), constant=stored)) * ops.rsqrt(scale)})
    text, buffers = module.program(plan(graph, half=True))
    assert [step[5] for step in json.loads(text)["once"] if step[0] == "load"] == ["bytes"]
    (tmp_path / "plan.json").write_text(text)
    (tmp_path / "w.buf").write_bytes(buffers[0].data)
    feed = rng.uniform(-1, 1, (1, 37)).astype("float32")
    command = ["node", ROOT / "tests/host/wasm/node.mjs", tmp_path / "plan.json", tmp_path / "w.buf"]
    got = subprocess.run(command, input=feed.tobytes(), capture_output=True, check=True, timeout=60).stdout
    np.testing.assert_allclose(np.frombuffer(got, "<f4"), run(graph, {"x": feed})["y"][0], rtol=1e-5, atol=1e-6)


def test_every_float_of_sixteen_bits_is_widened_exactly(tmp_path):
    """In Node: the infinities and what is no number, too."""
    every = np.arange(1 << 16, dtype="<u2")
    stored = Tensor("", "w", every.shape, "float16", HostBuffer(b"?" + every.tobytes()), 1)
    x, w = Value(every.shape, name="x"), Value(every.shape, constant=stored)
    text, buffers = module.program(plan(Graph({"x": x}, {"y": ops.maximum(x, 0.0) + w})))
    (tmp_path / "plan.json").write_text(text)
    (tmp_path / "w.buf").write_bytes(buffers[0].data)
    command = ["node", ROOT / "tests/host/wasm/node.mjs", tmp_path / "plan.json", tmp_path / "w.buf"]
    got = subprocess.run(command, input=bytes(4 << 16), capture_output=True, check=True, timeout=60).stdout
    np.testing.assert_array_equal(np.frombuffer(got, "<f4"), every.view("<f2").astype("float32"))
