// shared.js - what the demo pages share: a model on the backend the visitor chose, bars, layers as images, pictures.
import WebKeras from "../webkeras.mjs";
import { kept } from "./visited.js";

export const $ = (id) => document.getElementById(id);

/** element("p", { className: "hint" }, "text", child): an element with properties (dash-names: attributes) and children. */
export function element(tag, properties = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(properties)) k.includes("-") ? e.setAttribute(k, v) : (e[k] = v);
  e.append(...children);
  return e;
}

/** The files of models/NAME as the encoder names them. */
export const filesOf = (name) => ({
  model: `../../models/${name}/${name}.json`,
  weights: `../../models/${name}/${name}_weights.buf`,
  metadata: `../../models/${name}/${name}_metadata.json`,
});

/** What is known of models/NAME (about.json): accuracy and so on. */
export const about = async (name) => (await fetch(`../../models/${name}/about.json`)).json();

const NAMES = { webgl2: "the GPU (WebGL2)", wasm: "the CPU (WebAssembly)", reference: "numpy (the reference)" };

/** One model on whichever backend the visitor chooses. Fills <div id="machine">: loading bar, choice, what happened. */
export class Machine {
  constructor(filepaths, changed = () => {}, prefer = ["webgl2", "wasm", "reference"]) {
    this.filepaths = filepaths;
    this.prefer = prefer;
    this.models = {};
    this.warm = new WeakSet(); // models that have answered
    this.bar = element("i");
    this.loading = element("div", { className: "loading", role: "progressbar", "aria-label": "Loading", "aria-valuemin": 0, "aria-valuemax": 100 }, this.bar);
    this.choice = element("select", { id: "backend" });
    this.loading.classList.toggle("done", !filepaths); // nothing to load yet
    this.status = element("p", { className: "status", id: "status", role: "status", textContent: "Loading …" });
    $("machine").append(this.loading, element("div", { className: "row choice" }, element("label", { htmlFor: "backend", textContent: "Runs on" }), this.choice, this.status));
    this.changed = changed;
    this.choice.addEventListener("change", () => changed());
    this.offered = this.offer();
    this.offered.catch((e) => this.fail(e));
  }

  async offer() {
    await kept;
    const why = await WebKeras.backends();
    for (const [name, reason] of Object.entries(why))
      this.choice.append(element("option", { value: name, textContent: NAMES[name] + (reason ? ": not here" : ""), disabled: Boolean(reason), title: reason }));
    this.choice.value = this.prefer.find((name) => !why[name]);
    return Object.keys(why).filter((name) => !why[name]);
  }

  /** The model on a backend, loaded when first asked for. */
  async model(backend) {
    const m = (this.models[backend] ??= this.load(backend));
    await m.ready();
    return m;
  }

  load(backend) {
    const m = new WebKeras.Model({ filepaths: this.filepaths, backend });
    m.addEventListener("loadingprogress", ({ progress }) => {
      this.loading.setAttribute("aria-valuenow", progress);
      this.loading.classList.toggle("done", progress === 100);
      this.bar.style.width = `${progress}%`;
    });
    m.addEventListener("contextlost", () => this.fail(new Error("The GPU went away; this page goes on as soon as it is back, or on another backend.")));
    m.addEventListener("contextrestored", () => this.choice.value === backend && this.changed());
    return m;
  }

  /** The outputs for these inputs, on the chosen backend; says how long it took. */
  async ask(inputs, options) {
    await this.offered;
    const m = await this.model(this.choice.value), out = await m.predict(inputs, options), ms = m.stats.predict;
    const again = `, ${(1000 / ms).toFixed(ms > 200 ? 1 : 0)} a second`;
    this.say(`${ms.toFixed(ms < 10 ? 1 : 0)} ms${this.warm.has(m) ? again : " the first time"}`); // programs compile then
    this.warm.add(m);
    return out;
  }

  say(text) {
    this.status.className = "status";
    this.status.textContent = text;
  }

  fail(error) {
    this.status.className = "status error";
    this.status.textContent = error.message;
  }
}

/** f, one call at a time: while one runs, only the newest of those that come waits. Errors go to the machine. */
export function latest(machine, f) {
  let running = null, waiting = null;
  const next = async () => {
    while (waiting) {
      const args = waiting;
      waiting = null;
      try {
        await f(...args);
      } catch (e) {
        machine.fail(e);
      }
    }
    running = null;
  };
  return (...args) => {
    waiting = args;
    return (running ??= next());
  };
}

const percent = (share) => `${(100 * share).toFixed(share > 0.995 || share < 0.0005 ? 0 : 1)} %`;

/** Bars for {label: share} into a <dl class="bars">, each with what is `told` of its share. */
export function bars(list, scores, told = percent) {
  const best = Math.max(...Object.values(scores));
  list.replaceChildren(...Object.entries(scores).flatMap(([label, score]) => {
    const fill = element("i");
    fill.style.width = `${100 * score}%`;
    return [
      element("dt", { textContent: label, className: score === best && best > 0 ? "first" : "" }),
      element("dd", { textContent: told(score) }, element("span", { className: "bar" }, fill)),
    ];
  }));
}

