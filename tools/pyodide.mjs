// boot(folder, options): the Pyodide of that folder, in Node. An error ends the process with its message alone: Node
// would print the line of the source it came from, which in pyodide.asm.mjs is a megabyte long.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

process.on("uncaughtException", (error) => {
  console.error(String(error.message ?? error));
  process.exit(1);
});

export async function boot(folder, options = {}) {
  const { loadPyodide } = await import(pathToFileURL(resolve(folder, "pyodide.mjs")));
  return loadPyodide({ indexURL: resolve(folder) + "/", ...options });
}
