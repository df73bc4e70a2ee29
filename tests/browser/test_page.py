"""The public contract of webkeras.js, in a real browser: what comes out is worked out by hand below."""

import re

import pytest

from tests.browser.site import BIAS, KERNEL, OUT, model_json
from tools.common import ROOT

FILES = "{ model: '/m.json', weights: '/m.buf', metadata: '/m_metadata.json' }"
DOUBLE = "{ model: '/double.json', weights: '/double.buf', metadata: '/m_metadata.json' }"
MODES = pytest.mark.parametrize("worker", [True, False], ids=["worker", "page"])
BACKENDS = pytest.mark.parametrize("backend", ["webgl2", "wasm", "reference"])


def hidden(x, factor=1):
    return [max(0.0, sum(v * factor * KERNEL[i][j] for i, v in enumerate(x)) + BIAS[j]) for j in range(3)]


def answer(x, factor=1):
    return [sum(h * OUT[i][j] for i, h in enumerate(hidden(x, factor))) for j in range(2)]


INPUTS = [[1, 2], [3, 4], [1, 2, -3, 4], [5, 6], [7, 8], [9, 1]]


def answers(x):
    return [y for i in range(0, len(x), 2) for y in answer(x[i : i + 2])]


def near(found, expected):
    return found == pytest.approx(expected, abs=1e-5)


@MODES
@BACKENDS
def test_predicts_and_describes_itself(site, worker, backend):
    site.open("page.html")
    found = site.js(
        f"""
        const model = new WebKeras.Model({{ filepaths: {FILES}, worker: args[0], backend: args[1] }}), seen = [];
        for (const type of ["loadingprogress", "initprogress", "predictprogress"])
          model.addEventListener(type, (e) => seen.push([type, e.progress]));
        await model.ready();
        const one = await model.predict({{ hidden_input: new Float32Array([1, 2]) }});
        const named = await model.predict({{ input: [[1, 2], [-3, 4]] }});
        const told = await model.predict({{ input: {{ data: new Int8Array([1, 2]), shape: [1, 2] }} }});
        return {{ one: [...one.answer], shape: one.answer.shape, kind: one.answer.constructor.name,
          named: [...named.output], shapes: named.output.shape, told: [...told.answer], seen,
          progress: model.getLoadingProgress(), inputs: model.inputs, outputs: model.outputs, layers: model.layers,
          backend: model.backend, stats: model.stats }};
        """,
        worker,
        backend,
    )
    assert near(found["one"], answer([1, 2]))
    assert (found["shape"], found["kind"]) == ([1, 2], "Float32Array")
    assert near(found["named"], answer([1, 2]) + answer([-3, 4]))
    assert found["shapes"] == [2, 2]
    assert near(found["told"], answer([1, 2]))
    assert found["inputs"] == [{"name": "hidden_input", "shape": [None, 2], "dtype": "float32"}]
    assert found["outputs"] == [{"name": "answer", "shape": [None, 2], "dtype": "float32"}]
    layers = {row["name"]: row for row in found["layers"]}
    assert layers["hidden"]["class"] == "Dense"
    assert layers["hidden"]["shape"] == [None, 3]
    assert (layers["drop"]["inbound"], layers["drop"]["outbound"]) == (["hidden"], ["answer"])
    assert found["backend"] == backend
    assert found["progress"] == 100
    events = [kind for kind, _ in found["seen"]]
    assert events.index("loadingprogress") < events.index("initprogress") < events.index("predictprogress")
    loading = [p for kind, p in found["seen"] if kind == "loadingprogress"]
    assert loading == sorted(loading)
    assert loading[-1] == 100
    for key in ("boot", "load", "init", "ready", "trace", "prepare", "predict"):
        assert found["stats"][key] >= 0, key
    assert found["stats"]["snapshot"] is True
    assert found["stats"]["files"]["weights"]["bytes"] == 60


@MODES
def test_the_page_says_how_many_threads_there_are_at_most(site, worker):
    """Without isolation there is one."""
    site.open("page.html")
    found = site.js(
        f"""globalThis.webkerasThreads = 2;
        const model = new WebKeras.Model({{ filepaths: {FILES}, worker: args[0], backend: "wasm" }});
        await model.predict({{ input: [1, 2] }});
        return [model.stats.threads, crossOriginIsolated ? Math.min(2, navigator.hardwareConcurrency) : 1];""",
        worker,
    )
    assert found[0] == found[1]


