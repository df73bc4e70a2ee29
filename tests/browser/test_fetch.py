"""webkeras.fetch_model: what Python people call in a browser."""

from tests.browser.test_page import answer, near

PYTHON = """
const { loadPyodide } = await import("/pyodide/pyodide.mjs");
const python = await loadPyodide({ indexURL: "/pyodide/" });
await python.loadPackage(["webkeras", "numpy"], { messageCallback() {} });
return JSON.parse(await python.runPythonAsync(`
import json, numpy, webkeras

async def told(*args, **options):
    try:
        await webkeras.fetch_model(*args, **options)
    except webkeras.WebKerasError as e:
        return str(e)

model = await webkeras.fetch_model("/m.json", weights="/m.buf", metadata="/m_metadata.json", headers={"X-Key": "k"})
y = await model.predict_async(numpy.array([[1.0, 2.0]]))
inner = await model.predict_async(numpy.array([[1.0, 2.0]]), layers=["hidden"])
steps = [t.layer for t in model.profile(numpy.array([[1.0, 2.0]]))]
model.dispose()
json.dumps([y.ravel().tolist(), list(y.shape), sorted(inner), model.backend.name, steps,
            await told("/none.json"), await told("/m.json", weights="/short.buf", metadata="/m_metadata.json")])
`));
"""


def test_fetch_model(site):
    site.open("module.html")
    y, shape, inner, backend, steps, missing, short = site.js(PYTHON)
    assert near(y, answer([1, 2]))
    assert shape == [1, 2]
    assert inner == ["answer", "hidden"]
    assert backend in ("webgl2", "wasm")  # auto measures
    assert steps
    assert "none.json" in missing
    assert "404" in missing
    assert "weights" in short or "short.buf" in short
    assert site.asked("/m.buf")[0].get("x-key") == "k" or site.asked("/m.buf")[0].get("X-Key") == "k"


POLICY = """
const { loadPyodide } = await import("/pyodide/pyodide.mjs");
const python = await loadPyodide({ indexURL: "/pyodide/" });
await python.loadPackage(["webkeras", "numpy"], { messageCallback() {} });
const ask = () => python.runPythonAsync(`
import json, numpy, webkeras
model = await webkeras.fetch_model("/m.json", weights="/m.buf", metadata="/m_metadata.json")
y = await model.predict_async(numpy.array([[1.0, 2.0]]))
json.dumps([y.ravel().tolist(), model.backend.name, webkeras.backends()])
`).then(JSON.parse);
const asked = [await ask()];
for (const script of ["machine", "common"]) {
  await import(`/${script}.js`);
  asked.push(await ask());
}
return asked;
"""


def test_a_strict_policy_costs_speed_until_the_page_loads_the_scripts(site):
    site.headers["Content-Security-Policy"] = "script-src 'self' 'wasm-unsafe-eval'"
    site.open("module.html")
    (y, backend, why), (_, _, half), (again, loaded, _) = site.js(POLICY)
    assert near(y, answer([1, 2]))
    assert near(again, answer([1, 2]))
    assert (backend, loaded) == ("reference", "wasm")
    for name, script in (("webgl2", "runner.js"), ("wasm", "machine.js")):
        told = f"the page's Content-Security-Policy forbids it; load common.js and {script} by script tags before"
        assert told in why[name]
    assert half["wasm"] == "common.js is not here; load it by a script tag before machine.js"
