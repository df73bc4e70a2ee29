// The modules in Node: node node.mjs PLAN.json BUFFER... < feeds (float32, in the plan's order) > outputs
// With THREADS=n there are workers, as in a page; with RUNS=n, n runs, all of whose outputs are written.
// With TIMES=n, n more runs and their times in milliseconds on standard error, as JSON: of the clock, and of the processor,
// which another job on the machine disturbs less.
import { readFileSync, writeSync } from "node:fs";
import { Worker as Thread } from "node:worker_threads";

const folder = new URL("../../../src/webkeras/backends/wasm/", import.meta.url);
(0, eval)(readFileSync(new URL("../common.js", folder), "utf8"));
const script = readFileSync(new URL("machine.js", folder), "utf8"), threads = Number(process.env.THREADS ?? 1);
(0, eval)(script);
globalThis.crossOriginIsolated = threads > 1;
globalThis.Worker = class { // a page's, on Node's
  constructor(_, { name }) {
    const scope = `const { parentPort } = require("node:worker_threads");
      Object.assign(globalThis, { WorkerGlobalScope: 1, name: "${name}", postMessage: (m) => parentPort.postMessage(m) });
      (0, eval)(${JSON.stringify(script)});
      parentPort.on("message", (data) => onmessage({ data }));`;
    this.thread = new Thread(scope, { eval: true });
    this.thread.on("message", () => this.onmessage());
  }
  postMessage(m) { this.thread.postMessage(m); }
  terminate() { this.thread.terminate(); }
};
const [plan, ...buffers] = process.argv.slice(2);
const opened = webkerasWasm.open(...["kernels_relaxed.wasm", "kernels.wasm"].map((f) => new Uint8Array(readFileSync(new URL(f, folder)))), threads);
const began = performance.now();
const machine = webkerasWasm.create(opened, { ...JSON.parse(readFileSync(plan, "utf8")), threads }, buffers.map((f) => readFileSync(f)), null);
const made = performance.now() - began;
const data = new Float32Array(new Uint8Array(readFileSync(0)).buffer), feeds = {};
let at = 0;
for (const [name, [, size]] of Object.entries(machine.plan.inputs)) feeds[name] = data.subarray(at, (at += size));
await machine.staffed;
const write = (outputs) => Object.values(outputs).forEach((y) => writeSync(1, new Uint8Array(y.buffer)));
for (let i = 0; i < Number(process.env.RUNS ?? 1); i++) write(machine.run(feeds));
const times = [], busy = [];
for (let i = 0; i < Number(process.env.TIMES ?? 0); i++) {
  const t = performance.now(), c = process.cpuUsage().user;
  machine.run(feeds);
  times.push(performance.now() - t);
  busy.push((process.cpuUsage().user - c) / 1000);
}
const spread = (x) => ({ median: x.sort((a, b) => a - b)[x.length >> 1], min: x[0] });
if (times.length) console.error(JSON.stringify({ module: opened.name, prepare: made, clock: spread(times), processor: spread(busy) }));
process.exit(0); // the workers serve on
