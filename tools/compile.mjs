// Adds bytecode to a pure wheel, in place: node tools/compile.mjs PYODIDE_FOLDER WHEEL
//
// Pyodide's own Python compiles, so the .pyc files are of exactly the right version, wherever the build runs. They lie in
// __pycache__ beside the sources and are "unchecked": that Python takes them without looking at the source, every other
// Python ignores them, and the wheel stays py3-none-any.
import { readFile, writeFile } from "node:fs/promises";
import { boot } from "./pyodide.mjs";

const [folder, wheel] = process.argv.slice(2);
const pyodide = await boot(folder);
pyodide.FS.writeFile("/in.whl", await readFile(wheel));
pyodide.runPython(await readFile(new URL("add_bytecode.py", import.meta.url), "utf8"));
await writeFile(wheel, pyodide.FS.readFile("/out.whl"));