@BACKENDS
def test_gives_what_happens_inside(site, backend):
    site.open("page.html")
    found = site.js(
        f"""
        const model = new WebKeras.Model({{ filepaths: {FILES}, backend: args[0] }});
        const out = await model.predict({{ input: [1, 2] }}, {{ layers: ["hidden", "drop"] }});
        const plain = await model.predict({{ input: [1, 2] }});
        return [Object.keys(out), [...out.hidden], [...out.drop], out.hidden.shape, [...out.answer],
          [...plain.output], Object.keys(plain), [...out.output]];
        """,
        backend,
    )
    assert sorted(found[0]) == ["answer", "drop", "hidden"]
    assert near(found[1], hidden([1, 2]))
    assert near(found[2], hidden([1, 2]))  # dropout does nothing when predicting
    assert found[3] == [1, 3]
    for y in (found[4], found[5], found[7]):
        assert near(y, answer([1, 2]))
    assert found[6] == ["answer"]


@MODES
def test_answers_everyone_at_once(site, worker):
    site.open("page.html")
    found = site.js(
        f"""
        const model = (filepaths, backend) => new WebKeras.Model({{ filepaths, backend, worker: args[0] }});
        const models = [model({FILES}, "webgl2"), model({DOUBLE}, "webgl2"),
          model({FILES}, "wasm"), model({DOUBLE}, "reference")];
        const asked = [[1, 2], [-3, 4], [5, -6], [0.5, 0.25]];
        const answers = await Promise.all(asked.flatMap((x) => models.map((m) => m.predict({{ input: x }}))));
        return answers.map((a) => [...a.output]);
        """,
        worker,
    )
    for i, x in enumerate([[1, 2], [-3, 4], [5, -6], [0.5, 0.25]]):
        for k, factor in enumerate((1, 2, 1, 2)):
            assert near(found[4 * i + k], answer(x, factor))


@BACKENDS
def test_profile_and_explain_speak_of_layers(site, backend):
    site.open("page.html")
    model = f"const model = new WebKeras.Model({{ filepaths: {FILES}, backend: '{backend}' }});"
    steps, text = site.js(model + "return [await model.profile({ input: [1, 2] }), await model.explain()];")
    assert {s["layer"].split()[-1].strip("'") for s in steps} >= {"hidden", "answer"}
    assert all(s["ms"] >= 0 and s["op"] for s in steps)
    assert "hidden" in text


def test_what_was_asked_before_needs_no_python(site):
    site.open("page.html")
    found = site.js(
        f"""
        const model = new WebKeras.Model({{ filepaths: {FILES}, worker: false, backend: "wasm" }});
        const ask = async (x, more) => [...(await model.predict({{ input: new Float32Array(x) }}, more)).output];
        await model.ready();
        const {{ Engine }} = await import("/engine.mjs"), asked = Engine.prototype.asked;
        let python = 0;
        Engine.prototype.asked = function (...args) {{ python++; return asked.apply(this, args); }};
        const out = [], counts = [];
        for (const x of args[0]) {{ out.push(await ask(x)); counts.push(python); }}
        for (let n = 2; n < 11; n++) await ask(new Array(2 * n).fill(n)); // as many shapes as a model keeps, and more
        out.push(await ask([9, 1]));
        const inner = Object.keys(await model.predict({{ input: new Float32Array([9, 1]) }}, {{ layers: ["hidden"] }}));
        const wrong = await ask([1, 2, 3]).catch(String);
        const other = [...(await model.predict({{ hidden_input: new Float32Array([2, 2]) }})).output];
        const shaped = await model.predict({{ input: {{ data: [2, 2], shape: [2, 1] }} }}).catch(String);
        await model.dispose();
        const half = new WebKeras.Model({{ filepaths: {FILES}, worker: false, backend: "wasm-half" }});
        const small = [...(await half.predict({{ input: new Float32Array([1, 2]) }})).output];
        const gone = await ask([1, 2]).catch(String);
        return {{ out, counts, inner, wrong, other, shaped, small, backend: half.backend, gone }};
    """,
        INPUTS[:5],
    )
    assert all(near(y, w) for y, w in zip(found["out"], map(answers, INPUTS), strict=True))
    assert found["counts"] == [1, 1, 2, 3, 3]
    assert sorted(found["inner"]) == ["answer", "hidden"]
    assert "holds 3 numbers" in found["wrong"]
    assert near(found["other"], answer([2, 2]))
    assert "shape" in found["shaped"]
    assert "disposed" in found["gone"]
    assert found["small"] == pytest.approx(answer([1, 2]), abs=1e-2)  # weights of 16 bits
    assert found["backend"] == "wasm-half"


