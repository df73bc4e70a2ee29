// webkeras.js - one plain script, global WebKeras: trained Keras models in this page.
//
//   const model = new WebKeras.Model({ filepaths: { model, weights, metadata } });
//   await model.ready();
//   const out = await model.predict({ input_1: new Float32Array(784) });
//
// Python and the backends live in an engine (engine.mjs), in a Web Worker or, with worker: false, in the page; all models
// of a page share it. Here are only the names of the public contract, and messages to and fro. Types: webkeras.d.ts.
globalThis.WebKeras = (() => {
  const PAGE = globalThis.document?.baseURI ?? globalThis.location.href; // what relative addresses are relative to
  const engines = new Map(); // base and worker -> engine
  let count = 0;

  // An engine in a Web Worker, behind the same methods as the one in engine.mjs.
  class Remote {
    constructor(base) {
      this.waiting = new Map(); // call -> what to do with its answer
      this.listeners = new Map(); // model -> what to do with its events
      this.functions = new Map(); // model -> what answers for its custom functions
      this.count = 0;
      this.worker = new Worker(script(new URL("worker.mjs", base)), { type: "module" });
      this.worker.onmessage = ({ data }) => this.received(data);
      this.worker.onerror = (e) => this.failed(e.message);
      this.worker.postMessage({ base, threads: globalThis.webkerasThreads });
    }

    received({ call, value, error, model, event, ask, ...rest }) {
      if (event) return this.listeners.get(model)?.(event);
      if (ask !== undefined) return this.asked(ask, model, rest);
      const { resolve, reject } = this.waiting.get(call);
      this.waiting.delete(call);
      if (error) reject(Object.assign(new Error(error.message), { name: error.name }));
      else resolve(value);
    }

    // The engine waits for what a custom function, which cannot leave the page, makes of inputs.
    async asked(ask, model, { name, inputs, about }) {
      try {
        const value = await this.functions.get(model)(name, inputs, about);
        this.worker.postMessage({ ask, value }, [value.buffer]);
      } catch (e) {
        this.worker.postMessage({ ask, error: e.message });
      }
    }

    failed(why) {
      const words = why ? `it says: ${why}` : "is the folder complete, and may this page read it?";
      this.dead = Object.assign(new Error(`the worker of webkeras did not start; ${words}`), { name: "LoadError" });
      for (const call of this.waiting.values()) call.reject(this.dead);
      this.waiting.clear();
    }

    call(method, args) {
      if (this.dead) return Promise.reject(this.dead);
      const moved = []; // inputs are copied once and handed over; cloning would copy them twice
      if (method === "predict") for (const x of Object.values(args[1])) moved.push((x.data = x.data.slice()).buffer);
      return new Promise((resolve, reject) => {
        const call = this.count++;
        this.waiting.set(call, { resolve, reject });
        this.worker.postMessage({ call, method, args }, moved);
      });
    }
  }

  // A worker's script must be of the page's own origin: from elsewhere, one of our own imports it.
  function script(url) {
    if (url.origin === new URL(globalThis.location.href).origin) return url;
    return URL.createObjectURL(new Blob([`import ${JSON.stringify(url.href)};`], { type: "text/javascript" }));
  }

  function engine(base, worker) {
    const at = new URL(base ?? WebKeras.base, PAGE).href, key = `${worker} ${at}`;
    if (!engines.has(key)) {
      const here = () => import(new URL("engine.mjs", at)).then(({ Engine }) => new Engine(at));
      engines.set(key, Promise.resolve(worker ? new Remote(at) : here()));
    }
    return engines.get(key);
  }

  // {name: function or {compute, shape}} -> {name: {compute, shape}}, the shape null where it is the first input's.
  function customs(objects) {
    const fits = (d) => d === null || (Number.isInteger(d) && d >= 0);
    const one = ([name, o]) => {
      if (typeof o === "function") return [name, { compute: o, shape: null }];
      const { compute, shape = null, ...more } = o ?? {};
      if (typeof compute !== "function" || Object.keys(more).length || !(shape === null || (Array.isArray(shape) && shape.every(fits))))
        throw new TypeError(`new WebKeras.Model: customObjects has '${name}', which is neither a function nor {compute: function, shape: [numbers or null]}`);
      return [name, { compute, shape }];
    };
    return Object.fromEntries(Object.entries(objects ?? {}).map(one));
  }

  // Calls custom functions by name: numbers of its own, whatever they give.
  const caller = (objects) => async (name, inputs, about) => {
    const { compute } = objects[name];
    const threw = (e) => { throw new Error(`custom function '${name}' threw: ${e?.message ?? e}`); };
    const y = await (async () => compute(inputs, about))().catch(threw);
    const flat = Array.isArray(y) ? y.flat(Infinity) : y;
    if (Array.isArray(flat) ? flat.some((v) => typeof v !== "number") : !ArrayBuffer.isView(flat) || flat instanceof DataView)
      throw new Error(`custom function '${name}' gave ${y === null ? "null" : Array.isArray(y) ? "an array of other things" : typeof y}; expected a Float32Array or an array of numbers`);
    return flat instanceof Float32Array ? flat.slice() : Float32Array.from(flat, Number);
  };

  // Numbers in any form -> {data: Float32Array, shape?}.
  function tensor(value, name) {
    if (value instanceof Float32Array) return { data: value };
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return { data: Float32Array.from(value, Number) };
    if (Array.isArray(value)) {
      const shape = [];
      for (let v = value; Array.isArray(v); v = v[0]) shape.push(v.length);
      const data = Float32Array.from(value.flat(Infinity));
      if (shape.reduce((a, b) => a * b, 1) !== data.length)
        throw new TypeError(`input '${name}' has rows of unequal length; expected ${shape.join(" x ")}`);
      return shape.length > 1 ? { data, shape } : { data };
    }
    if (value && typeof value === "object" && value.data) return { ...tensor(value.data, name), shape: [...(value.shape ?? [])] };
    throw new TypeError(`input '${name}' is ${value === null ? "null" : typeof value}; expected a Float32Array, an array or {data, shape}`);
  }

  class Model extends EventTarget {
    #id = count++;
    #engine;
    #progress = 0;
    #queue = Promise.resolve(); // one thing after another
    #loading;

    constructor(options) {
      super();
      const { filepaths, gpu = true, backend, headers = {}, worker = true, base, kerasVersion, theanoKernels, customObjects } = options ?? {};
      const at = (v) => (Array.isArray(v) ? v.map(at) : v instanceof Blob ? v : new URL(v, PAGE).href);
      const files = Object.fromEntries(Object.entries(filepaths ?? {}).map(([k, v]) => [k, at(v)]));
      const told = { kerasVersion, theanoKernels: theanoKernels ?? undefined };
      this.#loading = this.#load({ files, headers, backend: backend ?? (gpu ? "auto" : "cpu"), ...told }, customObjects, base, worker);
      this.#loading.catch(() => {}); // ready() and predict() tell
    }

    async #load(asked, customObjects, base, worker) {
      const { files } = asked, objects = customs(customObjects), odd = Object.keys(files).filter((k) => !["model", "weights", "metadata"].includes(k));
      if (!files.model) throw new TypeError("new WebKeras.Model: filepaths has no 'model'; give the URL of the model's file, or the file");
      if (odd.length) throw new TypeError(`new WebKeras.Model: filepaths has '${odd[0]}'; expected model, weights and metadata`);
      this.#engine = await engine(base, worker);
      this.#engine.listeners.set(this.#id, (event) => this.#told(event));
      this.#engine.functions.set(this.#id, caller(objects));
      const shapes = Object.entries(objects).map(([name, { shape }]) => [name, shape]);
      const customShapes = shapes.length ? Object.fromEntries(shapes) : undefined;
      Object.assign(this, await this.#engine.call("load", [this.#id, { ...asked, customShapes }]));
      this.#told({ type: "loadingprogress", progress: 100 });
    }

    #told({ type, ...detail }) {
      if (type === "loadingprogress") this.#progress = detail.progress;
      this.dispatchEvent(Object.assign(new Event(type), detail));
    }

    // After all that was asked before, whether that went well or not.
    #next(method, args) {
      const answer = this.#queue.then(async () => {
        await this.#loading;
        return this.#engine.call(method, [this.#id, ...args()]);
      });
      this.#queue = answer.catch(() => {});
      return answer;
    }

    /** Resolves when the model can predict; rejects with the reason, always. */
    ready() {
      return this.#loading;
    }

    /** 0 to 100. */
    getLoadingProgress() {
      return this.#progress;
    }

    /** {input name: numbers} -> {output name: Float32Array with a .shape}, and the outputs of `layers`. */
    async predict(inputs, { layers = [] } = {}) {
      const { outputs, own, stats } = await this.#next("predict", () => [fed(inputs, "predict"), [...layers]]);
      const { backend, ...ms } = stats;
      this.backend = backend; // "auto" may have waited for the first shape to choose one
      Object.assign(this.stats, ms);
      const out = {};
      for (const [name, { data, shape }] of Object.entries(outputs)) out[name] = Object.assign(data, { shape });
      if (own.length === 1 && !("output" in out)) Object.defineProperty(out, "output", { value: out[own[0]] });
      return out;
    }

    /** Where the time of one prediction goes: [{layer, op, ms}]. */
    profile(inputs) {
      return this.#next("profile", () => [fed(inputs, "profile")]);
    }

    /** The plan as text: every layer, the ops it became, how they run. */
    explain() {
      return this.#next("explain", () => []);
    }

    /** Stateful layers begin anew. */
    resetStates() {
      return this.#next("resetStates", () => []);
    }

    /** Gives all memory back; the model cannot predict afterwards. */
    async dispose() {
      await this.#loading.catch(() => {});
      if (!this.#engine) return;
      await this.#next("dispose", () => []).catch(() => {});
      this.#engine.listeners.delete(this.#id);
      this.#engine.functions.delete(this.#id);
    }
  }

  function fed(inputs, who) {
    if (!inputs || typeof inputs !== "object" || ArrayBuffer.isView(inputs) || Array.isArray(inputs))
      throw new TypeError(`${who}: expected an object of inputs by name, as in {input: numbers}`);
    return Object.fromEntries(Object.entries(inputs).map(([k, v]) => [k, tensor(v, k)]));
  }

  return {
    Model,
    version: "0.1.0",
    /** Where engine.mjs, pyodide/ and the rest lie; a model's own `base` goes before. */
    base: new URL(".", globalThis.document?.currentScript?.src ?? globalThis.location.href).href,
    /** {backend: "" where it works here, else the reason}. */
    backends: async ({ base, worker = true } = {}) => (await engine(base, worker)).call("backends", []),
  };
})();
