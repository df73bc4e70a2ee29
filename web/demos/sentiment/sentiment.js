// sentiment.js - words in, one number and a colour for every word out.
import { $, Machine, about, demo, element, filesOf, latest } from "../shared.js";

const EXAMPLES = {
  "a gem": "A wonderful little film: warm, funny and beautifully acted from the first scene to the last.",
  "a bore": "The plot is a mess, the jokes are tired, and two hours feel like four.",
  "faint praise": "It starts as a dull and predictable comedy, but the second half is surprisingly moving.",
  "a twist": "Great cast, gorgeous pictures, and not a single idea worth the price of the ticket.",
};
export const LENGTH = 48; // words the network was trained to read
const machine = new Machine(filesOf("sentiment"), () => read(), ["wasm", "webgl2", "reference"]); // many small steps: the CPU is quicker
const numbers = fetch("../../models/sentiment/words.json").then((r) => r.json()).then((words) => new Map(words.map((w, i) => [w, i + 2])));

// Words as the maker split them (tools/train/sentiment.py): 0 is padding, 1 a word that is not known.
const split = (text) => [...text.matchAll(/[a-z0-9]+(?:'[a-z]+)?|[!?]/gi)].slice(0, LENGTH);

export async function encoded(text) {
  const known = await numbers, found = split(text.replaceAll("’", "'")).map((m) => known.get(m[0].toLowerCase()) ?? 1);
  return Float32Array.from({ length: LENGTH }, (_, i) => found[i] ?? 0);
}

const ask = (on, x, options) => on({ input: { data: x, shape: [1, LENGTH] } }, options);

const read = latest(machine, async () => {
  const text = $("text").value, words = split(text.replaceAll("’", "'")), x = await encoded(text);
  if (!words.length) {
    $("words").replaceChildren();
    $("verdict").textContent = "Write something";
    return;
  }
  const out = await ask((...a) => machine.ask(...a), x, { layers: ["words"] }), positive = 100 * out.positive[0];
  $("verdict").textContent = positive > 65 ? `They liked it: ${positive.toFixed(0)} % positive` : positive < 35 ? `They did not: ${positive.toFixed(0)} % positive` : `Hard to say: ${positive.toFixed(0)} % positive`;
  $("meter").setAttribute("aria-valuenow", positive.toFixed(0));
  $("meter").firstElementChild.style.width = `${positive}%`;
  let end = 0;
  const shown = words.flatMap((m, i) => {
    const between = text.slice(end, m.index), score = out.words[i];
    end = m.index + m[0].length;
    const span = element("span", { textContent: m[0], className: score < 0 ? "bad" : "good", title: x[i] === 1 ? "not in its vocabulary" : score.toFixed(2) });
    if (x[i] === 1) span.classList.add("unknown");
    span.style.setProperty("--much", Math.min(1, Math.abs(score) / 3).toFixed(2));
    return [between, span];
  });
  const rest = text.slice(end);
  $("words").replaceChildren(...shown, rest.length > 3 ? ` … (it reads ${LENGTH} words)` : rest);
});

$("text").addEventListener("input", read);
for (const [label, text] of Object.entries(EXAMPLES)) {
  const button = element("button", { type: "button", textContent: label });
  button.addEventListener("click", () => { $("text").value = text; read(); });
  $("examples").append(button);
}
$("text").value = EXAMPLES["faint praise"];
read();
about("sentiment").then((a) => {
  $("about").textContent = `Trained for this page on ${a.trained_on} snippets of film reviews, each rated by people (C. J. Hutto's data, MIT); right about ${(100 * a.accuracy).toFixed(0)} % of ${a.tested_on} it never saw, where always giving the same answer is right about ${(100 * a.always_the_same_answer).toFixed(0)} %. One in five answers is wrong: it is a small network.`;
});
demo(machine, async (model) => {
  const said = {};
  for (const [label, text] of Object.entries(EXAMPLES)) said[label] = (await ask((...a) => model.predict(...a), await encoded(text))).output[0];
  return said;
});
