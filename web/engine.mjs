// engine.mjs - Pyodide with webkeras in it, and the models it holds. Runs in the page or in a worker (worker.mjs).
import { fetchModel } from "./fetch.mjs";

const PATIENCE = 3000; // milliseconds after which files are kept though nothing was predicted

export class Engine {
  constructor(base) {
    this.base = base;
    this.models = new Map(); // id -> Python's Model
    this.onGpu = new Set(); // ids
    this.keeps = new Map(); // id -> {keep, timer}: what is to be done after the first answer, or when it does not come
    this.again = new Map(); // id -> Again
    this.listeners = new Map(); // id -> what to do with the model's events; worker.mjs puts its own `tell` instead
    this.functions = new Map(); // id -> what answers for the page's custom functions; worker.mjs puts its own `custom`
    this.booting = this.boot();
    this.booting.catch(() => {}); // load() tells
  }

  // From the memory snapshot; plainly where that cannot be used.
  async boot() {
    const began = performance.now(), indexURL = new URL("pyodide/", this.base).href;
    this.scripts = Promise.all(["common.js", "runner.js", "machine.js"].map((name) => import(new URL(name, this.base))));
    const [{ loadPyodide }, snapshot] = await Promise.all([
      import(new URL("pyodide.mjs", indexURL)),
      fetch(new URL("snapshot.bin", indexURL)).then(unpacked).catch(() => null),
      this.scripts,
    ]);
    globalThis.webkerasWasm.url = new URL("machine.js", this.base).href; // its workers' script
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

  // The GPU's self-test, begun before Python is there, who goes on with it (context.py): a driver compiles meanwhile.
  async early() {
    await this.scripts;
    const runner = webkerasRunner.create(), { lanes, neighbours, half } = runner.limits(), mine = { runner };
    globalThis.webkerasEarly = mine;
    const plan = half ? null : await fetch(new URL(`selftest/${lanes}-${neighbours}.json`, this.base)).then((r) => r.json());
    const wanted = () => globalThis.webkerasEarly === mine;
    if (!plan || !wanted()) return;
    mine.exe = runner.begin(plan);
    while (wanted() && !runner.ready(mine.exe)) await new Promise((done) => setTimeout(done, 2));
    if (wanted()) await runner.answered(mine.exe);
  }

  tell(model, event) {
    this.listeners.get(model)?.(event);
  }

  // What a custom function of the page makes of inputs, which are its own.
  custom(model, name, inputs, about) {
    return this.functions.get(model)(name, inputs, about);
  }

  // Call one of the methods below by name: the door for worker.mjs and webkeras.js.
  async call(method, args) {
    try {
      return await this[method](...args);
    } catch (e) {
      throw plain(e);
    }
  }

  async load(id, { files, headers, backend, kerasVersion, theanoKernels, customShapes }) {
    const began = performance.now(), parts = { boot: 0 };
    if (backend.startsWith("webgl2") && !this.page) this.tried ??= this.early().catch(() => {}); // what is wrong, Python says
    const told = (part, share) => {
      parts[part] = share;
      if (!share) return; // it has begun
      const all = Object.values(parts);
      this.tell(id, { type: "loadingprogress", progress: Math.round((99 * all.reduce((a, b) => a + b, 0)) / all.length) });
    };
    const { got, about, first, later, weights, keep } = fetchModel(files, headers, told);
    const begin = Promise.all([this.booting.then(() => told("boot", 1)), first]);
    let failed, loaded;
    const whole = Promise.all([begin, weights]).then(() => {
      loaded = performance.now();
      this.tell(id, { type: "initprogress", progress: 0 });
    });
    const bytes = whole.then(() => ((bytes.at = performance.now()), weights));
    bytes.catch((e) => (failed = e));
    await (later ? begin : whole);
    const own = (xs) => xs.map(({ data, shape }) => ({ data: data.slice(), shape }));
    const call = (f, inputs, { config, weights }) => this.custom(id, f, own(inputs), { config, weights: own(weights) });
    const functions = customShapes && { shapes: JSON.stringify(customShapes), call };
    const chosen = await this.chosen(backend);
    const loading = this.settle(this.page.load(got, later ? [later, bytes] : undefined, chosen, kerasVersion, theanoKernels, functions));
    const handle = await loading.catch((e) => { throw failed ?? e; }); // a file that cannot be fetched says so itself
    this.models.set(id, handle);
    this.tell(id, { type: "initprogress", progress: 100 });
    const described = JSON.parse(this.page.describe(handle)), now = performance.now();
    this.watchContext(id, described.backend);
    if (globalThis.document) keep(); // a page is busy while it loads, and must not be while a model predicts
    else this.keeps.set(id, { keep, timer: setTimeout(keep, PATIENCE) });
    const stats = { boot: this.bootMs, snapshot: this.snapshot, files: about, load: loaded - began, init: now - loaded, ready: now - began };
    return { ...described, stats: { ...described.stats, ...stats } };
  }

  // "auto" and "cpu" made a backend's name; where several work it stays "auto", and Python measures. The reference
  // works with numpy, which is fetched only then.
  async chosen(backend) {
    const quick = { auto: ["wasm", "webgl2"], cpu: ["wasm"] }[backend];
    const works = (n) => !this.page.why_not(n); // asked of webgl2, it tries the GPU: not where wasm is there to begin with
    const name = !quick ? backend : !quick.some(works) ? "reference" : backend === "cpu" ? "wasm" : backend;
    if (name === "reference") await this.python.loadPackage("numpy", { messageCallback() {} });
    return name;
  }

  // The canvas tells when the GPU goes away and comes back.
  watchContext(id, backend) {
    if (!backend.startsWith("webgl2") || this.onGpu.has(id)) return;
    this.onGpu.add(id);
    if (this.canvas) return;
    this.canvas = this.page.canvas();
    for (const type of ["contextlost", "contextrestored"])
      this.canvas.addEventListener(`webgl${type}`, () => this.onGpu.forEach((model) => this.tell(model, { type })));
  }

  model(id) {
    const handle = this.models.get(id);
    if (!handle) throw new Error("the model was disposed; load it again");
    return handle;
  }

  async predict(id, inputs, layers) {
    const handle = this.model(id), began = performance.now(), last = this.again.get(id);
    this.tell(id, { type: "predictprogress", progress: 0 });
    const quick = last?.fits(inputs, layers) && (await last.run(inputs).catch(() => null)); // what fails is Python's to tell
    const answer = quick || (await this.asked(id, handle, inputs, layers));
    this.tell(id, { type: "predictprogress", progress: 100 });
    answer.stats.call = performance.now() - began;
    this.keep(id);
    return answer;
  }

  keep(id) {
    const { keep, timer } = this.keeps.get(id) ?? {};
    this.keeps.delete(id);
    clearTimeout(timer);
    if (keep) setTimeout(keep);
  }

  async asked(id, handle, inputs, layers) {
    const { outputs, own, stats, again } = await this.settle(this.page.predict(handle, inputs, layers)), told = JSON.parse(stats);
    this.watchContext(id, told.backend); // "auto" may have come to the GPU
    if (again) this.again.set(id, new Again(again, inputs, outputs, own, told.backend));
    else this.again.delete(id);
    return { outputs, own, stats: told };
  }

  async profile(id, inputs) {
    return JSON.parse(await this.settle(this.page.profile(this.model(id), inputs)));
  }

  explain(id) {
    return this.model(id).explain();
  }

  resetStates(id) {
    this.model(id).reset_states();
  }

  dispose(id) {
    const handle = this.models.get(id);
    this.models.delete(id);
    this.onGpu.delete(id);
    this.again.delete(id);
    this.keep(id);
    if (handle) this.end(handle);
  }

  end(handle) {
    this.page.end(handle);
    handle.destroy();
  }

  async backends() {
    await this.booting;
    return JSON.parse(this.page.offered());
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

// What Python allowed at the last prediction: inputs of the same names and shapes go to the machine without it.
class Again {
  constructor({ machine, names }, inputs, outputs, own, backend) {
    this.machine = machine; // of machine.js, or a plan of runner.js
    this.names = names; // of the inputs: as given -> the plan's
    this.told = Object.fromEntries(Object.entries(inputs).map(([k, x]) => [k, { length: x.data.length, shape: String(x.shape) }]));
    this.shapes = Object.fromEntries(Object.entries(outputs).map(([k, y]) => [k, y.shape]));
    this.own = own;
    this.backend = backend;
  }

  fits(inputs, layers) {
    const same = (k) => k in this.told && inputs[k].data.length === this.told[k].length && String(inputs[k].shape) === this.told[k].shape;
    const given = Object.keys(inputs);
    return this.machine.live() && !layers.length && given.length === Object.keys(this.told).length && given.every(same);
  }

  async run(inputs) {
    const began = performance.now(), feeds = {}, outputs = {};
    for (const k in this.names) feeds[this.names[k]] = inputs[k].data;
    const results = await this.machine.predict(feeds);
    for (const k in this.shapes) outputs[k] = { data: results[k], shape: [...this.shapes[k]] };
    return { outputs, own: this.own, stats: { predict: performance.now() - began, backend: this.backend } };
  }
}

// The snapshot lies gzipped, whatever the server does with it on its way.
const unpacked = (r) =>
  r.ok ? new Response(r.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer() : null;

// A Python error as a JavaScript one: the last line of its traceback is our sentence, its class the name.
function plain(e) {
  if (e?.constructor?.name !== "PythonError") return e;
  const last = e.message.trim().split("\n").pop(), [, kind, text] = last.match(/^(?:[\w.]*\.)?(\w+): (.*)$/) ?? [];
  return Object.assign(new Error(text ?? last), { name: kind ?? e.type ?? "Error" });
}
