// common.js - what runner.js and machine.js share; it comes before them.
globalThis.webkerasCommon = (() => {
  const ARRAYS = { float32: Float32Array, float16: Uint16Array, uint16: Uint16Array, uint8: Uint8Array, bytes: Uint8Array };

  let table; // what every 16-bit float means, whose arithmetic takes a hundred times as long
  const halves = () => (table ??= Float32Array.from({ length: 1 << 16 }, (_, h) => {
    const e = (h >> 10) & 31, m = h & 1023, sign = h >> 15 ? -1 : 1;
    return sign * (e === 31 ? (m ? NaN : Infinity) : e ? 2 ** (e - 15) * (1 + m / 1024) : 2 ** -14 * (m / 1024));
  }));

  // `length` numbers of a weights file from `offset`, a float32 each, whatever they are stored as; "bytes" stay bytes.
  // What needs no change is a view of the buffer.
  function stored(buffer, offset, length, type = "float32", min = 0, scale = 1) {
    const Kind = ARRAYS[type], bytes = ArrayBuffer.isView(buffer) ? buffer : new Uint8Array(buffer);
    const at = bytes.byteOffset + offset, n = Kind.BYTES_PER_ELEMENT;
    const raw = at % n ? new Kind(bytes.buffer.slice(at, at + length * n)) : new Kind(bytes.buffer, at, length);
    if (type === "float32" || type === "bytes") return raw;
    const found = new Float32Array(length), [by, least] = [scale, min].map(Math.fround);
    if (type === "float16") for (let i = 0, meant = halves(); i < length; i++) found[i] = meant[raw[i]];
    else for (let i = 0; i < length; i++) found[i] = Math.fround(raw[i] * by) + least; // as weights.py has it
    return found;
  }

  const SCALARS = { // as in expr.py, of those that constants are made with
    add: (a, b) => a + b, sub: (a, b) => a - b, mul: (a, b) => a * b, div: (a, b) => a / b,
    neg: (a) => -a, sqrt: Math.sqrt, rsqrt: (a) => 1 / Math.fround(Math.sqrt(a)),
  };

  // A constant's elements: told; stored in a file; or computed of such, float32 after every step. A line of code is
  // ["slot", which one], ["number", that], [a function, places of its arguments in the code], or ["join", in how many
  // rows, places of what lies side by side in each].
  function elements({ floats, code, of, length, buffer, offset, type, min, scale }, buffers) {
    if (floats) return Float32Array.from(floats);
    if (!code) return stored(buffers[buffer], offset, length, type, min, scale);
    const given = of.map((u) => elements(u, buffers)), done = [];
    for (const [what, ...args] of code) {
      const found = what === "slot" ? given[args[0]] : new Float32Array(length).fill(what === "number" ? args[0] : 0);
      if (what === "join") {
        const parts = args.slice(1).map((i) => done[i]), each = parts.map((x) => x.length / args[0]);
        for (let row = 0, at = 0; row < args[0]; row++)
          parts.forEach((x, i) => (found.set(x.subarray(row * each[i], (row + 1) * each[i]), at), (at += each[i])));
      } else if (what in SCALARS) {
        const [a, b = a] = args.map((i) => done[i]), at = (x, i) => x[x.length > 1 ? i : 0];
        for (let i = 0; i < length; i++) found[i] = SCALARS[what](at(a, i), at(b, i));
      }
      done.push(found);
    }
    return done.at(-1);
  }

  // The data with zeros at their end, if there are fewer than `length`.
  function filled(data, length) {
    if (data.length >= length) return data;
    const all = new Float32Array(length);
    all.set(data);
    return all;
  }

  // Elements as textures hold them: after every `row` of them `gap` zeros.
  function padded(data, { row, gap }) {
    if (!gap) return data;
    const rows = data.length / row, found = new Float32Array(rows * (row + gap));
    for (let r = 0; r < rows; r++) found.set(data.subarray(r * row, (r + 1) * row), r * (row + gap));
    return found;
  }

  // Rows of w pixels of c channels as a texture of `lanes` layers holds them (shaders/tensor.glsl).
  function laid(data, { w, c, lanes, stacked }, [width, height]) {
    const found = new Float32Array(4 * width * height * lanes), texels = Math.ceil(c / 4);
    for (let from = 0, row = 0; from < data.length; row++)
      for (let x = 0; x < w; x++)
        for (let k = 0, layer = x % lanes, column = ((x - layer) / lanes) * texels; k < c; column++) {
          const i = stacked ? column >> 1 : column, j = stacked ? 2 * row + (column & 1) : row;
          let to = 4 * ((layer * height + j) * width + i);
          for (const end = Math.min(c, k + 4); k < end; k++) found[to++] = data[from++];
        }
    return found;
  }

  const pause = () => new Promise((done) => {
    const { port1, port2 } = new MessageChannel(); // a task at once, where timers would wait
    port1.onmessage = () => { port1.close(); done(); };
    port2.postMessage(0);
  });

  return { stored, elements, filled, padded, laid, pause };
})();
