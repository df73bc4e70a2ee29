// worker.mjs - an engine in a Web Worker: {call, method, args} in, {call, value | error} and {model, event} out.
// {ask, model, name, inputs, about} goes out for a custom function, which only the page has; {ask, value | error} comes in.
import { Engine } from "./engine.mjs";

let engine, asks = 0;
const asked = new Map(); // ask -> what to do with its answer

function custom(model, name, inputs, about) {
  return new Promise((resolve, reject) => {
    asked.set(asks, { resolve, reject });
    const moved = [...inputs, ...about.weights].map((x) => x.data.buffer);
    postMessage({ ask: asks++, model, name, inputs, about }, moved);
  });
}

addEventListener("message", async ({ data: { base, threads, call, method, args, ask, value, error } }) => {
  if (asked.has(ask)) {
    const { resolve, reject } = asked.get(ask);
    asked.delete(ask);
    return error ? reject(new Error(error)) : resolve(value);
  }
  if (base) {
    if (threads) globalThis.webkerasThreads = threads;
    engine = new Engine(base);
    engine.tell = (model, event) => postMessage({ model, event });
    engine.custom = custom;
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
