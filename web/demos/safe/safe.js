// safe.js - a picture in, five bars and one word out.
import { $, Machine, bars, demo, filesOf, latest, picture, pictures, pixels, samples } from "../shared.js";

const LABELS = ["drawing", "explicit drawing", "neutral", "explicit photo", "suggestive"], UNSAFE = [1, 3, 4], SIZE = 224;
const machine = new Machine(filesOf("nsfw_mobilenet_v2"), () => look(shown));
const canvas = $("shown");
let shown = null;

const input = (image) => {
  const data = pixels(image, SIZE);
  return { input: Float32Array.from({ length: 3 * SIZE * SIZE }, (_, i) => data[4 * Math.floor(i / 3) + (i % 3)] / 255) };
};
const named = (scores) => Object.fromEntries(LABELS.map((label, i) => [label, scores[i]]));

const look = latest(machine, async (image) => {
  shown = image;
  const side = Math.min(image.width, image.height), pen = canvas.getContext("2d");
  canvas.style.filter = "blur(18px)";
  pen.drawImage(image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, canvas.width, canvas.height);
  $("verdict").textContent = "Looking …";
  const { output } = await machine.ask(input(image)), unsafe = UNSAFE.reduce((sum, i) => sum + output[i], 0);
  bars($("bars"), named(output));
  $("verdict").textContent = unsafe < 0.3 ? "Safe to show" : unsafe < 0.6 ? "Let a person decide" : "Better not";
  canvas.style.filter = unsafe < 0.3 ? "" : "blur(18px)";
});

samples(machine, $("samples"), ["cat", "coffee", "astronaut"], look);
pictures(machine, $("file"), canvas, look);
bars($("bars"), named(new Float32Array(5)));
picture("../pictures/cat.jpg").then(look);
demo(machine, async (model) => {
  const said = {};
  for (const name of ["astronaut", "cat", "coffee"])
    said[`${name} is neutral`] = (await model.predict(input(await picture(`../pictures/${name}.jpg`)))).output[2];
  return said;
});
