// What every instruction of a plan costs, in Node and in a page: the least time of each in microseconds, and GFLOP/s.
// Node: node --experimental-wasm-relaxed-simd profile.mjs PLAN.json BUFFER [ROUNDS]; page: profile.html?plan=...&buffer=...
export function profile(machine, ops, rounds) {
  const whole = machine.plan.program, parts = [], lines = [], sums = {};
  for (let at = 0; whole[at]; at += whole[at + 1]) parts.push(whole.slice(at, at + whole[at + 1]));
  const least = parts.map(() => Infinity);
  const once = () => machine.kernels.run(machine.program, machine.base, machine.scratch[0], 0, 1, machine.shared);
  for (let r = 0; r < rounds; r++)
    parts.forEach((p, i) => {
      machine.words.set([...p, 0, 2], machine.program / 4);
      once();
      const repeat = Math.max(1, Math.ceil(0.2 / Math.max(least[i], 1e-3))); // clocks of pages are coarse
      const t = performance.now();
      for (let k = 0; k < repeat; k++) once();
      least[i] = Math.min(least[i], (performance.now() - t) / repeat);
    });
  parts.forEach((p, i) => {
    const name = ops[p[0] & 255], us = least[i] * 1000;
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
    lines.push(`${name.padEnd(10)} ${what.padEnd(34)} ${us.toFixed(1).padStart(9)} us ${flops ? (flops / us / 1000).toFixed(1) : ""}`);
  });
  for (const [name, [us, flops]] of Object.entries(sums)) lines.push(`= ${name.padEnd(10)} ${(us / 1000).toFixed(2)} ms ${flops ? (flops / us / 1000).toFixed(1) + " GFLOP/s" : ""}`);
  lines.push(`= ${least.reduce((a, b) => a + b).toFixed(2)} ms`);
  machine.words.set(whole, machine.program / 4);
  return lines;
}

export function names(header) {
  return header.match(/enum \{ (END.*?), OPS/)[1].toLowerCase().split(", ");
}

if (globalThis.process?.versions?.node) {
  const { readFileSync } = await import("node:fs");
  const folder = new URL("../../../src/webkeras/backends/wasm/", import.meta.url), read = (f) => readFileSync(new URL(f, folder));
  for (const script of ["../common.js", "machine.js"]) (0, eval)(read(script).toString());
  const [plan, buffer, rounds = 30] = process.argv.slice(2);
  const opened = webkerasWasm.open(new Uint8Array(read("kernels_relaxed.wasm")), new Uint8Array(read("kernels.wasm")), 1);
  const machine = webkerasWasm.create(opened, JSON.parse(readFileSync(plan)), [readFileSync(buffer)], null);
  console.log(profile(machine, names(read("csrc/program.h").toString()), rounds).join("\n"));
}
