// engine.mjs - Pyodide with webkeras in it, and the models it holds. Runs in the page or in a worker (worker.mjs).
import { fetchFile, name } from "./fetch.mjs";

export class Engine {
  constructor(base) {
    this.base = base;
    this.models = new Map();
    this.count = 0;
    this.booting = this.boot();
    this.booting.catch(() => {}); // load() tells
  }

  // From the memory snapshot; plainly where that cannot be used.
  async boot() {
    const began = performance.now(), indexURL = new URL("pyodide/", this.base).href;
    await import(new URL("runner.js", this.base));
    await import(new URL("machine.js", this.base));
    globalThis.webkerasWasm.url = new URL("machine.js", this.base).href; // its workers' script
    const [{ loadPyodide }, snapshot] = await Promise.all([
      import(new URL("pyodide.mjs", indexURL)),
      fetch(new URL("snapshot.bin", indexURL)).then((r) => (r.ok ? r.arrayBuffer() : null), () => null),
    ]);
    this.python = null;
    try {
      if (snapshot) this.python = await loadPyodide({ indexURL, _loadSnapshot: snapshot });
    } catch (e) {
      console.warn(`webkeras: the memory snapshot cannot be used (${e.message}); booting plainly`);
    }
    this.snapshot = Boolean(this.python);
    if (!this.python) {
      this.python = await loadPyodide({ indexURL });
      await this.python.loadPackage("webkeras", { messageCallback() {} });
    }
    this.page = this.python.pyimport("webkeras.page");
    this.bootMs = performance.now() - began;
  }

  // Call one of the methods below by name: the door for worker.mjs and webkeras.js.
  async call(method, args, tell = () => {}) {
    try {
      return await this[method](...args, tell);
    } catch (e) {
      throw plain(e);
    }
  }

  async load({ filepaths, headers, backend }, tell) {
    const began = performance.now(), fetched = {}, sizes = {};
    const told = () => {
      const all = Object.values(sizes);
      const progress = all.reduce((sum, [got, of]) => sum + (of ? got / of : 0), 0) / Math.max(all.length, 1);
      tell({ type: "loadingprogress", progress: Math.min(99, Math.round(99 * progress)) });
    };
    const files = Object.entries(filepaths).map(async ([kind, url]) => {
      sizes[kind] = [0, 0];
      const type = kind === "weights" ? "arraybuffer" : "text";
      fetched[kind] = await fetchFile(url, type, headers, (...s) => { sizes[kind] = s; told(); });
    });
    await Promise.all([this.booting, ...files]);
    const loaded = performance.now();
    tell({ type: "initprogress", progress: 0 });
    const { model, metadata = "[]", weights = new ArrayBuffer(0) } = fetched;
    const names = [name(filepaths.model), name(filepaths.weights), name(filepaths.metadata)];
    if (backend === "reference" || backend === "auto") await this.numpyIfNeeded(backend);
    const handle = this.page.load(model, metadata, weights, backend, names);
    await this.settle(this.page.warm(handle));
    tell({ type: "initprogress", progress: 100 });
    const id = this.count++, about = JSON.parse(this.page.describe(handle));
    this.models.set(id, handle);
    about.stats = { ...about.stats, boot: this.bootMs, snapshot: this.snapshot, load: loaded - began, ready: performance.now() - began };
    return { id, about };
  }

  // The reference backend works with numpy, which is fetched only then.
  async numpyIfNeeded(backend) {
    const works = JSON.parse(this.page.offered());
    if (backend === "reference" || (works.webgl2 && works.wasm)) await this.python.loadPackage("numpy", { messageCallback() {} });
  }

  async predict(id, inputs) {
    const handle = this.models.get(id);
    if (!handle) throw new Error("the model was disposed; load it again");
    const began = performance.now();
    const outputs = await this.settle(this.page.predict(handle, inputs));
    const stats = { ...JSON.parse(this.page.describe(handle)).stats, predict: performance.now() - began };
    return { outputs, stats };
  }

  async backends() {
    await this.booting;
    return JSON.parse(this.page.offered());
  }

  dispose(id) {
    const handle = this.models.get(id);
    this.models.delete(id);
    handle?.dispose();
    handle?.destroy();
  }

  // Await a coroutine of Python's and let go of it.
  async settle(coroutine) {
    try {
      return await coroutine;
    } finally {
      coroutine.destroy?.();
    }
  }
}

// A Python error as a JavaScript one: the last line of its traceback is our sentence, its class the name.
function plain(e) {
  if (e?.constructor?.name !== "PythonError") return e;
  const last = e.message.trim().split("\n").pop(), [, kind, text] = last.match(/^(?:[\w.]*\.)?(\w+): (.*)$/) ?? [];
  return Object.assign(new Error(text ?? last), { name: kind ?? e.type ?? "Error" });
}
