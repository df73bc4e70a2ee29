// From page open to first answer:  startup.html?model=mnist_cnn&engines=webkeras:auto,tfjs:webgl&rounds=5
//
// The page opens one engine, POSTs how long that took since its navigation began, and goes on to itself for the next one.
// The first round fills the browser's cache and is said apart (round 0). The last body is {"done": 1}.

const query = new URLSearchParams(location.search);
const engines = (query.get("engines") ?? "webkeras:auto,tfjs:webgl").split(",");
const model = query.get("model") ?? "mnist_cnn", visit = Number(query.get("visit") ?? 0);
const rounds = Number(query.get("rounds") ?? 5);
const post = (body) => fetch("/", { method: "POST", body: JSON.stringify(body) });

(async () => {
  const round = Math.floor(visit / engines.length), [engine, backend] = engines[visit % engines.length].split(":");
  if (round > rounds) return post({ done: 1 });
  const row = { model, engine, backend, round };
  try {
    const input = fetch(`models/${model}/x.f32`).then((r) => r.arrayBuffer());
    const io = await (await fetch(`models/${model}/io.json`)).json();
    const page = performance.now();
    const net = await openEngine({ model, engine, backend, worker: true, io });
    const opened = performance.now();
    const x = new Float32Array(await input, 0, io.input.reduce((a, b) => a * b, 1));
    const y = await net.predict(x);
    const total = performance.now();
    if (y.length !== io.output.reduce((a, b) => a * b, 1)) throw new Error(`${y.length} numbers came out`);
    Object.assign(row, { name: net.name, page, script: net.script, opened: opened - page, first: total - opened, total }, net.stats());
    await new Promise((r) => setTimeout(r, 500)); // what is put into the cache afterwards gets there
  } catch (e) {
    row.failed = String(e?.message ?? e);
  }
  await post({ startup: row });
  query.set("visit", visit + 1);
  location.replace(`?${query}`);
})();
