// Counts what a library asks of WebGL2, whoever it is: programs linked, textures alive and their bytes. Load it first.
// In a page it sees to it that module workers load it first too; there it answers on the channel "glMeter".
globalThis.glMeter = (() => {
  const meter = { programs: 0, textures: 0, bytes: 0, peak: 0 };
  const sizes = new Map(); // texture -> bytes
  const BYTES = { // of one texel, by internal format
    R32F: 4, RG32F: 8, RGB32F: 12, RGBA32F: 16, R16F: 2, RG16F: 4, RGB16F: 6, RGBA16F: 8, R8: 1, RG8: 2, RGB8: 3, RGBA8: 4,
    R32UI: 4, R32I: 4, RGBA32UI: 16, RGBA32I: 16, R8UI: 1, RGBA8UI: 4, RGBA: 4, RGB: 3, LUMINANCE: 1, ALPHA: 1,
  };
  const here = globalThis.document?.currentScript.src;
  if (here) {
    const { Worker } = globalThis, string = (url) => JSON.stringify(new URL(url, document.baseURI).href);
    globalThis.Worker = class extends Worker {
      constructor(url, options) {
        const both = options?.type === "module" && `import ${JSON.stringify(here)}; import ${string(url)};`;
        super(both ? URL.createObjectURL(new Blob([both], { type: "text/javascript" })) : url, options);
      }
    };
  } else {
    const channel = new BroadcastChannel("glMeter");
    channel.onmessage = () => channel.postMessage(meter);
  }
  const GL = globalThis.WebGL2RenderingContext?.prototype;
  if (!GL) return meter;
  const bytesOf = Object.fromEntries(Object.entries(BYTES).map(([name, bytes]) => [GL[name], bytes]));

  // Which texture a call on `target` means.
  const bound = (gl, target) =>
    gl.getParameter({ [GL.TEXTURE_2D]: GL.TEXTURE_BINDING_2D, [GL.TEXTURE_2D_ARRAY]: GL.TEXTURE_BINDING_2D_ARRAY,
                      [GL.TEXTURE_3D]: GL.TEXTURE_BINDING_3D }[target] ?? GL.TEXTURE_BINDING_CUBE_MAP);

  function resize(texture, bytes) {
    if (!texture) return;
    meter.bytes += bytes - (sizes.get(texture) ?? 0);
    meter.peak = Math.max(meter.peak, meter.bytes);
    sizes.set(texture, bytes);
  }

  const texels = (format, ...size) => size.reduce((a, b) => a * b, bytesOf[format] ?? 4);
  const before = {
    linkProgram() { meter.programs += 1; },
    createTexture() { meter.textures += 1; },
    deleteTexture(texture) {
      if (!sizes.has(texture)) return void (texture && (meter.textures -= 1));
      meter.textures -= 1;
      meter.bytes -= sizes.get(texture);
      sizes.delete(texture);
    },
    texStorage2D(target, levels, format, w, h) { resize(bound(this, target), texels(format, w, h)); },
    texStorage3D(target, levels, format, w, h, d) { resize(bound(this, target), texels(format, w, h, d)); },
    texImage2D(target, level, format, ...rest) {
      const [w, h] = rest.length > 3 ? rest : [rest[2].width, rest[2].height]; // the short form takes a picture
      if (level === 0) resize(bound(this, target), texels(format, w, h));
    },
    texImage3D(target, level, format, w, h, d) { if (level === 0) resize(bound(this, target), texels(format, w, h, d)); },
  };
  for (const [name, note] of Object.entries(before)) {
    const original = GL[name];
    GL[name] = function (...args) {
      note.apply(this, args);
      return original.apply(this, args);
    };
  }
  return meter;
})();