@MODES
def test_two_hundred_predictions_hold_memory_flat_and_dispose_gives_it_back(site, worker):
    site.open("page.html")
    found = site.js(
        f"""
        const options = {{ worker: args[0], backend: "webgl2" }};
        const kept = new WebKeras.Model({{ filepaths: {FILES}, ...options }});
        await kept.predict({{ input: [1, 2] }});
        const before = kept.stats.textures;
        const model = new WebKeras.Model({{ filepaths: {DOUBLE}, ...options }});
        const ask = (n) => model.predict({{ input: {{ data: new Float32Array(200 * n), shape: [100 * n, 2] }} }});
        for (let i = 0; i < 20; i++) await ask(1 + (i % 10)); // ten shapes: more than are kept ready
        for (let i = 0; i < 20; i++) await ask(1);
        const first = model.stats.textures, heap = [];
        for (let i = 0; i < 200; i++) {{
          await ask(1);
          if (i % 100 === 99) {{ gc(); heap.push(performance.memory.usedJSHeapSize); }}
        }}
        const last = model.stats.textures;
        await model.dispose();
        await kept.predict({{ input: [1, 2] }});
        const again = await model.predict({{ input: [1, 2] }}).then(() => "answered", (e) => e.message);
        return {{ before, first, last, after: kept.stats.textures, heap, again }};
        """,
        worker,
    )
    assert found["first"] == found["last"] > found["before"] > 0
    assert found["after"] == found["before"]
    assert "disposed" in found["again"]
    if worker:  # in the page, Python's own memory counts too
        assert found["heap"][1] < found["heap"][0] + 200_000


def test_custom_headers_are_sent(site):
    site.open("page.html")
    site.js(f"await new WebKeras.Model({{ filepaths: {FILES}, headers: {{ 'X-Key': 'abc' }} }}).ready()")
    for path in ("/m.json", "/m.buf", "/m_metadata.json"):
        assert [h.get("X-Key") for h in site.asked(path)] == ["abc"]


def test_second_visit_asks_whether_anything_changed(site):
    load = f"""
        const model = new WebKeras.Model({{ filepaths: {FILES} }});
        const out = await model.predict({{ input: [1, 2] }});
        for (const f of Object.values({FILES})) while (!(await caches.match(f)));  // kept after the answer
        return [[...out.output], Object.values(model.stats.files).map((f) => f.cached)];
    """
    site.open("page.html")
    assert site.js(load)[1] == [False] * 3
    site.open("page.html")
    found, cached = site.js(load)
    assert cached == [True] * 3
    assert near(found, answer([1, 2]))
    assert "If-None-Match" in site.asked("/m.buf")[1]
    site.files["/m.buf"] = site.files["/double.buf"]
    site.open("page.html")
    found, cached = site.js(load)
    assert (sorted(cached), near(found, answer([1, 2], 2))) == ([False, True, True], True)


@MODES
def test_works_under_a_strict_content_security_policy(site, worker):
    site.headers["Content-Security-Policy"] = "script-src 'self' 'wasm-unsafe-eval'; object-src 'none'"
    site.open("page.html")
    found = site.js(
        f"""
        const model = new WebKeras.Model({{ filepaths: {FILES}, worker: args[0], backend: "webgl2" }});
        const out = await model.predict({{ input: [1, 2] }});
        let evaluated = true;
        try {{ eval("1"); }} catch {{ evaluated = false; }}
        return [[...out.output], evaluated];
        """,
        worker,
    )
    assert near(found[0], answer([1, 2]))
    assert found[1] is False  # the policy did hold


def test_addresses_are_relative_to_the_page(site):
    site.files |= {f"/deep/er{k}": site.files[k] for k in ("/m.json", "/m.buf", "/m_metadata.json")}
    site.open("deep/er/page.html")
    found = site.js(
        """
        const filepaths = { model: "m.json", weights: "m.buf", metadata: "./m_metadata.json" };
        const model = new WebKeras.Model({ filepaths, base: "../../" });
        return [...(await model.predict({ input: [1, 2] })).output];
        """
    )
    assert near(found, answer([1, 2]))
    assert site.asked("/deep/er/m.buf")


