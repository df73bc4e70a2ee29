// Boots Pyodide once, imports what the page needs, and keeps the memory: node tools/snapshot.mjs PYODIDE_FOLDER WHEEL OUT
//
// A page that starts from this memory skips the boot and the imports. All of webkeras is imported, since that costs a
// page nothing. The files of the in-memory file system are not part of the memory: a module that will need some has a
// preload() that reads them, called here. Only pure Python may be loaded, so numpy must not be.
import { readFile, writeFile } from "node:fs/promises";
import { boot } from "./pyodide.mjs";

const [folder, wheel, out] = process.argv.slice(2);
const pyodide = await boot(folder, { _makeSnapshot: true });
// Not loadPackage: it leaves Python holding a JavaScript object, and a snapshot cannot hold that.
const extractDir = pyodide.runPython("import site; site.getsitepackages()[0]");
pyodide.unpackArchive(new Uint8Array(await readFile(wheel)), "wheel", { extractDir });
pyodide.runPython(`
def prepare():
    import importlib, pkgutil, sys
    import webkeras

    for module in pkgutil.walk_packages(webkeras.__path__, "webkeras."):
        getattr(importlib.import_module(module.name), "preload", lambda: None)()
    if "numpy" in sys.modules:
        raise RuntimeError("webkeras imported numpy, which a snapshot cannot hold; take it from webkeras.lazy")

prepare()
del prepare
`);
await writeFile(out, pyodide.makeMemorySnapshot());
