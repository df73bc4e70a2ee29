// Layers models as TF.js itself saves them, and what it answers. In a folder where `npm install @tensorflow/tfjs@4.22.0` ran:
//
//   node make_tfjs.mjs OUT     writes OUT/MODEL.json, OUT/MODEL.0.bin and .1.bin (two shards), and OUT/answers.json
//
// All weights are random, moving statistics and biases too. answers.json: {MODEL: {inputs: {NAME: [...]}, outputs: [[...]]}}.
import { createRequire } from "node:module";
import { mkdirSync, writeFileSync } from "node:fs";

const tf = createRequire(`${process.cwd()}/`)("@tensorflow/tfjs"), out = process.argv[2], L = tf.layers;
await tf.setBackend("cpu");

let state = 7; // a small generator of our own, so that a rerun writes the same files
const random = () => ((state = (state * 1103515245 + 12345) % 2147483648) / 2147483648) * 2 - 1;
const numbers = (shape, low) => tf.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => (low ? 1 + random() / 2 : random())), shape);

const inner = () => tf.sequential({ name: "inner", layers: [L.dense({ units: 3, inputShape: [4] }), L.batchNormalization(), L.dense({ units: 4 })] });
const MODELS = {
  nested() {
    const a = tf.input({ shape: [4], name: "a" }), b = tf.input({ shape: [4], name: "b" }), sub = inner();
    const dense = L.dense({ units: 2, activation: "softmax" });
    return tf.model({ inputs: [a, b], outputs: [dense.apply(L.concatenate().apply([sub.apply(a), sub.apply(b)])), L.add().apply([a, b])] });
  },
  sequence() {
    return tf.sequential({
      layers: [
        L.reshape({ targetShape: [2, 2], inputShape: [4] }), L.gru({ units: 3, returnSequences: true }),
        L.bidirectional({ layer: L.lstm({ units: 2, returnSequences: true }), mergeMode: "concat" }),
        L.leakyReLU({ alpha: 0.1 }), L.flatten(), L.dense({ units: 2 }),
      ],
    });
  },
  image() {
    return tf.sequential({
      layers: [
        L.reshape({ targetShape: [2, 2, 1], inputShape: [4] }), L.conv2d({ filters: 3, kernelSize: 2, padding: "same", activation: "relu6" }),
        L.upSampling2d({ interpolation: "bilinear" }), L.depthwiseConv2d({ kernelSize: 3, padding: "same" }),
        L.separableConv2d({ filters: 2, kernelSize: 2, strides: 2 }), L.globalAveragePooling2d({}),
      ],
    });
  },
};

mkdirSync(out, { recursive: true });
const answers = {};
for (const [name, make] of Object.entries(MODELS)) {
  const model = make();
  model.weights.forEach((w) => w.write(numbers(w.shape, /variance/.test(w.name))));
  const inputs = Object.fromEntries(model.inputs.map((t) => [t.name, numbers([3, 4])]));
  const given = Object.values(inputs), found = model.predict(given.length > 1 ? given : given[0]);
  const flat = (t) => [...t.dataSync()];
  answers[name] = { inputs: Object.fromEntries(Object.entries(inputs).map(([k, t]) => [k, flat(t)])), outputs: [found].flat().map(flat) };
  await model.save(tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData, format, generatedBy, convertedBy }) => {
    const data = Buffer.from(weightData), cut = Math.floor(data.length / 2 / 4) * 4 + 2, paths = [`${name}.0.bin`, `${name}.1.bin`]; // amid a number
    writeFileSync(`${out}/${paths[0]}`, data.subarray(0, cut));
    writeFileSync(`${out}/${paths[1]}`, data.subarray(cut));
    const whole = { modelTopology, format, generatedBy, convertedBy, weightsManifest: [{ paths, weights: weightSpecs }] };
    writeFileSync(`${out}/${name}.json`, JSON.stringify(whole));
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
  }));
}
writeFileSync(`${out}/answers.json`, JSON.stringify(answers));
