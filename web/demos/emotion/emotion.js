// emotion.js - picture in, seven bars out.
import { $, Machine, bars, demo, filesOf, latest, picture as opened, pictures } from "../shared.js";

const LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];
const SIZE = 64; // what the network looks at
const canvas = $("face"), shown = canvas.getContext("2d"), machine = new Machine(filesOf("fer"), () => look());
let picture = null, view = { x: 0, y: 0, w: 1, h: 1 }; // the part of the picture that fills the canvas

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

const named = (scores) => Object.fromEntries(LABELS.map((label, i) => [label, scores[i]]));

const look = latest(machine, async () => {
  if (!picture) return;
  draw();
  const { output } = await machine.ask({ input: pixels() });
  bars($("bars"), named(output));
});

function frame(image) { // the largest square in the middle
  const side = Math.min(image.width, image.height);
  picture = image;
  view = { x: (image.width - side) / 2, y: (image.height - side) / 2, w: side, h: side };
}

async function astronaut() {
  const image = (picture = await opened("astronaut.png"));
  view = { x: 0, y: 0, w: image.width, h: image.height }; // the whole crop, as the model was fed in Python
  await look();
}

const zoom = (by) => {
  const w = Math.min(view.w * by, (picture?.width ?? 1) * 2), h = view.h * (w / view.w);
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
for (const [id, by] of [["closer", 1 / 1.2], ["wider", 1.2]]) $(id).addEventListener("click", () => { zoom(by); look(); });
pictures(machine, $("file"), canvas, (image) => { frame(image); return look(); });
$("again").addEventListener("click", astronaut);
bars($("bars"), named(new Float32Array(LABELS.length)));

const ready = astronaut();
demo(machine, async (model) => {
  await ready;
  return named((await model.predict({ input: pixels() })).output);
});
