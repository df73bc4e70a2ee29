// worker.mjs - an engine in a Web Worker: {call, method, args} in, {call, value | error} and {model, event} out.
import { Engine } from "./engine.mjs";

let engine;

addEventListener("message", async ({ data: { base, call, method, args } }) => {
  if (base) {
    engine = new Engine(base);
    engine.tell = (model, event) => postMessage({ model, event });
    return;
  }
  try {
    const value = await engine.call(method, args);
    const moved = method === "predict" ? Object.values(value.outputs).map((o) => o.data.buffer) : [];
    postMessage({ call, value }, [...new Set(moved)]);
  } catch (e) {
    postMessage({ call, error: { name: e?.name ?? "Error", message: e?.message ?? String(e) } });
  }
});
