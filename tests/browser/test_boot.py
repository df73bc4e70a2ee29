"""Booting in a page: from the memory snapshot, and plainly where the snapshot cannot be used."""

import subprocess

from tools.build import SNAPSHOT
from tools.common import PYODIDE

BOOT = """
const { loadPyodide } = await import("/pyodide/pyodide.mjs");
const began = performance.now();
const unpacked = (r) => new Response(r.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
const snapshot = args[0] && await fetch("/pyodide/snapshot.bin").then(unpacked);
const pyodide = await loadPyodide({ indexURL: "/pyodide/", ...(snapshot ? { _loadSnapshot: snapshot } : {}) });
if (!snapshot) await pyodide.loadPackage("webkeras", { messageCallback() {} });
const modules = pyodide.runPython(`
import sys
before = "webkeras" in sys.modules
import webkeras, json, js, pyodide.ffi
json.dumps([before, "numpy" in sys.modules, webkeras.__version__])`);
const ms = performance.now() - began;
if (snapshot) {  // files are not in a snapshot; they can be had afterwards
    await pyodide.loadPackage(["webkeras", "numpy"], { messageCallback() {} });
    pyodide.runPython("import numpy, importlib.resources; assert importlib.resources.files('webkeras').is_dir()");
}
return [...JSON.parse(modules), ms];
"""


def test_boots_from_the_snapshot_with_webkeras_imported(page, record_property):
    page.open("pyodide/pyodide-lock.json")
    imported, numpy, version, ms = page.js(BOOT, True)
    record_property("ms", ms)
    assert (imported, numpy) == (True, False)
    assert version


def test_boots_plainly_too(page, record_property):
    page.open("pyodide/pyodide-lock.json")
    imported, numpy, version, ms = page.js(BOOT, False)
    record_property("ms", ms)
    assert (imported, numpy) == (False, False)
    assert version


def test_snapshot_boots_in_node(tmp_path):
    script = tmp_path / "boot.mjs"
    script.write_text(
        f"""
        import {{ readFile }} from "node:fs/promises";
        import {{ gunzipSync }} from "node:zlib";
        import {{ loadPyodide }} from {str(PYODIDE / "pyodide.mjs")!r};
        const _loadSnapshot = gunzipSync(await readFile({str(SNAPSHOT)!r}));
        const pyodide = await loadPyodide({{ indexURL: {str(PYODIDE)!r} + "/", _loadSnapshot }});
        console.log(pyodide.runPython("import sys; 'webkeras' in sys.modules"));
        """
    )
    assert subprocess.run(["node", script], check=True, capture_output=True, text=True).stdout.strip() == "true"
