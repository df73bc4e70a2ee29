// worker.mjs - an engine in a Web Worker: {id, method, args} in, {id, value | error | event} out.
import { Engine } from "./engine.mjs";

let engine;

addEventListener("message", async ({ data: { base, id, method, args } }) => {
  if (base) return void (engine = new Engine(base));
  try {
    const value = await engine.call(method, args, (event) => postMessage({ id, event }));
    const moved = method === "predict" ? Object.values(value.outputs).map((o) => o.data.buffer) : [];
    postMessage({ id, value }, [...new Set(moved)]);
  } catch (e) {
    postMessage({ id, error: { name: e?.name ?? "Error", message: e?.message ?? String(e) } });
  }
});
