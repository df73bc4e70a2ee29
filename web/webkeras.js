// webkeras.js - one plain script, global WebKeras: trained Keras models in this page.
//
//   const model = new WebKeras.Model({ filepaths: { model, weights, metadata } });
//   await model.ready();
//   const out = await model.predict({ input_1: new Float32Array(784) });
//
// Python and the backends live in an engine (engine.mjs), in a Web Worker or, with worker: false, in the page; all models
// of a page share it. Here are only the names of the public contract, and messages to and fro.
globalThis.WebKeras = (() => {
  const VERSION = "0.1.0";
  const HERE = new URL(".", globalThis.document?.currentScript?.src ?? globalThis.location.href).href;
  const engines = new Map(); // base and worker -> engine

  // An engine in a Web Worker, behind the same methods as the one in engine.mjs.
  class Remote {
    constructor(base) {
      this.waiting = new Map();
      this.count = 0;
      this.worker = new Worker(new URL("worker.mjs", base), { type: "module" });
      this.worker.onmessage = ({ data }) => this.received(data);
      this.worker.onerror = (e) => this.failed(new Error(`the worker did not start (${e.message ?? "no reason given"})`));
      this.worker.postMessage({ base });
    }

    received({ id, value, error, event }) {
      const call = this.waiting.get(id);
      if (!call) return;
      if (event) return call.tell?.(event);
      this.waiting.delete(id);
      if (error) call.reject(Object.assign(new Error(error.message), { name: error.name }));
      else call.resolve(value);
    }

    failed(error) {
      for (const call of this.waiting.values()) call.reject(error);
      this.waiting.clear();
      this.dead = error;
    }

    call(method, args, tell) {
      if (this.dead) return Promise.reject(this.dead);
      return new Promise((resolve, reject) => {
        const id = this.count++;
        this.waiting.set(id, { resolve, reject, tell });
        this.worker.postMessage({ id, method, args });
      });
    }
  }

  function engine(base, worker) {
    const key = `${worker} ${base}`;
    if (!engines.has(key)) {
      const here = () => import(new URL("engine.mjs", base)).then(({ Engine }) => new Engine(base));
      engines.set(key, Promise.resolve(worker ? new Remote(base) : here()));
    }
    return engines.get(key);
  }

  // Numbers in any form -> {data: Float32Array, shape?}.
  function tensor(value, name) {
    if (value instanceof Float32Array) return { data: value };
    if (ArrayBuffer.isView(value)) return { data: Float32Array.from(value, Number) };
    if (Array.isArray(value)) {
      const shape = [];
      for (let v = value; Array.isArray(v); v = v[0]) shape.push(v.length);
      const data = Float32Array.from(value.flat(Infinity));
      const size = shape.reduce((a, b) => a * b, 1);
      if (size !== data.length) throw new TypeError(`input '${name}' has rows of unequal length; expected ${shape.join(" x ")}`);
      return shape.length > 1 ? { data, shape } : { data };
    }
    if (value && typeof value === "object" && value.data) return { ...tensor(value.data, name), shape: [...(value.shape ?? [])] };
    throw new TypeError(`input '${name}' is ${value === null ? "null" : typeof value}; expected a Float32Array, an array or {data, shape}`);
  }

  class Model extends EventTarget {
    constructor(options) {
      super();
      const { filepaths, gpu = true, backend, headers = {}, worker = true, base = HERE } = options ?? {};
      this.progress = 0;
      this.queue = Promise.resolve();
      const files = Object.fromEntries(Object.entries(filepaths ?? {}).map(([k, v]) => [k, new URL(v, document.baseURI).href]));
      const spec = { filepaths: files, headers, backend: backend ?? (gpu ? "auto" : "reference") };
      this.loading = this.load(spec, new URL(base, document.baseURI).href, worker);
      this.loading.catch(() => {}); // ready() and predict() tell
    }

    async load(spec, base, worker) {
      if (!spec.filepaths.model) throw new TypeError("new WebKeras.Model: filepaths has no 'model'; give the URL of the architecture file");
      this.engine = await engine(base, worker);
      const described = await this.engine.call("load", [spec], (event) => this.told(event));
      this.id = described.id;
      Object.assign(this, described.about);
      this.told({ type: "loadingprogress", progress: 100 });
    }

    told({ type, ...detail }) {
      if (type === "loadingprogress") this.progress = detail.progress;
      this.dispatchEvent(Object.assign(new Event(type), detail));
    }

    /** Resolves when the model can predict; rejects with the reason, always. */
    ready() {
      return this.loading;
    }

    /** 0 to 100. */
    getLoadingProgress() {
      return this.progress;
    }

    /** {input name: numbers} -> {output name: Float32Array with a .shape}; calls are answered one after another. */
    predict(inputs) {
      const answer = this.queue.then(() => this.predicted(inputs));
      this.queue = answer.catch(() => {});
      return answer;
    }

    async predicted(inputs) {
      await this.loading;
      if (!inputs || typeof inputs !== "object") throw new TypeError("predict: expected an object of inputs by name");
      const fed = Object.fromEntries(Object.entries(inputs).map(([k, v]) => [k, tensor(v, k)]));
      const { outputs, stats } = await this.engine.call("predict", [this.id, fed]);
      this.stats = stats;
      const out = {};
      for (const [name, { data, shape }] of Object.entries(outputs)) out[name] = Object.assign(data, { shape });
      const names = Object.keys(out);
      if (names.length === 1 && names[0] !== "output") Object.defineProperty(out, "output", { value: out[names[0]] });
      return out;
    }

    /** Gives all memory back; the model cannot predict afterwards. */
    async dispose() {
      await this.loading.catch(() => {});
      if (this.id === undefined) return;
      await this.queue;
      await this.engine.call("dispose", [this.id]);
    }
  }

  return {
    Model,
    version: VERSION,
    /** {backend: "" where it works here, else the reason}. */
    backends: async ({ base = HERE, worker = true } = {}) =>
      (await engine(new URL(base, document.baseURI).href, worker)).call("backends", []),
  };
})();
