// super-resolution.js - a picture in, the same twice as large out, in tiles that overlap.
import { $, Machine, demo, filesOf, latest, picture, pictures } from "../shared.js";

const TILE = 48, EDGE = 8, LARGEST = 512; // pixels of the source; EDGE: how far a pixel's surroundings reach
const machine = new Machine(filesOf("upscaler_x2"), () => show(source));
let source = null, turn = 0; // of what was asked for last

// The network's answer for a w x h part of the source, as ImageData of twice the size.
async function tile(on, shown, x, y, w, h) {
  const { data } = shown.getImageData(x, y, w, h), rgb = new Float32Array(3 * w * h);
  for (let i = 0; i < w * h; i++) for (let k = 0; k < 3; k++) rgb[3 * i + k] = data[4 * i + k];
  const { output } = await on({ input: { data: rgb, shape: [1, h, w, 3] } }), image = new ImageData(2 * w, 2 * h);
  for (let i = 0; i < 4 * w * h; i++) {
    for (let k = 0; k < 3; k++) image.data[4 * i + k] = output[3 * i + k];
    image.data[4 * i + 3] = 255;
  }
  return image;
}

const enlarge = latest(machine, async (image) => {
  const mine = turn, scale = Math.min(1, LARGEST / Math.max(image.width, image.height));
  const [w, h] = [Math.max(16, Math.round(image.width * scale)), Math.max(16, Math.round(image.height * scale))];
  const small = new OffscreenCanvas(w, h).getContext("2d", { willReadFrequently: true });
  small.imageSmoothingQuality = "high";
  small.drawImage(image, 0, 0, w, h);
  for (const id of ["before", "after"]) Object.assign($(id), { width: 2 * w, height: 2 * h });
  const before = $("before").getContext("2d"), after = $("after").getContext("2d");
  before.imageSmoothingQuality = "high";
  before.drawImage(small.canvas, 0, 0, 2 * w, 2 * h);
  after.drawImage($("before"), 0, 0);
  $("save").hidden = true;
  $("size").textContent = `${w} × ${h} becomes ${2 * w} × ${2 * h}.`;
  const size = Math.min(TILE, w, h), inner = size - 2 * EDGE; // all tiles alike: one plan
  const starts = (length) => Array.from({ length: Math.max(1, Math.ceil((length - size) / inner) + 1) }, (_, i) => Math.min(i * inner, length - size));
  const places = starts(h).flatMap((y) => starts(w).map((x) => [x, y])), began = performance.now();
  for (const [i, [x, y]] of places.entries()) {
    const image2 = await tile((inputs) => machine.ask(inputs), small, x, y, size, size);
    if (mine !== turn) return;
    const [l, t] = [x ? EDGE : 0, y ? EDGE : 0], [r, b] = [x + size < w ? EDGE : 0, y + size < h ? EDGE : 0];
    after.putImageData(image2, 2 * x, 2 * y, 2 * l, 2 * t, 2 * (size - l - r), 2 * (size - t - b));
    $("progress").value = (i + 1) / places.length;
  }
  const s = (performance.now() - began) / 1000;
  machine.say(`${places.length} tiles in ${s.toFixed(1)} s, ${((1000 * s) / places.length).toFixed(0)} ms each`);
  $("save").href = URL.createObjectURL(await new Promise((done) => $("after").toBlob(done)));
  $("save").hidden = false;
});

$("split").addEventListener("input", (e) => $("compare").style.setProperty("--split", `${e.target.value}%`));
function show(image) {
  turn++; // what is being enlarged ends after its tile
  return enlarge((source = image));
}
pictures(machine, $("file"), $("compare"), show);
$("again").addEventListener("click", async () => show(await picture("cat.png")));
picture("cat.png").then(show);
demo(machine, async (model) => {
  const shown = new OffscreenCanvas(32, 32).getContext("2d");
  shown.drawImage(await picture("cat.png"), -20, -20);
  const { data } = await tile((inputs) => model.predict(inputs), shown, 0, 0, 32, 32);
  return { red: data[4 * 1040], green: data[4 * 1040 + 1], blue: data[4 * 1040 + 2] };
});
