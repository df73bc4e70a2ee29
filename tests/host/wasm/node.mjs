// The modules in Node: node node.mjs PLAN.json BUFFER... < feeds (float32, in the plan's order) > outputs
// With TIMES=n, n more runs and their times in milliseconds on standard error, as JSON.
import { readFileSync, writeSync } from "node:fs";

const folder = new URL("../../../src/webkeras/backends/wasm/", import.meta.url);
(0, eval)(readFileSync(new URL("machine.js", folder), "utf8"));
const [plan, ...buffers] = process.argv.slice(2);
const opened = webkerasWasm.open(...["kernels_relaxed.wasm", "kernels.wasm"].map((f) => new Uint8Array(readFileSync(new URL(f, folder)))), 1);
const began = performance.now();
const machine = webkerasWasm.create(opened, JSON.parse(readFileSync(plan, "utf8")), buffers.map((f) => readFileSync(f)), null);
const made = performance.now() - began;
const data = new Float32Array(new Uint8Array(readFileSync(0)).buffer), feeds = {};
let at = 0;
for (const [name, [, size]] of Object.entries(machine.plan.inputs)) feeds[name] = data.subarray(at, (at += size));
const outputs = machine.run(feeds);
const times = [];
for (let i = 0; i < Number(process.env.TIMES ?? 0); i++) {
  const t = performance.now();
  machine.run(feeds);
  times.push(performance.now() - t);
}
if (times.length) console.error(JSON.stringify({ module: opened.name, prepare: made, median: times.sort((a, b) => a - b)[times.length >> 1], min: times[0] }));
for (const y of Object.values(outputs)) writeSync(1, new Uint8Array(y.buffer));