/** The k greatest of some scores, as {label: score}. */
export function top(scores, labels, k = 5) {
  const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, k);
  return Object.fromEntries(order.map((i) => [labels[i], scores[i]]));
}

/** Layers as images: [[name, class, tensor]] of one sample into an element; every channel is a little picture. */
export function layerImages(into, layers) {
  for (const [i, [name, kind, tensor]] of layers.entries()) {
    let figure = into.children[i];
    if (!figure) {
      figure = element("figure", {}, element("canvas", { role: "img", "aria-label": `Output of ${name}` }), element("figcaption", {}, element("b", { textContent: name }), ` ${kind} ${tensor.shape.slice(1).join(" × ")}`));
      into.append(figure);
    }
    paint(figure.firstChild, tensor);
  }
}

function paint(canvas, values) {
  const { shape } = values;
  const n = shape[1], lines = Math.ceil(n / 96); // a long vector, in lines
  const [h, w, c] = shape.length === 4 ? shape.slice(1) : shape.length === 3 ? [n, shape[2], 1] : [lines, Math.ceil(n / lines), 1];
  const across = Math.ceil(Math.sqrt((c * h) / w)) || 1, columns = c === 1 ? 1 : Math.min(c, Math.max(across, 4)), rows = Math.ceil(c / columns);
  canvas.width = columns * (w + 1) - 1;
  canvas.height = rows * (h + 1) - 1;
  const shown = canvas.getContext("2d"), image = shown.createImageData(canvas.width, canvas.height);
  const style = getComputedStyle(canvas), low = rgb(style.backgroundColor), high = rgb(style.color);
  let min = Infinity, max = -Infinity;
  for (const v of values) { min = Math.min(min, v); max = Math.max(max, v); }
  for (let k = 0; k < c; k++)
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++) {
        const t = ((values[(y * w + x) * c + k] ?? min) - min) / (max - min || 1);
        const at = 4 * ((Math.floor(k / columns) * (h + 1) + y) * canvas.width + (k % columns) * (w + 1) + x);
        for (let j = 0; j < 3; j++) image.data[at + j] = low[j] + t * (high[j] - low[j]);
        image.data[at + 3] = 255;
      }
  shown.putImageData(image, 0, 0);
}

export const rgb = (css) => css.match(/[\d.]+/g).map(Number);

/** Pictures from a file, a drop anywhere on the page, or a paste: each comes to `opened` as an ImageBitmap. */
export function pictures(machine, input, over, opened) {
  const open = async (file) => {
    let image;
    try {
      image = await createImageBitmap(file);
    } catch {
      return machine.fail(new Error(`${file.name ?? "This"} is not a picture this browser can read; choose a JPEG, PNG or WebP.`));
    }
    await opened(image);
  };
  input.addEventListener("change", () => input.files[0] && open(input.files[0]));
  for (const type of ["dragover", "dragleave", "drop"])
    addEventListener(type, (e) => {
      e.preventDefault();
      over.classList.toggle("over", type === "dragover");
      if (type === "drop" && e.dataTransfer.files[0]) open(e.dataTransfer.files[0]);
    });
  addEventListener("paste", (e) => e.clipboardData.files[0] && open(e.clipboardData.files[0]));
}

/** A button for each of the shipped pictures. */
export function samples(machine, into, names, opened) {
  const failed = () => machine.fail(new Error("That picture cannot be fetched; is there a network?"));
  for (const name of names) {
    const button = element("button", { type: "button", textContent: name });
    button.addEventListener("click", () => picture(`../pictures/${name}.jpg`).then(opened, failed));
    into.append(button);
  }
}

export const picture = async (url) => createImageBitmap(await (await fetch(url)).blob());

/** An image's pixels, the middle square of it scaled to size x size: Uint8ClampedArray of RGBA. */
export function pixels(image, size, whole = false) {
  const shown = new OffscreenCanvas(size, size).getContext("2d", { willReadFrequently: true });
  shown.imageSmoothingQuality = "high";
  const side = Math.min(image.width, image.height), [w, h] = whole ? [image.width, image.height] : [side, side];
  shown.drawImage(image, (image.width - w) / 2, (image.height - h) / 2, w, h, 0, 0, size, size);
  return shown.getImageData(0, 0, size, size).data;
}

/** What `./build.sh demo` prints: {answers: {backend: {label: number}}, ms}, worked out when somebody asks for it. */
export function demo(machine, answer) {
  let asked;
  Object.defineProperty(globalThis, "webkerasDemo", { get: () => (asked ??= everywhere(machine, answer)) });
}

async function everywhere(machine, answer) {
  const answers = {}, ms = {};
  for (const backend of await machine.offered) {
    const m = await machine.model(backend);
    for (let turn = 0; turn < 2; turn++) { // the first one warms up; one that takes a second is not asked for again
      const began = performance.now();
      answers[backend] = await answer(m);
      ms[backend] = performance.now() - began;
      if (ms[backend] > 1000) break;
    }
  }
  return { answers, ms };
}
