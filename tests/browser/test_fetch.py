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
