// mnist-vae.js - two numbers in, a digit out.
import { $, Machine, about, demo, filesOf, latest, layerImages, rgb } from "../shared.js";

const map = $("map"), shown = map.getContext("2d"), N = 17, FAR = 2.6; // the map is N x N digits, from -FAR to FAR
const machine = new Machine(filesOf("mnist_vae"), () => look(z));
let z = [1.2, 1.4], background = null, walking = 0;

// Grey values from 0 to 1 as pixels between the canvas's own two colours.
function image(values, w, h, canvas) {
  const { color, backgroundColor } = getComputedStyle(canvas), high = rgb(color), low = rgb(backgroundColor);
  const data = new ImageData(w, h);
  for (let i = 0; i < w * h; i++)
    data.data.set([...[0, 1, 2].map((k) => low[k] + values[i] * (high[k] - low[k])), 255], 4 * i);
  return data;
}

// All digits of the map in one batch; each 28 x 28, side by side.
async function draw() {
  const points = Array.from({ length: N * N }, (_, i) => [(((i % N) + 0.5) / N) * 2 * FAR - FAR, FAR - ((Math.floor(i / N) + 0.5) / N) * 2 * FAR]);
  const { output } = await machine.ask({ input: { data: points.flat(), shape: [N * N, 2] } });
  background = new OffscreenCanvas(N * 28, N * 28);
  const sheet = background.getContext("2d");
  for (let i = 0; i < N * N; i++)
    sheet.putImageData(image(output.subarray(784 * i, 784 * i + 784), 28, 28, map), 28 * (i % N), 28 * Math.floor(i / N));
}

const look = latest(machine, async (at) => {
  if (!background) await draw();
  z = at.map((v) => Math.max(-FAR, Math.min(FAR, v)));
  const side = map.width, x = ((z[0] + FAR) / (2 * FAR)) * side, y = ((FAR - z[1]) / (2 * FAR)) * side;
  shown.globalAlpha = 0.45;
  shown.clearRect(0, 0, side, side);
  shown.drawImage(background, 0, 0, side, side);
  shown.globalAlpha = 1;
  shown.lineWidth = 3;
  shown.strokeStyle = "#d8502f";
  shown.strokeRect(x - side / N / 2, y - side / N / 2, side / N, side / N);
  const { layers } = await machine.model(machine.choice.value), told = layers.filter((l) => l.class !== "InputLayer");
  const out = await machine.ask({ input: z }, { layers: told.map((l) => l.name) });
  $("digit").getContext("2d").putImageData(image(out.digit, 28, 28, $("digit")), 0, 0);
  layerImages($("layers"), told.map((l) => [l.name, l.class, out[l.name]]));
  $("place").textContent = `(${z.map((v) => v.toFixed(2)).join(", ")})`;
});

function stop() {
  cancelAnimationFrame(walking);
  walking = 0;
  $("walk").setAttribute("aria-pressed", false);
  $("walk").textContent = "Take a walk";
}

async function walk(t) {
  await look([1.9 * Math.sin(t / 2300), 1.9 * Math.sin(t / 3100 + 1)]);
  if (walking) walking = requestAnimationFrame(walk);
}

const at = (e) => [(e.offsetX / map.clientWidth) * 2 * FAR - FAR, FAR - (e.offsetY / map.clientHeight) * 2 * FAR];
for (const type of ["pointermove", "pointerdown"]) map.addEventListener(type, (e) => { stop(); look(at(e)); });
map.addEventListener("keydown", (e) => {
  const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[e.key];
  if (!step) return;
  e.preventDefault();
  stop();
  look([z[0] + step[0], z[1] + step[1]]);
});
$("walk").addEventListener("click", () => {
  if (walking) return stop();
  $("walk").setAttribute("aria-pressed", true);
  $("walk").textContent = "Stop";
  walking = requestAnimationFrame(walk);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { background = null; look(z); });
look(z);
about("mnist_vae").then((a) => {
  $("about").textContent = `Trained for this page on ${a.trained_on} MNIST digits; ${a.nats_a_digit} nats a digit on ${a.tested_on} it never saw. Only the decoder is here.`;
});
demo(machine, async (model) => {
  const { output } = await model.predict({ input: [1.2, 1.4] });
  return { ink: output.reduce((a, b) => a + b) / 784, "middle pixel": output[14 * 28 + 14] };
});
