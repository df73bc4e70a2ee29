// Boots Pyodide once, imports what the page needs, and keeps the memory: node tools/snapshot.mjs PYODIDE_FOLDER WHEEL OUT
//
// A page that starts from this memory skips the boot and the imports. Only pure Python may be loaded in it, and the
// files of the in-memory file system are not part of it: webkeras.preload() reads now what the page will need of them.
import { readFile, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { boot } from "./pyodide.mjs";

const [folder, wheel, out] = process.argv.slice(2);
const pyodide = await boot(folder, { _makeSnapshot: true });
// Not loadPackage: it leaves Python holding a JavaScript object, and a snapshot cannot hold that.
const extractDir = pyodide.runPython("import site; site.getsitepackages()[0]");
pyodide.unpackArchive(new Uint8Array(await readFile(wheel)), "wheel", { extractDir });
pyodide.runPython(`
import gc
import sys
import webkeras

webkeras.preload()
if "numpy" in sys.modules:
    raise RuntimeError("webkeras imported numpy, which a snapshot cannot hold; import it where it is used")
del sys, webkeras
gc.collect()
gc.freeze()  # what is here now stays: the page's collections need not look at it
del gc
`);
// A fifth of the bytes, and unpacked by the page as fast as it would load the whole. The name must not end in .gz: some
// servers then announce Content-Encoding, and the browser would unpack it before the page does.
await writeFile(out, gzipSync(pyodide.makeMemorySnapshot(), { level: 9 }));
