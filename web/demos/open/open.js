// open.js - a model's files in; its layers, its graph, a form to try it, its profile out.
import { $, Machine, bars, element, filesOf, layerImages } from "../shared.js";

const machine = new Machine(null, () => show());
machine.offered.then(() => machine.say("Ready."), () => {});
let model = null;

// Which file is what: by name, as the encoder names them.
function sorted(files) {
  const found = { weights: [] };
  for (const file of files) {
    const kind = /metadata.*\.json$/i.test(file.name) ? "metadata" : /\.(buf|bin|weights\.(h5|json))$|^group\d+-shard/i.test(file.name) ? "weights" : "model";
    if (kind === "weights") found.weights.push(file);
    else if (found[kind]) throw new Error(`Both ${found[kind].name} and ${file.name} look like the ${kind}; choose one.`);
    else found[kind] = file;
  }
  if (!found.model) {
    const names = [...found.weights, found.metadata].filter(Boolean).map((f) => f.name).join(" and ");
    throw new Error(`${names} goes with a model that is not among the files; choose its .json too, or the whole .keras or .h5 alone.`);
  }
  const { weights, ...rest } = found; // several are shards, which another file names
  return weights.length ? { ...rest, weights: weights.length > 1 ? weights : weights[0] } : rest;
}

// Whatever happens, one sentence.
const trying = (f) => async (...args) => {
  try {
    return await f(...args);
  } catch (e) {
    machine.fail(e);
  }
};

const open = trying(async (filepaths) => {
  machine.say("Reading …");
  $("opened").hidden = true;
  for (const m of Object.values(machine.models)) m.dispose();
  Object.assign(machine, { filepaths, models: {} });
  await machine.offered;
  await show();
});

const show = trying(async () => {
  if (!machine.filepaths) return;
  const mine = machine.filepaths, opened = await machine.model(machine.choice.value);
  if (mine !== machine.filepaths) return; // others were dropped meanwhile
  model = opened;
  const shape = (s) => (s ? s.map((d) => d ?? "n").join(" × ") : "?");
  $("name").textContent = `${model.name}, ${model.layers.length} layers, Keras ${model.kerasVersion}`;
  $("layers").replaceChildren(...model.layers.map((l) => element("tr", {}, ...[l.name, l.class, shape(l.shape), l.inbound.join(", ")].map((t) => element("td", { textContent: t })))));
  graph(model.layers);
  $("inputs").replaceChildren(...model.inputs.map(field));
  for (const id of ["outputs", "times"]) $(id).replaceChildren();
  for (const id of ["profiled", "plan"]) $(id).hidden = true;
  $("opened").hidden = false;
  machine.say(`Ready in ${model.stats.ready.toFixed(0)} ms on ${model.backend}.`);
});

// Layers in rows by how far they are from the inputs.
function graph(layers) {
  const label = (l) => `${l.name} · ${l.class}`, LETTER = 6.6, [H, GAP] = [28, 26];
  const W = Math.min(300, 24 + LETTER * Math.max(...layers.map((l) => label(l).length))), most = Math.floor((W - 24) / LETTER);
  const depth = {}, rows = [], at = {};
  const far = (l) => (depth[l.name] ??= 1 + Math.max(-1, ...l.inbound.filter((n) => byName[n]).map((n) => depth[n] ?? -1)));
  const byName = Object.fromEntries(layers.map((l) => [l.name, l]));
  for (let pass = 0; pass < 2; pass++) for (const l of layers) { if (pass) delete depth[l.name]; far(l); }
  for (const l of layers) (rows[depth[l.name]] ??= []).push(l);
  const width = Math.max(...rows.filter(Boolean).map((r) => r.length)) * (W + 16), height = rows.length * (H + GAP);
  rows.forEach((row, y) => row.forEach((l, x) => (at[l.name] = [(width - row.length * (W + 16)) / 2 + x * (W + 16) + 8, y * (H + GAP) + 4])));
  const make = (tag, attributes, text) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    if (text) e.textContent = text;
    return e;
  };
  const svg = make("svg", { width, height, role: "img", "aria-label": `Graph of ${layers.length} layers` });
  for (const l of layers)
    for (const n of l.inbound.filter((k) => at[k])) {
      const [x0, y0] = at[n], [x1, y1] = at[l.name], bend = y1 - y0 > H + GAP + 5 ? W / 2 + 14 : 0;
      svg.append(make("path", { d: `M${x0 + W / 2} ${y0 + H} C${x0 + W / 2 + bend} ${y0 + H + GAP} ${x1 + W / 2 + bend} ${y1 - GAP} ${x1 + W / 2} ${y1}` }));
    }
  for (const l of layers) {
    const [x, y] = at[l.name], text = label(l);
    svg.append(make("rect", { x, y, width: W, height: H, rx: 7 }), make("text", { x: x + W / 2, y: y + 18, "text-anchor": "middle" }, text.length > most ? `${text.slice(0, most - 1)}…` : text));
  }
  $("graph").replaceChildren(svg);
}

