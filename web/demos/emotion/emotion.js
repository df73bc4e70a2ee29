// emotion.js - picture in, seven bars out.
const LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];
const SIZE = 64; // what the network looks at
const $ = (id) => document.getElementById(id);
const canvas = $("face"), shown = canvas.getContext("2d"), models = {};
let picture = null, view = { x: 0, y: 0, w: 1, h: 1 }; // the part of the picture that fills the canvas

function model(backend) {
  models[backend] ??= (() => {
    const m = new WebKeras.Model({ backend, filepaths: {
      model: "../../models/fer/fer.json", weights: "../../models/fer/fer_weights.buf", metadata: "../../models/fer/fer_metadata.json" } });
    m.addEventListener("loadingprogress", ({ progress }) => {
      const bar = document.querySelector(".loading");
      bar.setAttribute("aria-valuenow", progress);
      bar.firstElementChild.style.width = `${progress}%`;
      bar.style.visibility = progress < 100 ? "visible" : "hidden";
    });
    return m;
  })();
  return models[backend];
}

function draw() {
  shown.fillStyle = "#777";
  shown.fillRect(0, 0, canvas.width, canvas.height);
  shown.drawImage(picture, view.x, view.y, view.w, view.h, 0, 0, canvas.width, canvas.height);
}

// The view as the network wants it: 64 x 64, grey, -1 to 1. Smoothly scaled by the browser.
function pixels() {
  const small = new OffscreenCanvas(SIZE, SIZE).getContext("2d", { willReadFrequently: true });
  small.imageSmoothingQuality = "high";
  small.drawImage(picture, view.x, view.y, view.w, view.h, 0, 0, SIZE, SIZE);
  const { data } = small.getImageData(0, 0, SIZE, SIZE);
  return Float32Array.from({ length: SIZE * SIZE }, (_, i) =>
    ((0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]) / 255 - 0.5) * 2);
}

function bars(scores) {
  const best = Math.max(...scores);
  $("bars").replaceChildren(...LABELS.flatMap((label, i) => {
    const [dt, bar, dd, fill] = ["dt", "dd", "dd", "i"].map((tag) => document.createElement(tag));
    dt.textContent = label;
    dt.className = scores[i] === best && best > 0 ? "first" : "";
    bar.className = "bar";
    fill.style.width = `${100 * scores[i]}%`;
    bar.append(fill);
    dd.textContent = `${(100 * scores[i]).toFixed(scores[i] > 0.995 || scores[i] < 0.0005 ? 0 : 1)} %`;
    return [dt, bar, dd];
  }));
}

async function ask(backend) {
  const m = model(backend);
  await m.ready();
  const began = performance.now(), out = await m.predict({ input: pixels() });
  return { scores: out.output, ms: performance.now() - began };
}

async function look() {
  const backend = $("backend").value, status = $("status");
  draw();
  try {
    const { scores, ms } = await ask(backend);
    bars(scores);
    status.className = "status";
    status.textContent = `Answered in ${ms.toFixed(1)} ms on ${backend}.`;
  } catch (e) {
    status.className = "status error";
    status.textContent = e.message;
  }
}

function frame(image) { // the largest square in the middle
  const side = Math.min(image.width, image.height);
  picture = image;
  view = { x: (image.width - side) / 2, y: (image.height - side) / 2, w: side, h: side };
}

async function open(file) {
  try {
    frame(await createImageBitmap(file));
    await look();
  } catch {
    $("status").className = "status error";
    $("status").textContent = `${file.name ?? "This"} is not a picture this browser can read; choose a JPEG, PNG or WebP.`;
  }
}

async function astronaut() {
  const image = await createImageBitmap(await (await fetch("astronaut.png")).blob());
  picture = image;
  view = { x: 0, y: 0, w: image.width, h: image.height }; // the whole crop, as the model was fed in Python
  await look();
}

const zoom = (by) => {
  const w = Math.min(view.w * by, picture.width * 2), h = view.h * (w / view.w);
  view = { x: view.x + (view.w - w) / 2, y: view.y + (view.h - h) / 2, w, h };
};
const shift = (dx, dy) => { view.x -= dx * view.w; view.y -= dy * view.h; };

canvas.addEventListener("pointerdown", (e) => canvas.setPointerCapture(e.pointerId));
canvas.addEventListener("pointermove", (e) => {
  if (!e.buttons || !picture) return;
  shift(e.movementX / canvas.clientWidth, e.movementY / canvas.clientHeight);
  look();
});
canvas.addEventListener("wheel", (e) => { e.preventDefault(); zoom(e.deltaY > 0 ? 1.08 : 1 / 1.08); look(); }, { passive: false });
canvas.addEventListener("keydown", (e) => {
  const moves = { ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0], ArrowUp: [0, -0.05], ArrowDown: [0, 0.05] };
  if (moves[e.key]) shift(...moves[e.key]);
  else if (e.key === "+" || e.key === "-") zoom(e.key === "-" ? 1.08 : 1 / 1.08);
  else return;
  e.preventDefault();
  look();
});
for (const type of ["dragover", "dragleave", "drop"])
  addEventListener(type, (e) => {
    e.preventDefault();
    canvas.classList.toggle("over", type === "dragover");
    if (type === "drop" && e.dataTransfer.files[0]) open(e.dataTransfer.files[0]);
  });
$("file").addEventListener("change", (e) => e.target.files[0] && open(e.target.files[0]));
$("again").addEventListener("click", astronaut);
$("backend").addEventListener("change", look);
bars(new Float32Array(LABELS.length));

// What `./build.sh demo` prints: the astronaut's face on every backend.
globalThis.webkerasDemo = astronaut().then(async () => {
  const answers = {}, ms = {};
  for (const backend of ["webgl2", "reference"]) {
    await ask(backend); // the first prediction also prepares
    const { scores, ms: took } = await ask(backend);
    answers[backend] = Object.fromEntries(LABELS.map((label, i) => [label, scores[i]]));
    ms[backend] = took;
  }
  return { answers, ms };
});
