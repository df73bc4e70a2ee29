// One function per library. Each opens a model and returns {predict, stats, dispose}; predict takes the input as a
// Float32Array and gives the output as one, so that upload and download are inside whatever is timed around it.
// job: {model, backend, threads, worker, io}: the folder's name, the library's own name of the backend, how many threads
// (none: the library's own choice), whether to work in a Web Worker (where it can), and the model's io.json.

const script = (src) =>
  new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement("script"), { src, onload: resolve });
    element.onerror = () => reject(new Error(`${src} cannot be loaded`));
    document.head.append(element);
  });

const here = (path) => new URL(path, document.baseURI).href;

// A file that a converter made, or why it made none.
async function converted(model, kind) {
  const told = await (await fetch(`models/${model}/converted.json`)).json();
  if (told[kind]) throw new Error(`not measured: ${told[kind]}`);
  return new Uint8Array(await (await fetch(`models/${model}/${model}.${kind}`)).arrayBuffer());
}

async function measureTfjs({ model, backend, threads, io }) {
  await script("tfjs/tf.min.js");
  if (backend === "wasm") {
    await script("tfjs/tf-backend-wasm.min.js");
    tf.wasm.setWasmPaths("tfjs/");
    if (threads) tf.wasm.setThreadsCount(threads);
  }
  if (!(await tf.setBackend(backend))) throw new Error(`TF.js has no backend '${backend}' here`);
  const net = await tf.loadLayersModel(`models/${model}/tfjs/model.json`);
  return {
    name: `TF.js ${tf.version.tfjs}`,
    async predict(data) {
      const x = tf.tensor(data, io.input);
      const y = net.predict(x);
      const result = await y.data();
      x.dispose();
      y.dispose();
      return result;
    },
    stats: () => ({
      tensors: tf.memory().numTensors,
      own_bytes: tf.memory().numBytesInGPUAllocated,
      threads,
      own_threads: backend === "wasm" ? tf.wasm.getThreadsCount() : undefined, // what it says it has
    }),
    dispose: () => net.dispose(),
  };
}

async function measureLitert({ model, threads, io }) {
  const file = await converted(model, "tflite");
  const { loadLiteRt, loadAndCompile, Tensor } = await import(here("litert/core.js"));
  await loadLiteRt(here("litert/wasm/"), threads > 1 ? { threads: true } : {});
  const net = await loadAndCompile(file, { accelerator: "wasm", cpuOptions: { numThreads: threads ?? 1 } });
  return {
    name: "LiteRT.js 2.5.3",
    async predict(data) {
      const x = new Tensor(data, io.input);
      const outputs = Object.values(await net.run(x));
      const result = outputs[0].toTypedArray().slice();
      x.delete();
      for (const y of outputs) y.delete();
      return result;
    },
    stats: () => ({ threads: threads ?? 1 }),
    dispose: () => net.delete(),
  };
}

async function measureOrt({ model, threads, io }) {
  const file = await converted(model, "onnx");
  const ort = await import(here("ort/ort.wasm.min.mjs"));
  ort.env.wasm.wasmPaths = here("ort/");
  ort.env.wasm.numThreads = threads ?? 1;
  ort.env.logLevel = "error";
  const net = await ort.InferenceSession.create(file, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
  return {
    name: `ORT-web ${ort.env.versions.web}`,
    async predict(data) {
      const result = await net.run({ [net.inputNames[0]]: new ort.Tensor("float32", data, io.input) });
      return result[net.outputNames[0]].data;
    },
    stats: () => ({ threads: threads ?? 1 }),
    dispose: () => net.release(),
  };
}

// What the meter in webkeras' worker has counted.
const inWorker = () =>
  new Promise((resolve) => {
    const channel = new BroadcastChannel("glMeter");
    channel.onmessage = ({ data }) => (channel.close(), resolve(data));
    channel.postMessage("?");
  });

async function measureWebkeras({ model, backend, threads, worker = false, io }) {
  if (threads) globalThis.webkerasThreads = threads;
  const base = here("../web/");
  await script(`${base}webkeras.js`);
  const loaded = performance.now();
  const files = `models/${model}/${model}`;
  const net = new WebKeras.Model({
    filepaths: { model: `${files}.json`, weights: `${files}_weights.buf`, metadata: `${files}_metadata.json` },
    backend, base,
    worker,
  });
  await net.ready();
  const { trace = 0, prepare = 0 } = net.stats;
  return {
    prepared: trace + prepare, // what other libraries do in their first prediction
    name: `webkeras ${WebKeras.version}`,
    meter: worker ? inWorker : undefined,
    script: loaded,
    predict: async (x) => (await net.predict({ [io.input_name]: { data: x, shape: io.input } }))[io.output_name],
    stats: () => ({ own: net.stats, chosen: net.backend, threads, own_threads: net.stats.threads }),
    dispose: () => net.dispose(),
  };
}

const ENGINES = { tfjs: measureTfjs, litert: measureLitert, ort: measureOrt, webkeras: measureWebkeras };
globalThis.openEngine = (job) => ENGINES[job.engine](job);
