// Everything that webkeras.d.mts declares, used as its comments say; and what it must not allow.
import WebKeras, { Model, backends, version } from "./webkeras.mjs";
import type { Backend, CustomObject, Inputs, Options, Output, ProgressEvent, Stats } from "./webkeras.mjs";

const crest: CustomObject = ([{ data, shape }]) => data.map((v) => v * shape[0]);
const customObjects: Options["customObjects"] = {
  crest, one: () => [1, 2], later: async ([{ data }], { config }) => data.map((v) => v * Number(config.by)),
  Scale: { compute: ([{ data }], { weights: [w] }) => data.map((v, i) => v * w.data[i]), shape: [3, null] },
};
const options: Options = {
  filepaths: { model: "m.json", weights: ["a.bin", new Blob([])], metadata: new URL("https://example.org/m.json") },
  gpu: false, backend: "auto", headers: { a: "b" }, kerasVersion: "1.2.2", worker: false, base: "x/", customObjects,
};
const model = new Model(options), other = new WebKeras.Model({ filepaths: { model: new File([], "m.keras") } });
const told = (e: ProgressEvent) => console.log(e.progress.toFixed());
model.addEventListener("loadingprogress", told, { once: true });
model.removeEventListener("loadingprogress", told);
model.addEventListener("contextlost", (e: Event) => console.log(e.type));
await model.ready();
const inputs: Inputs = {
  a: new Float32Array(3), b: [[1, 2], [3, 4]], c: { data: [1, 2], shape: [1, 2] }, d: new Uint8Array(2), e: new BigInt64Array(2),
};
const out = await model.predict(inputs), inner: Record<string, Output> = await other.predict({ input: [1] }, { layers: ["conv"] });
const y: Float32Array = out.output, shape: number[] = out.digit.shape, [step] = await model.profile(inputs);
const numbers: number[] = [model.getLoadingProgress(), step.ms, y.length, ...shape];
const words: string[] = [step.layer, step.op, await model.explain(), version, WebKeras.version, model.name, model.kerasVersion];
const tensors = [...model.inputs, ...model.outputs].map(({ name, shape, dtype }) => `${name} ${shape?.join()} ${dtype}`);
const layers = model.layers.map((l) => [l.name, l.class, l.shape?.length, ...l.inbound, ...l.outbound]);
const stats: Stats = model.stats, where: Backend | "auto" = model.backend, files = Object.values(stats.files).map((f) => f.cached);
await model.resetStates();
await model.dispose();
const why: string = (await backends({ base: "x/", worker: true })).webgl2 + (await WebKeras.backends()).wasm;
WebKeras.base = "https://example.org/";
console.log(inner, numbers, words, tensors, layers, where, files, why);

// @ts-expect-error no such option
new Model({ filepaths: { model: "m" }, bakend: "wasm" });
// @ts-expect-error the model's file is needed
new Model({ filepaths: {} });
// @ts-expect-error no such backend
new Model({ filepaths: { model: "m" }, backend: "webgpu" });
// @ts-expect-error text is no input
model.predict({ a: "cat" });
// @ts-expect-error text is no numbers
new Model({ filepaths: { model: "m" }, customObjects: { f: () => "cat" } });
// @ts-expect-error no such key
new Model({ filepaths: { model: "m" }, customObjects: { f: { compute: () => [1], shpae: [1] } } });
// @ts-expect-error no such event
model.addEventListener("loaded", told);
