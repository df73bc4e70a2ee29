// python.js - a cell of Python, and what it prints. Plain Pyodide, and the package.
import { loadPyodide } from "../../pyodide/pyodide.mjs";
import "../../common.js"; // these three for pages with a strict Content-Security-Policy; elsewhere the package has its own
import "../../machine.js";
import "../../runner.js";
import { kept } from "../visited.js";

const $ = (id) => document.getElementById(id);
const say = (text, error = false) => Object.assign($("status"), { textContent: text, className: error ? "status error" : "status" });

async function start() {
  await kept;
  const python = await loadPyodide({ indexURL: new URL("../../pyodide/", import.meta.url).href });
  await python.loadPackage(["webkeras", "numpy"], { messageCallback() {} });
  python.setStdout({ batched: (line) => $("out").append(`${line}\n`) });
  return python;
}

async function run(python) {
  $("run").disabled = true;
  $("out").replaceChildren();
  say("Running …");
  const began = performance.now();
  try {
    const value = await python.runPythonAsync($("code").value);
    if (value !== undefined) $("out").append(String(value));
    value?.destroy?.();
    say(`${(performance.now() - began).toFixed(0)} ms`);
  } catch (e) {
    say(e.message.trim().split("\n").pop(), true); // the last line of a traceback says it
  }
  $("run").disabled = false;
}

start().then((python) => {
  $("run").disabled = false;
  $("run").addEventListener("click", () => run(python));
  $("code").addEventListener("keydown", (e) => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey) && !$("run").disabled) run(python);
  });
  return run(python);
}).catch((e) => say(e.message, true));