// Whole numbers where the model takes them: its own word for it, or what an Embedding reads.
const whole = ({ name, dtype }) => /int/.test(dtype) || model.layers.some((l) => l.class === "Embedding" && l.inbound.includes(name));
const FILLS = { noise: Math.random, "0 to 9": () => Math.floor(10 * Math.random()), zeros: () => 0, numbers: null };

function field(input) {
  const { name, shape } = input;
  const known = (shape ?? [null, 1]).map((d, i) => d ?? (i ? 16 : 1));
  const how = element("select", { name: `${name} how`, "aria-label": `How to fill ${name}` }, ...Object.keys(FILLS).map((t) => element("option", { textContent: t })));
  if (whole(input)) how.value = "0 to 9";
  const dims = element("input", { type: "text", value: known.join(", "), "aria-label": `Shape of ${name}`, size: 14 });
  const numbers = element("textarea", { rows: 2, placeholder: "0.1, 0.2, …", hidden: true, "aria-label": `Numbers for ${name}` });
  how.addEventListener("change", () => (numbers.hidden = how.value !== "numbers"));
  return Object.assign(element("fieldset", {}, element("legend", { textContent: name }), element("div", { className: "row" }, how, element("span", { textContent: "of shape" }), dims), numbers), {
    value() {
      const dim = dims.value.split(/[,×x\s]+/).filter(Boolean).map(Number), size = dim.reduce((a, b) => a * b, 1);
      if (!dim.every((d) => Number.isInteger(d) && d > 0) || size > 1e8) throw new Error(`${name}: "${dims.value}" is no shape; expected numbers such as ${known.join(", ")}`);
      const typed = numbers.value.split(/[\s,;[\]]+/).filter(Boolean).map(Number);
      return { shape: dim, data: FILLS[how.value] ? Float32Array.from({ length: size }, FILLS[how.value]) : typed };
    },
  });
}

// "Dense 'dense_1'", or several of them in one step -> the names alone.
const named = (told) => [...told.matchAll(/'([^']+)'/g)].map((m) => m[1]).join(", ") || told;
const inputs = () => Object.fromEntries(model.inputs.map((info, i) => [info.name, $("inputs").children[i].value()]));
$("form").addEventListener("submit", (e) => {
  e.preventDefault();
  trying(async () => {
    const out = await machine.ask(inputs());
    $("outputs").replaceChildren();
    layerImages($("outputs"), Object.entries(out).map(([name, y]) => [name, "", Object.assign(y, { shape: y.shape.length > 1 ? y.shape : [1, ...y.shape] })]).filter(([, , y]) => y.shape.length <= 4));
    for (const [name, y] of Object.entries(out)) $("outputs").append(element("code", { textContent: `${name} = ${[...y.slice(0, 24)].map((v) => v.toPrecision(4)).join(", ")}${y.length > 24 ? ", …" : ""}` }));
  })();
});
$("profile").addEventListener("click", trying(async () => {
  machine.say("Measuring …");
  const layers = {}, steps = await model.profile(inputs());
  for (const { layer, ms } of steps) layers[named(layer)] = (layers[named(layer)] ?? 0) + ms;
  const total = Object.values(layers).reduce((a, b) => a + b, 0) || 1;
  bars($("times"), Object.fromEntries(Object.entries(layers).map(([k, ms]) => [k, ms / total])), (share) => `${(share * total).toFixed(2)} ms`);
  $("profiled").hidden = false;
  machine.say(`${total.toFixed(1)} ms in ${steps.length} steps, one by one.`);
}));
$("explain").addEventListener("click", trying(async () => {
  $("plan").textContent = await model.explain();
  $("plan").hidden = false;
}));
$("example").addEventListener("click", () => open(filesOf("mnist_cnn")));
const chosen = trying(async (files) => files.length && open(sorted(files)));
$("file").addEventListener("change", (e) => chosen(e.target.files));
for (const type of ["dragover", "dragleave", "drop"])
  addEventListener(type, (e) => {
    e.preventDefault();
    $("drop").classList.toggle("over", type === "dragover");
    if (type === "drop") chosen(e.dataTransfer.files);
  });
