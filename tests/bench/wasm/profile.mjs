// What every instruction of a plan costs: node --experimental-wasm-relaxed-simd profile.mjs PLAN.json BUFFER [ROUNDS]
// Prints the least time of each (microseconds), GFLOP/s where it multiplies, and sums by kind.
import { readFileSync } from "node:fs";

const folder = new URL("../../../src/webkeras/backends/wasm/", import.meta.url);
(0, eval)(readFileSync(new URL("machine.js", folder), "utf8"));
const [file, buffer, rounds = 30] = process.argv.slice(2);
const modules = ["kernels_relaxed.wasm", "kernels.wasm"].map((f) => new Uint8Array(readFileSync(new URL(f, folder))));
const plan = JSON.parse(readFileSync(file, "utf8"));
const ops = readFileSync(new URL("csrc/program.h", folder), "utf8").match(/enum \{ (END.*?), OPS/)[1].toLowerCase().split(", ");
const whole = plan.program, parts = [];
for (let at = 0; whole[at]; at += whole[at + 1]) parts.push(whole.slice(at, at + whole[at + 1]));
const machine = webkerasWasm.create(webkerasWasm.open(...modules, 1), plan, [readFileSync(buffer)], null);
const least = parts.map(() => Infinity);
for (let r = 0; r < rounds; r++)
  parts.forEach((p, i) => {
    machine.words.set([...p, 0, 2], machine.program / 4);
    const t = performance.now();
    machine.kernels.run(machine.program, machine.base, machine.scratch[0], 0, 1, machine.shared);
    least[i] = Math.min(least[i], performance.now() - t);
  });
const sums = {};
parts.forEach((p, i) => {
  const name = ops[p[0]], us = least[i] * 1000;
  let what = "", flops = 0;
  if (["conv", "winograd", "depthwise"].includes(name)) {
    const [, , , , , n, c, f, groups, , h, w, , oh, ow, , kh, kw, , sh] = p;
    flops = (2 * n * oh * ow * kh * kw * c * f) / groups;
    what = `${h}x${w}x${c} -> ${oh}x${ow}x${f} ${kh}x${kw}/${sh}`;
  } else if (name === "gemm") {
    flops = 2 * p[5] * p[6] * p[7];
    what = `${p[5]}x${p[7]} @ ${p[7]}x${p[6]}`;
  }
  const s = (sums[name] ??= [0, 0]);
  s[0] += us;
  s[1] += flops;
  console.log(`${name.padEnd(10)} ${what.padEnd(34)} ${us.toFixed(1).padStart(9)} us ${flops ? (flops / us / 1000).toFixed(1) : ""}`);
});
for (const [name, [us, flops]] of Object.entries(sums)) console.log(`= ${name.padEnd(10)} ${(us / 1000).toFixed(2)} ms ${flops ? (flops / us / 1000).toFixed(1) + " GFLOP/s" : ""}`);
console.log(`= ${(least.reduce((a, b) => a + b)).toFixed(2)} ms`);
