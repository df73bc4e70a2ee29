// One function per library. Each opens a model and returns {predict, stats, dispose}; predict takes the input as a
// Float32Array and gives the output as one, so that upload and download are inside whatever is timed around it.
// job: {model, backend, threads, io}: the folder's name, the library's own name of the backend, and the model's io.json.

const script = (src) =>
  new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement("script"), { src, onload: resolve });
    element.onerror = () => reject(new Error(`${src} cannot be loaded`));
    document.head.append(element);
  });

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
      threads: backend === "wasm" ? tf.wasm.getThreadsCount() : undefined,
    }),
    dispose: () => net.dispose(),
  };
}

async function measureWebkeras({ model, backend, threads, io }) {
  if (threads) globalThis.webkerasThreads = threads;
  const base = new URL("../web/", document.baseURI).href;
  await script(`${base}webkeras.js`);
  const files = `models/${model}/${model}`;
  const net = new WebKeras.Model({
    filepaths: { model: `${files}.json`, weights: `${files}_weights.buf`, metadata: `${files}_metadata.json` },
    backend, base,
    worker: false, // where its WebGL calls can be counted
  });
  await net.ready();
  return {
    name: `webkeras ${WebKeras.version}`,
    predict: async (data) => (await net.predict({ [io.input_name]: data }))[io.output_name],
    stats: () => ({ own: net.stats }),
    dispose: () => net.dispose(),
  };
}

const ENGINES = { tfjs: measureTfjs, webkeras: measureWebkeras };
globalThis.openEngine = (job) => ENGINES[job.engine](job);
