// runner.js - replays a plan on WebGL2. It knows no layer, no shape and no layout: textures, programs, draws, in order.
// A plan (plain data, made in Python by backends/webgl2):
//   textures  [[width, height, layers (0: no array)], ...];  half: do they hold 16-bit floats?
//   programs  [{source, samplers: [name, ...], arrays: [is it one? of each], writes: how many targets}, ...]
//   uploads   [{texture, elements as common.js has them, and how they lie: {parts}, after every row of them gap zeros
//             {parts, row, gap}, or in layers {w, c, lanes, stacked}}, ...]
//   targets   [[[texture, layer], ...], ...]            what a draw writes: a framebuffer each
//   params    [{name: number or [numbers]}, ...]        a uniform block each, packed by the names the program reports
//   prepare, steps   [[program, params, target, x, y, width, height, [input textures], times, apart], ...]
//   constants [texture, ...] kept between runs;  outputs  {name: {texture, parts, length}}
//   inputs    {name: {texture, parts, length, read: do draws?, laid: [{texture, ...} as uploads, ...], adopt: draws that lay}}
// Parts are rectangles of a texture's first layer with elements in order: [x, y, w, h, first texel, texels a row].
globalThis.webkerasRunner = (() => {
  const VERTEX = `#version 300 es\nvoid main() { gl_Position = vec4(float((gl_VertexID << 1) & 2) * 2.0 - 1.0, float(gl_VertexID & 2) * 2.0 - 1.0, 0.0, 1.0); }`;

  // Milliseconds of drawing, after which the page has its turn. A worker, where only messages wait, reads directly.
  const SLICE = globalThis.document ? 8 : Infinity;
  const FLUSH = 12; // draws after which a GPU begins, while the next ones are recorded
  // Fragments that tell each other something, if the self-test agrees (sums.glsl); phones have few registers for it.
  const told = (name) => (/SwiftShader/.test(name) ? 4 : /Adreno|Mali|PowerVR/.test(name) ? 1 : 2);

  // Dispatches "contextlost" and "contextrestored"; after the latter everything runs as before.
  class Runner extends EventTarget {
    constructor(canvas) {
      super();
      if (!globalThis.webkerasCommon) throw new Error("common.js is not here; load it by a script tag before runner.js");
      const plain = { alpha: false, antialias: false, depth: false, stencil: false, powerPreference: "high-performance" };
      if (!(this.gl = canvas.getContext("webgl2", plain))) throw new Error("this browser has no WebGL2");
      this.live = new Set(); // what `load` made and `free` did not
      this.open();
      canvas.addEventListener?.("webglcontextlost", (e) => {
        e.preventDefault(); // else it is never restored
        this.lost = true;
        this.dispatchEvent(new Event("contextlost"));
      });
      canvas.addEventListener?.("webglcontextrestored", () => this.restore());
    }

    open() {
      const { gl } = this;
      this.full = Boolean(gl.getExtension("EXT_color_buffer_float"));
      if (!this.full && !gl.getExtension("EXT_color_buffer_half_float")) throw new Error("this GPU cannot render to float textures");
      this.parallel = gl.getExtension("KHR_parallel_shader_compile");
      this.programs = new Map(); // source -> program, shared by all plans
      this.textures = 0; // created minus freed
      this.vertex = this.compile(gl.VERTEX_SHADER, VERTEX);
      gl.bindBuffer(gl.UNIFORM_BUFFER, (this.zeros = gl.createBuffer()));
      gl.bufferData(gl.UNIFORM_BUFFER, 1 << 14, gl.STATIC_DRAW); // no loop takes a turn; as large as every driver lets a block be
      const masked = gl.getParameter(gl.RENDERER) === "WebKit WebGL" && gl.getExtension("WEBGL_debug_renderer_info");
      this.neighbours ??= told(gl.getParameter(masked ? masked.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
      this.lost = false;
    }

    // A new context has none of what the old one had: everything is made again from the plans and the weights.
    restore() {
      this.open();
      for (const step of ["load", "finish"]) for (const exe of this.live) this[step](exe);
      this.dispatchEvent(new Event("contextrestored"));
    }

    limits() {
      const gl = this.gl, get = (name) => gl.getParameter(gl[name]);
      const max_size = Math.min(get("MAX_TEXTURE_SIZE"), get("MAX_VIEWPORT_DIMS")[0]), samplers = get("MAX_TEXTURE_IMAGE_UNITS");
      const lanes = Math.min(get("MAX_DRAW_BUFFERS"), get("MAX_COLOR_ATTACHMENTS")) < 8 ? 4 : 8;
      return { max_size, samplers, lanes, half: !this.full, neighbours: this.neighbours };
    }

    compile(kind, source) {
      const shader = this.gl.createShader(kind);
      this.gl.shaderSource(shader, source);
      this.gl.compileShader(shader);
      return shader;
    }

    program(source) {
      if (this.programs.has(source)) return this.programs.get(source);
      const gl = this.gl, handle = gl.createProgram(), fragment = this.compile(gl.FRAGMENT_SHADER, source);
      for (const shader of [this.vertex, fragment]) gl.attachShader(handle, shader);
      gl.linkProgram(handle);
      this.programs.set(source, { handle, fragment, source, ready: false });
      return this.programs.get(source);
    }

    // Programs begin to compile: what can be done before there are weights.
    begin(plan) {
      const exe = { plan, turn: 0, queue: Promise.resolve(), chunk: 16, took: SLICE < Infinity ? Infinity : 0 };
      exe.predict = (feeds) => this.predict(exe, feeds); // as machine.js has it
      exe.live = () => this.live.has(exe) && !this.lost;
      return this.compiling(exe);
    }

    compiling(exe) {
      const programs = exe.plan.programs.map((p) => this.program(p.source));
      this.gl.flush();
      return Object.assign(exe, { programs, context: this.programs, framebuffers: [], reader: null, blocks: null, adopted: {} });
    }

    // Textures and weights go up. The buffers are kept, for a context may be lost.
    load(exe, buffers = exe.buffers) {
      if (exe.context !== this.programs) this.compiling(exe); // it was lost
      exe.buffers = buffers;
      exe.textures = exe.plan.textures.map(([w, h, n]) => this.texture(w, h, n, exe.plan.half));
      for (const u of exe.plan.uploads) this.write(exe, u.texture, u, webkerasCommon.elements(u, buffers));
      this.live.add(exe);
    }

    // Are all programs compiled? Without the extension: nobody can tell.
    ready(exe) {
      const gl = this.gl, query = this.parallel?.COMPLETION_STATUS_KHR;
      return this.lost || !query || exe.programs.every((p) => p.ready || gl.getProgramParameter(p.handle, query));
    }

    // What waits for the programs: their errors, and uniform blocks.
    linked(exe) {
      this.alive();
      exe.programs.forEach((p, i) => this.link(p, exe.plan.programs[i]));
      return exe.blocks ? exe : this.pack(exe);
    }

    // Every program draws a pixel of nothing, while others are still asked about: what drivers put off until then needs no weights.
    warm(exe) {
      this.alive();
      const { plan, programs } = exe, textures = [0, 8, 8].map((layers) => this.texture(1, 1, layers, plan.half));
      const targets = plan.programs.map(({ writes: length }) => Array.from({ length }, (_, layer) => [2, layer]));
      const dry = { plan: { targets }, programs, blocks: this.zeros, textures, framebuffers: [] };
      try {
        plan.programs.forEach((p, i) => {
          this.link(programs[i], p);
          this.draw(dry, [Object.assign([i, 0, i, 0, 0, 1, 1, p.arrays], { offset: 0 })]);
          this.gl.flush();
        });
      } finally {
        textures.forEach((_, i) => this.drop(dry, i));
      }
      this.linked(exe);
    }

    finish(exe) { // the draws that make constants
      this.linked(exe);
      const { prepare, constants } = exe.plan, keep = new Set(constants);
      this.draw(exe, prepare);
      exe.textures.forEach((_, i) => keep.has(i) || this.drop(exe, i));
    }

    answered(exe) { // a plan of constants alone, the self-test: drawn once, and on its way back from then on
      return (exe.answer ??= (this.load(exe, []), this.finish(exe), this.run(exe, {}), this.collect(exe, 8)));
    }

    link(p, described) {
      const gl = this.gl;
      if (p.ready) return;
      if (!gl.getProgramParameter(p.handle, gl.LINK_STATUS)) {
        const log = gl.getShaderInfoLog(p.fragment) || gl.getProgramInfoLog(p.handle) || "no reason given";
        this.programs.delete(p.source);
        throw Object.assign(new Error(log), { name: "ShaderError", source: p.source });
      }
      gl.deleteShader(p.fragment);
      gl.useProgram(p.handle);
      described.samplers.forEach((s, unit) => gl.uniform1i(gl.getUniformLocation(p.handle, s), unit));
      const block = gl.getUniformBlockIndex(p.handle, "Params"); // and its binding is 0
      const ids = gl.getActiveUniformBlockParameter(p.handle, block, gl.UNIFORM_BLOCK_ACTIVE_UNIFORM_INDICES);
      const offsets = gl.getActiveUniforms(p.handle, ids, gl.UNIFORM_OFFSET);
      p.members = Array.from(ids, (id, i) => [gl.getActiveUniform(p.handle, id), offsets[i]]);
      p.bytes = gl.getActiveUniformBlockParameter(p.handle, block, gl.UNIFORM_BLOCK_DATA_SIZE);
      p.ready = true;
    }

    // All uniform blocks of a plan in one buffer; a name on one side only is an error.
    pack(exe) {
      const gl = this.gl, align = gl.getParameter(gl.UNIFORM_BUFFER_OFFSET_ALIGNMENT), { plan } = exe, all = [...plan.prepare, ...plan.steps];
      let size = 0;
      for (const step of all) size = (step.offset = size) + Math.ceil(exe.programs[step[0]].bytes / align) * align;
      const data = new DataView(new ArrayBuffer(Math.max(size, 16)));
      for (const step of all) {
        const { members } = exe.programs[step[0]], params = plan.params[step[1]];
        const odd = Object.keys(params).filter((k) => !members.some(([m]) => m.name === k));
        for (const [{ name, type }, at] of members) {
          if (!(name in params)) odd.push(name);
          const set = type === gl.FLOAT ? "setFloat32" : "setInt32";
          [params[name]].flat().forEach((v, i) => data[set](step.offset + at + 4 * i, v, true));
        }
        if (odd.length) throw new Error(`parameters ${odd.join(", ")} are set or declared, not both`);
      }
      gl.bindBuffer(gl.UNIFORM_BUFFER, (exe.blocks = gl.createBuffer()));
      gl.bufferData(gl.UNIFORM_BUFFER, data, gl.STATIC_DRAW);
      return exe;
    }

    bind(t) {
      this.gl.activeTexture(this.gl.TEXTURE0);
      this.gl.bindTexture(t.target, t);
    }

    texture(width, height, layers, half) {
      const gl = this.gl, t = gl.createTexture(), size = layers ? [width, height, layers] : [width, height];
      t.target = layers ? gl.TEXTURE_2D_ARRAY : gl.TEXTURE_2D;
      this.bind(t);
      gl[`texStorage${size.length}D`](t.target, 1, half ? gl.RGBA16F : gl.RGBA32F, ...size);
      for (const end of ["MIN", "MAG"]) gl.texParameteri(t.target, gl[`TEXTURE_${end}_FILTER`], gl.NEAREST);
      return this.textures++, t;
    }

    // Elements in order into a texture, as they lie there; where they do not fill it, zeros follow.
    write(exe, texture, where, data) {
      const gl = this.gl, t = exe.textures[texture], size = exe.plan.textures[texture];
      if (!where.lanes) return this.fill(t, where.parts, webkerasCommon.padded(data, where));
      this.bind(t);
      gl.texSubImage3D(t.target, 0, 0, 0, 0, ...size, gl.RGBA, gl.FLOAT, webkerasCommon.laid(data, where, size));
    }

    fill(t, parts, data) {
      const gl = this.gl, flat = t.target === gl.TEXTURE_2D, put = gl[flat ? "texSubImage2D" : "texSubImage3D"].bind(gl, t.target, 0);
      const rows = (x, y, w, h, ...from) => put(...(flat ? [x, y, w, h] : [x, y, 0, w, h, 1]), gl.RGBA, gl.FLOAT, ...from);
      this.bind(t);
      for (const [x, y, w, h, first, stride] of parts) {
        const whole = Math.max(0, Math.min(h, Math.floor((data.length / 4 - first - w) / stride) + 1)); // rows that the data fill
        gl.pixelStorei(gl.UNPACK_ROW_LENGTH, stride);
        if (whole) rows(x, y, w, whole, data, 4 * first);
        for (let r = whole, at; r < h; r++)
          rows(x, y + r, w, 1, webkerasCommon.filled(data.subarray((at = 4 * (first + r * stride)), at + 4 * w), 4 * stride), 0);
      }
      gl.pixelStorei(gl.UNPACK_ROW_LENGTH, 0);
    }

    framebuffer(exe, target) {
      const gl = this.gl, made = exe.framebuffers[target], f = (exe.framebuffers[target] ??= gl.createFramebuffer()), layers = exe.plan.targets[target];
      gl.bindFramebuffer(gl.FRAMEBUFFER, f);
      if (made) return;
      layers.forEach(([texture, layer], i) => this.attach(i, exe.textures[texture], layer));
      gl.drawBuffers(layers.map((_, i) => gl.COLOR_ATTACHMENT0 + i));
    }

    attach(i, t, layer) {
      const gl = this.gl, at = [gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0 + i];
      t.target === gl.TEXTURE_2D ? gl.framebufferTexture2D(...at, t.target, t, 0) : gl.framebufferTextureLayer(...at, t, 0, layer);
    }

    // No state is set that is set already.
    draw(exe, steps) {
      const gl = this.gl, bound = [];
      let program = null, framebuffer = -1, active = -1, seen = "", drawn = 0;
      for (const step of steps) {
        const [p, , target, x, y, width, height, inputs, times = 1, apart = 0] = step, here = exe.programs[p];
        if (here !== program) gl.useProgram((program = here).handle);
        gl.bindBufferRange(gl.UNIFORM_BUFFER, 0, exe.blocks, step.offset, here.bytes);
        for (let unit = 0; unit < inputs.length; unit++) {
          if (bound[unit] === inputs[unit]) continue;
          bound[unit] = inputs[unit];
          if (active !== unit) gl.activeTexture(gl.TEXTURE0 + (active = unit));
          gl.bindTexture(exe.textures[inputs[unit]].target, exe.textures[inputs[unit]]);
        }
        if (target !== framebuffer) this.framebuffer(exe, (framebuffer = target));
        for (let i = 0; i < times; i++) {
          const before = seen;
          if (before !== (seen = `${x + i * apart} ${y} ${width} ${height}`)) gl.viewport(x + i * apart, y, width, height);
          gl.drawArrays(gl.TRIANGLES, 0, 3);
        }
        if (drawn++ % FLUSH === 1) gl.flush();
      }
    }

    // Inputs into their textures: typed arrays, or {exe, output} for what another plan left on the GPU.
    feed(exe, inputs) {
      this.alive();
      exe.turn++;
      for (const [name, { texture, parts, read, laid }] of Object.entries(exe.plan.inputs)) {
        if (inputs[name].exe) this.adopt(exe, name, inputs[name]);
        else if (read) this.fill(exe.textures[texture], parts, inputs[name]);
        for (const { texture, ...where } of inputs[name].exe ? [] : laid) this.write(exe, texture, where, inputs[name]);
      }
    }

    // An output of another plan, copied; draws lay it out as `write` lays arrays, their programs compile only now.
    adopt(exe, name, from) {
      const { texture, parts, adopt: plan } = exe.plan.inputs[name], source = from.exe.plan.outputs[from.output];
      if (String(source.parts) !== String(parts)) throw new Error(`output ${from.output} does not lie as input ${name} does`);
      this.reading(from.exe, source.texture);
      this.bind(exe.textures[texture]);
      for (const [x, y, w, h] of parts) this.gl.copyTexSubImage3D(this.gl.TEXTURE_2D_ARRAY, 0, x, y, 0, x, y, w, h);
      if (plan) this.draw(this.linked((exe.adopted[name] ??= this.compiling({ plan, textures: exe.textures }))), plan.steps);
    }

    run(exe, inputs) {
      this.feed(exe, inputs);
      this.draw(exe, exe.plan.steps);
    }

    // Bind the first layer of a texture for readPixels.
    reading(exe, texture) {
      this.gl.bindFramebuffer(this.gl.FRAMEBUFFER, (exe.reader ??= this.gl.createFramebuffer()));
      this.attach(0, exe.textures[texture], 0);
    }

    read(exe) {
      const gl = this.gl, out = {};
      for (const [name, { texture, parts, length }] of Object.entries(exe.plan.outputs)) {
        const [[, , w, h]] = parts, all = new Float32Array(4 * w * h);
        this.reading(exe, texture);
        gl.readPixels(0, 0, w, h, gl.RGBA, gl.FLOAT, all);
        out[name] = all.subarray(0, length);
      }
      this.alive();
      return out;
    }

    // Run and read, the page going on meanwhile: draws in chunks of a few milliseconds, a fence after each, results through
    // pixel buffers; directly what took less than two slices. Predictions wait; one that `run` overtook starts again.
    predict(exe, inputs) {
      const here = exe.queue.then(async () => {
        const start = performance.now();
        const out = exe.took < 2 * SLICE ? (this.run(exe, inputs), this.read(exe)) : await this.sliced(exe, inputs);
        exe.took = performance.now() - start;
        return out;
      });
      exe.queue = here.catch(() => {});
      return here;
    }

    // The next chunk is drawn before the last one is waited for, so that the GPU has always something to do.
    async sliced(exe, inputs) {
      const { steps } = exe.plan;
      let at = 0, turn = -1, last = null, start = 0;
      while (at < steps.length || turn < 0) {
        if (turn !== exe.turn) {
          this.feed(exe, inputs);
          [turn, at, start] = [exe.turn, 0, performance.now()];
        }
        this.draw(exe, steps.slice(at, at + exe.chunk));
        at += exe.chunk;
        const fence = this.fence();
        if (last) await this.passed(last, SLICE);
        const now = performance.now();
        if (last && now - start > 2 * SLICE) exe.chunk = Math.max(1, exe.chunk >> 1);
        else if (last && now - start < SLICE) exe.chunk *= 2;
        [last, start] = [fence, now];
      }
      return this.gl.deleteSync(last), this.collect(exe, SLICE);
    }

    fence() {
      const { gl } = this, fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
      return gl.flush(), fence;
    }

    // Asking for a fence all the time would take the processor from a GPU that is software, and from the page.
    async passed(fence, expected) {
      const gl = this.gl, begin = performance.now();
      while (!this.lost && gl.clientWaitSync(fence, 0, 0) === gl.TIMEOUT_EXPIRED)
        await (performance.now() - begin < expected ? new Promise((done) => setTimeout(done, 1)) : webkerasCommon.pause());
      gl.deleteSync(fence);
      this.alive();
    }

    async collect(exe, expected) {
      const gl = this.gl, reads = [], out = {};
      for (const [name, { texture, parts, length }] of Object.entries(exe.plan.outputs)) {
        const [[, , w, h]] = parts, buffer = gl.createBuffer();
        this.reading(exe, texture);
        gl.bindBuffer(gl.PIXEL_PACK_BUFFER, buffer);
        gl.bufferData(gl.PIXEL_PACK_BUFFER, 16 * w * h, gl.STREAM_READ);
        gl.readPixels(0, 0, w, h, gl.RGBA, gl.FLOAT, 0);
        reads.push({ name, length, buffer });
      }
      gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
      await this.passed(this.fence(), expected);
      for (const { name, length, buffer } of reads) {
        gl.bindBuffer(gl.PIXEL_PACK_BUFFER, buffer);
        gl.getBufferSubData(gl.PIXEL_PACK_BUFFER, 0, (out[name] = new Float32Array(length)));
        gl.deleteBuffer(buffer); // and bound no more
      }
      this.alive();
      return out;
    }

    alive() {
      if (this.lost || this.gl.isContextLost()) throw Object.assign(new Error("the GPU context was lost"), { name: "DeviceLost" });
    }

    drop(exe, i) {
      if (!exe.textures[i]) return;
      for (const { plan, framebuffers } of [exe, ...Object.values(exe.adopted ?? {})])
        plan.targets.forEach((target, at) => {
          if (target.some(([t]) => t === i)) framebuffers[at] = void this.gl.deleteFramebuffer(framebuffers[at] ?? null);
        });
      this.gl.deleteTexture(exe.textures[i]);
      exe.textures[i] = null;
      this.textures--;
    }

    free(exe) {
      this.live.delete(exe);
      if (this.lost) return;
      exe.textures?.forEach((_, i) => this.drop(exe, i));
      for (const { blocks } of [exe, ...Object.values(exe.adopted)]) this.gl.deleteBuffer(blocks);
      this.gl.deleteFramebuffer(exe.reader);
    }
  }

  return { create: (own) => new Runner(own ?? (globalThis.OffscreenCanvas ? new OffscreenCanvas(1, 1) : document.createElement("canvas"))) };
})();
