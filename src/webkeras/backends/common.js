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

  const pause = () => new Promise((done) => {
    const { port1, port2 } = new MessageChannel(); // a task at once, where timers would wait
    port1.onmessage = () => { port1.close(); done(); };
    port2.postMessage(0);
  });

  return { stored, pause };
})();
