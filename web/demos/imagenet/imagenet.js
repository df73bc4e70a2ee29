// imagenet.js - a picture in, five names out, and where in the picture each was seen.
import { $, Machine, demo, element, filesOf, latest, picture, pictures, pixels, samples, top } from "../shared.js";

// How keras.applications (and the maker of ours) prepare a picture; the layer that says for each place what is there.
export const KINDS = {
  efficientnet_lite0: { size: 224, prepare: (v) => (v - 127) / 128, map: "classes" },
  resnet50: { size: 224, prepare: (v, k) => v - [103.939, 116.779, 123.68][k], bgr: true },
  inception_v3: { size: 299, prepare: (v) => v / 127.5 - 1 },
};
const labels = fetch("labels.json").then((r) => r.json());
let kind = KINDS.efficientnet_lite0, shown = null, places = null;
export const machine = new Machine(filesOf("efficientnet_lite0"), () => look(shown));

export const input = (image, { size, prepare, bgr }) => {
  const data = pixels(image, size);
  const value = (i) => { const k = i % 3; return prepare(data[4 * Math.floor(i / 3) + (bgr ? 2 - k : k)], k); };
  return { input: Float32Array.from({ length: 3 * size * size }, (_, i) => value(i)) };
};

const look = latest(machine, async (image) => {
  shown = image;
  const side = Math.min(image.width, image.height), canvas = $("shown");
  canvas.getContext("2d").drawImage(image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, canvas.width, canvas.height);
  $("heat").className = "";
  const out = await machine.ask(input(image, kind), { layers: kind.map ? [kind.map] : [] }), names = await labels;
  places = kind.map && out[kind.map];
  $("answers").replaceChildren(...Object.entries(top(out.label ?? out.output, names)).map(([label, score]) => {
    const fill = element("i"), button = element("button", { type: "button", "aria-pressed": false }, element("span", { textContent: label }), element("span", { textContent: `${(100 * score).toFixed(1)} %` }), element("span", { className: "bar" }, fill));
    fill.style.width = `${100 * score}%`;
    for (const type of ["pointerenter", "focus", "click"]) button.addEventListener(type, () => light(button, names.indexOf(label)));
    return button;
  }));
});

// Zhou et al., "Learning Deep Features for Discriminative Localization", 2016.
function light(button, label) {
  for (const b of $("answers").children) b.setAttribute("aria-pressed", b === button);
  if (!places) return;
  const [, h, w, c] = places.shape, heat = $("heat"), image = new ImageData(w, h);
  const seen = Float32Array.from({ length: h * w }, (_, i) => places[i * c + label]), [min, max] = [Math.min(...seen), Math.max(...seen)];
  seen.forEach((v, i) => { const t = (v - min) / (max - min || 1); image.data.set([255 * t, 120 * t * t, 30 * t, 255], 4 * i); });
  Object.assign(heat, { width: w, height: h, className: "on" }).getContext("2d").putImageData(image, 0, 0);
}

samples(machine, $("samples"), ["cat", "coffee", "rocket", "astronaut"], look);
pictures(machine, $("file"), $("stack"), look);
$("fetch").addEventListener("submit", async (e) => {
  e.preventDefault();
  try {
    await look(await picture($("url").value));
  } catch {
    machine.fail(new Error("That picture cannot be fetched; is the address right, and does its site allow it?"));
  }
});
$("own").addEventListener("change", (e) => {
  const files = {};
  for (const file of e.target.files) files[/metadata/.test(file.name) ? "metadata" : file.name.endsWith(".buf") ? "weights" : "model"] = file;
  turnTo(files, KINDS[$("kind").value]);
});
$("back").addEventListener("click", () => turnTo(filesOf("efficientnet_lite0"), KINDS.efficientnet_lite0));
function turnTo(filepaths, to) {
  for (const m of Object.values(machine.models)) m.dispose();
  kind = to;
  Object.assign(machine, { filepaths, models: {} });
  $("back").hidden = kind === KINDS.efficientnet_lite0;
  $("note").hidden = !kind.map;
  look(shown);
}
picture("../pictures/cat.jpg").then(look);
demo(machine, async (model) => {
  const names = await labels, said = {};
  for (const name of ["cat", "coffee", "rocket"]) {
    const { output } = await model.predict(input(await picture(`../pictures/${name}.jpg`), KINDS.efficientnet_lite0));
    for (const [label, score] of Object.entries(top(output, names, 1))) said[`${name}: ${label}`] = score;
  }
  return said;
});
