// tests.js - the layer goldens of tests/golden/layers (laid beside this page by ./build.sh demo), run here.
import WebKeras from "../../webkeras.mjs";
import { $, Machine, element } from "../shared.js";

const machine = new Machine(null);
const files = fetch("goldens.json").then((r) => r.json()); // [{keras, family, cases: [{name, config, weights, inputs, outputs}], offset}]
const numbers = fetch("goldens.bin").then((r) => r.arrayBuffer());
// Relative to the largest number of an output; GPUs and the order of sums differ in the last bits.
const ALLOWED = { webgl2: 2e-4, wasm: 1e-4, reference: 1e-4 };
const BICUBIC = 2e-3; // TensorFlow takes cubic weights from a table of 1024 steps

const ALL = "all";

const size = (shape) => shape.reduce((a, b) => a * b, 1);

// A case with its numbers: each list item ends in its shape, and the numbers of all follow one another.
function unpacked(c, values) {
  let at = c.offset;
  const take = (item) => {
    const shape = item.at(-1), data = values.subarray(at, (at += size(shape)));
    return { names: item.slice(0, -1), shape, data };
  };
  return { weights: c.weights.map(take), inputs: c.inputs.map(take), outputs: c.outputs.map(take) };
}

function blobs(config, weights) {
  let offset = 0;
  const metadata = weights.map(({ names: [layer_name, weight_name], shape }) => {
    const entry = { layer_name, weight_name, offset, length: size(shape), shape, type: "float32" };
    offset += 4 * entry.length;
    return entry;
  });
  const json = (x) => new Blob([JSON.stringify(x)]);
  return { model: json(config), ...(weights.length ? { weights: new Blob(weights.map((w) => w.data)), metadata: json(metadata) } : {}) };
}

// The outputs of one call, or of several one after another where a layer keeps states: each takes its part of the samples.
async function answers(model, { notes: { calls = 1, reset_before = [] } }, inputs) {
  const part = ({ data, shape: [n, ...rest] }, i) => ({
    data: data.slice((i * data.length) / calls, ((i + 1) * data.length) / calls), shape: [n / calls, ...rest],
  });
  const all = Object.fromEntries(model.outputs.map(({ name }) => [name, []]));
  for (let i = 0; i < calls; i++) {
    if (reset_before.includes(i)) await model.resetStates();
    const out = await model.predict(Object.fromEntries(model.inputs.map(({ name }, k) => [name, part(inputs[k], i)])));
    for (const name in all) all[name].push(...out[name]);
  }
  return all;
}

async function run(c, values, backend) {
  const { weights, inputs, outputs } = unpacked(c, values), filepaths = blobs(c.config, weights);
  const model = new WebKeras.Model({ filepaths, backend, theanoKernels: c.notes.theano });
  try {
    await model.ready();
    const out = await answers(model, c, inputs);
    let error = 0;
    model.outputs.forEach((info, i) => {
      const want = outputs[i].data, got = out[info.name], scale = Math.max(1e-3, ...want.map(Math.abs));
      if (got.length !== want.length) throw new Error(`${c.name}: ${got.length} numbers, expected ${want.length}`);
      got.forEach((v, k) => { error = Math.max(error, Number.isNaN(v) !== Number.isNaN(want[k]) ? Infinity : Math.abs(v - want[k]) / scale || 0); });
    });
    return { error, ms: model.stats.predict };
  } finally {
    await model.dispose();
  }
}

async function family({ family, cases }, values, backend) {
  const row = { cases: cases.length, right: 0, error: 0, ms: 0, wrong: "" };
  for (const c of cases) {
    try {
      const { error, ms } = await run(c, values, backend);
      row.error = Math.max(row.error, error);
      row.ms += ms / cases.length;
      if (error <= (c.name.includes("bicubic") ? BICUBIC : ALLOWED[backend])) row.right++;
      else row.wrong ||= `${c.name}: off by ${error.toExponential(1)}`;
    } catch (e) {
      row.wrong ||= `${c.name}: ${e.message}`;
    }
  }
  const cells = [family, backend, row.cases, row.right, row.error.toExponential(1), row.ms.toFixed(1), row.wrong];
  $("rows").append(element("tr", { className: row.right < row.cases ? "wrong" : "" }, ...cells.map((text, i) => element("td", { textContent: text, className: i > 1 && i < 6 ? "number" : "" }))));
  return row;
}

/** {cases, right, table} of what was chosen. */
async function all() {
  const offered = await machine.offered, backends = machine.choice.value === ALL ? offered : [machine.choice.value];
  const values = new Float32Array(await numbers), lines = [], on = backends.join(", ");
  const chosen = (await files).filter((f) => f.keras === $("keras").value && (!$("family").value || f.family === $("family").value));
  const sum = { cases: 0, right: 0 };
  $("rows").replaceChildren();
  for (const [f, backend] of chosen.flatMap((f) => backends.map((b) => [f, b]))) {
    const row = await family(f, values, backend);
    sum.cases += row.cases;
    sum.right += row.right;
    lines.push(`${f.family} on ${backend}: ${row.right}/${row.cases}, error ${row.error.toExponential(1)}${row.wrong && `, ${row.wrong}`}`);
    $("summary").textContent = `${sum.right} of ${sum.cases} right so far, on ${on}.`;
  }
  $("summary").textContent = `${sum.right} of ${sum.cases} cases right on ${on}.`;
  return { ...sum, table: [`webkeras ${WebKeras.version}, ${$("keras").value}, ${navigator.userAgent}`, ...lines].join("\n") };
}

let table = "";
$("go").addEventListener("click", async () => {
  $("go").disabled = true;
  try {
    ({ table } = await all());
    $("copy").disabled = false;
  } catch (e) {
    machine.fail(e);
  }
  $("go").disabled = false;
});
$("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(table);
    machine.say("Copied.");
  } catch { // no https, or not allowed
    machine.fail(new Error("This browser does not let the page copy; select the table and copy that."));
  }
});
$("keras").addEventListener("change", fill);
async function fill() {
  const here = (await files).filter((f) => f.keras === $("keras").value).map((f) => f.family);
  $("family").replaceChildren(element("option", { value: "", textContent: "all" }), ...here.map((f) => element("option", { textContent: f })));
}
files.then((found) => {
  for (const keras of new Set(found.map((f) => f.keras))) $("keras").append(element("option", { textContent: keras }));
  $("keras").value = "keras2.15.0";
  return fill();
}).catch(() => machine.fail(new Error("The goldens are not here; ./build.sh demo lays them beside this page.")));
machine.offered.then(() => {
  machine.choice.append(element("option", { value: ALL, textContent: "all of them", selected: true }));
  machine.say("Ready.");
}, () => {});
