// mnist-cnn.js - ink in, ten bars and every layer's output out.
import { $, Machine, about, bars, demo, filesOf, latest, layerImages, picture } from "../shared.js";

const pad = $("pad"), ink = pad.getContext("2d", { willReadFrequently: true }), SIZE = pad.width;
const machine = new Machine(filesOf("mnist_cnn"), () => look());
const digits = picture("digits.png"); // ten columns, one a digit, of digits the network was not trained on
const pen = { x: SIZE / 2, y: SIZE / 2, down: false };

// The ink as MNIST has it: 20 x 20 of it, its centre of mass in the middle of 28 x 28.
function seen() {
  const { data } = ink.getImageData(0, 0, SIZE, SIZE);
  let [x0, y0, x1, y1, mass, mx, my] = [SIZE, SIZE, 0, 0, 0, 0, 0];
  for (let y = 0; y < SIZE; y++)
    for (let x = 0; x < SIZE; x++) {
      const a = data[4 * (y * SIZE + x) + 3];
      if (a < 30) continue;
      [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x + 1), Math.max(y1, y + 1)];
      [mass, mx, my] = [mass + a, mx + a * x, my + a * y];
    }
  if (!mass) return null;
  const scale = 20 / Math.max(x1 - x0, y1 - y0, 60); // a dot stays a dot
  const small = new OffscreenCanvas(28, 28).getContext("2d", { willReadFrequently: true });
  small.imageSmoothingQuality = "high";
  small.drawImage(pad, 14 - (mx / mass) * scale, 14 - (my / mass) * scale, SIZE * scale, SIZE * scale);
  return alpha(small);
}

const alpha = (shown) => {
  const { data } = shown.getImageData(0, 0, 28, 28);
  return Float32Array.from({ length: 784 }, (_, i) => data[4 * i + 3] / 255);
};

const named = (scores) => Object.fromEntries([...scores].map((s, i) => [`\u2009${i}`, s]));

const look = latest(machine, async () => {
  const x = seen();
  if (!x) return bars($("bars"), named(new Float32Array(10)));
  await machine.offered;
  const { layers } = await machine.model(machine.choice.value);
  const told = layers.filter((l) => !["InputLayer", "Dropout", "Flatten"].includes(l.class));
  const out = await machine.ask({ input: x }, { layers: told.map((l) => l.name) });
  bars($("bars"), named(out.digit));
  layerImages($("layers"), [["what it sees", "", Object.assign(x, { shape: [1, 28, 28, 1] })], ...told.map((l) => [l.name, l.class, out[l.name]])]);
});

function line(from, to) {
  Object.assign(ink, { lineWidth: SIZE / 14, lineCap: "round", lineJoin: "round", strokeStyle: getComputedStyle(pad).color });
  ink.beginPath();
  ink.moveTo(from.x, from.y);
  ink.lineTo(to.x, to.y);
  ink.stroke();
  look();
}

function clear() {
  ink.clearRect(0, 0, SIZE, SIZE);
  look();
}

async function write(digit) {
  const sheet = await digits, row = Math.floor(Math.random() * (sheet.height / 28));
  const small = new OffscreenCanvas(28, 28).getContext("2d");
  small.drawImage(sheet, -28 * digit, -28 * row);
  small.globalCompositeOperation = "source-in"; // the sheet's alpha is the ink
  small.fillStyle = getComputedStyle(pad).color;
  small.fillRect(0, 0, 28, 28);
  ink.clearRect(0, 0, SIZE, SIZE);
  ink.imageSmoothingQuality = "high";
  ink.drawImage(small.canvas, 0, 0, SIZE, SIZE);
  return look();
}

const at = (e) => ({ x: (e.offsetX / pad.clientWidth) * SIZE, y: (e.offsetY / pad.clientHeight) * SIZE });
pad.addEventListener("pointerdown", (e) => {
  pad.setPointerCapture(e.pointerId);
  Object.assign(pen, at(e));
  line(pen, pen);
});
pad.addEventListener("pointermove", (e) => {
  if (!e.buttons) return;
  const to = at(e);
  line(pen, to);
  Object.assign(pen, to);
});
pad.addEventListener("keydown", (e) => {
  const step = { ArrowLeft: [-12, 0], ArrowRight: [12, 0], ArrowUp: [0, -12], ArrowDown: [0, 12] }[e.key];
  if (/^\d$/.test(e.key)) write(Number(e.key));
  else if (e.key === " ") pen.down = !pen.down;
  else if (e.key === "Escape" || e.key === "Delete") clear();
  else if (step) {
    const to = { x: Math.min(SIZE, Math.max(0, pen.x + step[0])), y: Math.min(SIZE, Math.max(0, pen.y + step[1])) };
    if (pen.down) line(pen, to);
    Object.assign(pen, to);
  } else return;
  e.preventDefault();
});
$("clear").addEventListener("click", clear);
$("sample").addEventListener("click", () => write(Math.floor(Math.random() * 10)));
bars($("bars"), named(new Float32Array(10)));
write(3);
about("mnist_cnn").then((a) => {
  $("about").textContent = `Trained for this page on ${a.trained_on} MNIST digits, shifted, turned and scaled; right about ${(100 * a.accuracy).toFixed(2)} % of ${a.tested_on} it never saw.`;
});
demo(machine, async (model) => {
  const sheet = await digits, small = new OffscreenCanvas(28, 28).getContext("2d");
  small.drawImage(sheet, -28 * 7, 0);
  const out = await model.predict({ input: alpha(small) });
  return Object.fromEntries([...out.output].map((s, i) => [`${i}`, s]));
});
