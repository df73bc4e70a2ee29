// Boots Pyodide once, imports what the page needs, and keeps the memory: node tools/snapshot.mjs PYODIDE_FOLDER WHEEL OUT
//
// A page that starts from this memory skips the boot and the imports. Only pure Python may be loaded in it, and the
// files of the in-memory file system are not part of it: webkeras.preload() reads now what the page will need of them.
import { readFile, writeFile } from "node:fs/promises";
import { boot } from "./pyodide.mjs";

const [folder, wheel, out] = process.argv.slice(2);
const pyodide = await boot(folder, { _makeSnapshot: true });
// Not loadPackage: it leaves Python holding a JavaScript object, and a snapshot cannot hold that.
const extractDir = pyodide.runPython("import site; site.getsitepackages()[0]");
pyodide.unpackArchive(new Uint8Array(await readFile(wheel)), "wheel", { extractDir });
pyodide.runPython(`
import sys
import webkeras

webkeras.preload()
if "numpy" in sys.modules:
    raise RuntimeError("webkeras imported numpy, which a snapshot cannot hold; import it where it is used")
del sys, webkeras
`);
await writeFile(out, pyodide.makeMemorySnapshot());