@MODES
def test_library_may_come_from_another_origin(site, address, worker):
    """The library and Pyodide from 127.0.0.1, the page and its model from localhost."""
    site.headers |= {
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    here = site.address.replace("127.0.0.1", "localhost")
    site.files["/foreign.html"] = f'<!doctype html><script src="{site.address}/webkeras.js"></script>'.encode()
    site.driver.get(f"{here}/foreign.html")
    found = site.js(
        f"""
        const ask = async (filepaths) => {{
          const model = new WebKeras.Model({{ filepaths, worker: args[0] }});
          return [...(await model.predict({{ input: [1, 2] }})).output];
        }};
        const away = Object.fromEntries(Object.entries({DOUBLE}).map(([k, v]) => [k, args[1] + v]));
        return [await ask({FILES}), WebKeras.base, location.origin, await ask(away)];
        """,
        worker,
        site.address,
    )
    assert near(found[0], answer([1, 2]))
    assert near(found[3], answer([1, 2], 2))  # its files from there, too
    assert found[1] == f"{site.address}/"
    assert found[2] == here


def test_is_a_module_too(site):
    site.open("module.html")
    found = site.js(
        f"""
        const {{ default: WebKeras, Model, backends, version }} = await import("/webkeras.mjs");
        const model = new Model({{ filepaths: {FILES} }});
        return [[...(await model.predict({{ input: [1, 2] }})).output], await backends(), version, WebKeras.base];
        """
    )
    assert near(found[0], answer([1, 2]))
    assert found[1]["webgl2"] == ""
    assert found[1]["reference"] == ""
    assert found[2].count(".") == 2
    assert found[3] == f"{site.address}/"


def test_the_page_of_the_readme_works(site):
    (page,) = re.findall(r"```html\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    site.files |= {"/readme.html": page.encode(), "/m_weights.buf": site.files["/m.buf"]}
    site.open("readme.html")
    numbers, backend = site.js(
        """
        const p = document.getElementById("answer");
        while (!p.textContent) await new Promise((done) => setTimeout(done, 100));
        return p.textContent.split(" on ");
        """
    )
    assert near([float(v) for v in numbers.split(",")], answer([1, 2]))
    assert backend in ("webgl2", "wasm")


def test_files_of_the_visitor_do_as_well(site):
    site.open("page.html")
    found = site.js(
        """
        const file = async (url, name) => new File([await (await fetch(url)).arrayBuffer()], name);
        const filepaths = { model: await file("/m.json", "mine.json"), weights: await file("/m.buf", "mine.buf"),
          metadata: await file("/m_metadata.json", "mine_metadata.json") };
        const model = new WebKeras.Model({ filepaths });
        const out = await model.predict({ input: [1, 2] });
        const weights = new File([new Uint8Array(8)], "cut.buf");
        const short = new WebKeras.Model({ filepaths: { ...filepaths, weights } });
        return [[...out.output], await short.ready().catch((e) => e.message)];
        """
    )
    assert near(found[0], answer([1, 2]))
    assert "cut.buf: 8 bytes" in found[1]


def test_works_offline_after_the_first_visit(site):
    site.open("page.html")
    load = f"""
        const model = new WebKeras.Model({{ filepaths: {FILES}, backend: "webgl2" }});
        return [...(await model.predict({{ input: [1, 2] }})).output];
    """
    site.js("""
        await navigator.serviceWorker.register("/offline.js");
        await navigator.serviceWorker.ready;
        await new Promise((done) => navigator.serviceWorker.controller ? done()
          : navigator.serviceWorker.addEventListener("controllerchange", done));
    """)
    site.open("page.html")  # now every file goes past the service worker
    assert near(site.js(load), answer([1, 2]))
    site.js("""
        for (let i = 0; i < 100; i++) {  // the snapshot is large; the worker writes it at leisure
          const cache = await caches.open("webkeras-offline");
          if (await cache.match("/pyodide/snapshot.bin") && await cache.match("/m.buf")) return;
          await new Promise((done) => setTimeout(done, 200));
        }
        throw new Error("nothing was kept");
    """)
    site.stop()
    site.open("page.html")
    try:
        assert near(site.js(load), answer([1, 2]))
    finally:
        site.start(int(site.address.rpartition(":")[2]))
        site.js("for (const r of await navigator.serviceWorker.getRegistrations()) await r.unregister();")


def test_reshaped_model_is_another_model(site):
    """A model whose input is open takes {data, shape}, and says so."""
    open_model = model_json().replace(b'"batch_input_shape": [null, 2]', b'"batch_input_shape": [null, null, 2]')
    site.files["/open.json"] = open_model
    site.open("page.html")
    found = site.js(
        """
        const filepaths = { model: "/open.json", weights: "/m.buf", metadata: "/m_metadata.json" };
        const model = new WebKeras.Model({ filepaths });
        await model.ready();
        const flat = await model.predict({ input: [1, 2] }).then(() => "answered", (e) => e.message);
        const out = await model.predict({ input: { data: [1, 2, -3, 4], shape: [1, 2, 2] } });
        return [flat, [...out.output], out.output.shape, model.inputs[0].shape];
        """
    )
    assert "{data, shape}" in found[0]
    assert near(found[1], answer([1, 2]) + answer([-3, 4]))
    assert found[2] == [1, 2, 2]
    assert found[3] == [None, None, 2]
