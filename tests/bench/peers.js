// Measures several libraries on the same model in one page:  peers.html?models=mnist_cnn&engines=tfjs:webgl,webkeras:webgl2&n=20
// Engines are named LIBRARY:BACKEND or LIBRARY:BACKEND:THREADS; n=0 sees first predictions only.
//
// Every engine lives in a frame of its own, with its own WebGL context, so that none profits from or pays for another, and
// all of a model's engines are open together: they are timed in turns, a few predictions each, so that a noisy machine is
// noisy for all. Each result is POSTed to / as JSON; the last body is {"done": 1}.

const query = new URLSearchParams(location.search);
const list = (name, fallback) => (query.get(name) ?? fallback).split(",").filter(Boolean);
const N = Number(query.get("n") ?? 20);
const TURN = 5; // predictions an engine makes before the next one has its turn
const STEP_SECONDS = Number(query.get("step_s") ?? 300);

async function post(body) {
  document.getElementById("log").textContent += JSON.stringify(body) + "\n";
  await fetch("/", { method: "POST", body: JSON.stringify(body) });
}

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no end within ${STEP_SECONDS} s`)), STEP_SECONDS * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const frame = (src) =>
  new Promise((resolve) => {
    const element = Object.assign(document.createElement("iframe"), { src });
    element.onload = () => resolve(element);
    document.body.append(element);
  });

async function floats(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return new Float32Array(await answer.arrayBuffer());
}

async function timed(work) {
  const start = performance.now();
  const value = await work();
  return [performance.now() - start, value];
}

const median = (a) => {
  const s = [...a].sort((x, y) => x - y);
  return s.length % 2 ? s[s.length >> 1] : (s[s.length / 2 - 1] + s[s.length / 2]) / 2;
};

// The largest difference, relative to the largest expected value.
function distance(found, expected) {
  if (found.length !== expected.length) throw new Error(`${found.length} numbers came out, expected ${expected.length}`);
  let worst = 0, most = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(found[i] - expected[i]);
    worst = Number.isNaN(difference) ? Infinity : Math.max(worst, difference);
    most = Math.max(most, Math.abs(expected[i]));
  }
  return worst / most;
}

// Open an engine, predict once, and note what that took; a failure becomes a result too.
async function open(job, x, y) {
  const entry = { job, times: [], element: await frame("frame.html") };
  const { engine, backend, model, threads } = job;
  entry.row = { model, engine, backend, threads };
  try {
    const window = entry.element.contentWindow;
    entry.meter = window.glMeter;
    entry.x = new window.Float32Array(x); // of the frame's own kind: libraries ask `instanceof`
    const [load, session] = await within(timed(() => window.openEngine(job)), "loading");
    entry.session = session;
    const [first, answer] = await within(timed(() => session.predict(entry.x)), "the first prediction");
    Object.assign(entry.row, { name: session.name, load, first: first + (session.prepared ?? 0), error: distance(answer, y) });
  } catch (error) {
    entry.failed = String(error?.message ?? error);
  }
  return entry;
}

async function turn(entry) {
  try {
    await within(entry.session.predict(entry.x), "a prediction"); // after the others' turns: not counted
    for (let i = 0; i < Math.min(TURN, N) && entry.times.length < N; i++) {
      entry.times.push((await within(timed(() => entry.session.predict(entry.x)), "a prediction"))[0]);
    }
  } catch (error) {
    entry.failed = String(error?.message ?? error);
  }
}

async function close({ row, times, meter, session, failed, element, x }, y) {
  if (failed) {
    Object.assign(row, { failed });
  } else {
    const counted = async () => (session.meter ? session.meter() : meter), { programs, textures, bytes, peak } = await counted();
    Object.assign(row, { n: times.length, programs, textures, bytes, peak });
    if (times.length) Object.assign(row, { median: median(times), min: Math.min(...times), drift: distance(await session.predict(x), y) });
    Object.assign(row, session.stats());
    await session.dispose();
    row.left = (await counted()).bytes;
  }
  await post(row);
  element.remove();
}

async function measure(model) {
  const io = await (await fetch(`models/${model}/io.json`)).json();
  const size = (shape) => shape.reduce((a, b) => a * b, 1);
  const x = (await floats(`models/${model}/x.f32`)).slice(0, size(io.input));
  const y = (await floats(`models/${model}/y.f32`)).slice(0, size(io.output));
  const entries = [];
  for (const named of list("engines", "tfjs:webgl,webkeras:webgl2")) {
    const [engine, backend, threads] = named.split(":");
    await post({ progress: `${model}: ${named} loads and predicts once` });
    const worker = engine === "webkeras" && backend === "webgl2"; // its default; where threads are counted all are in a page
    entries.push(await open({ engine, backend, model, io, worker, threads: Number(threads) || undefined }, x, y));
  }
  const running = () => entries.filter((entry) => !entry.failed && entry.times.length < N);
  await post({ progress: `${model}: ${N} predictions each, ${Math.min(TURN, N)} at a time` });
  while (running().length) for (const entry of running()) await turn(entry);
  for (const entry of entries) await close(entry, y);
}

function environment() {
  const gl = document.createElement("canvas").getContext("webgl2");
  const info = gl?.getExtension("WEBGL_debug_renderer_info");
  const renderer = gl ? gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER) : "no WebGL2";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return { renderer, browser: navigator.userAgent, cores: navigator.hardwareConcurrency, isolated: crossOriginIsolated };
}

(async () => {
  await post({ environment: environment() });
  for (const model of list("models", "mnist_cnn")) {
    try {
      await measure(model);
    } catch (error) {
      await post({ model, failed: String(error?.message ?? error) });
    }
  }
  await post({ done: 1 });
})();
