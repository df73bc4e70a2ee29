// machine.js - a machine that runs programs of the C kernels: one memory, one module, workers where the page is isolated.
// It knows no layer and no shape. A plan (plain data, made in Python by backends/wasm/module.py):
//   floats, scratch, instructions   sizes: tensors, a thread's own memory, counters that threads share
//   threads    how many are worth it at most
//   once       [["load", address, buffer, offset, count, type, min, scale] | ["words", address, [..]] | ["run", [words]], ...]
//   program    [words]
//   inputs, outputs   {name: [address, size]}      addresses and sizes in floats
// The same file is the workers' script; elsewhere common.js comes before it.
globalThis.webkerasWasm = (() => {
  const PAGE = 65536, STACK = 65536, LINE = 64, WORKER = "webkeras-wasm";
  const EVERY = 64, TRIALS = 6; // of so many predictions of a short plan the first are timed, by turns alone and together
  // Milliseconds of work, after which the page has its turn; in a worker only messages wait.
  const SLICE = globalThis.document ? 8 : Infinity;
  const up = (n, to) => Math.ceil(n / to) * to;

  // The memory's import says "shared" in one byte; without isolation there is no shared memory, and the byte changes.
  function unshared(bytes) {
    const name = [3, 0x65, 0x6e, 0x76, 6, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 2]; // "env" "memory", a memory
    const copy = bytes.slice(), at = copy.findIndex((_, i) => name.every((b, j) => copy[i + j] === b)) + name.length;
    if (copy[at] !== 3) throw new Error("the module does not import a shared memory");
    copy[at] = 1;
    return copy;
  }

  // The better of the modules that this browser takes.
  function open(relaxed, plain, threads) {
    if (!globalThis.webkerasCommon) throw new Error("common.js is not here; load it by a script tag before machine.js");
    const shared = threads > 1 && Boolean(globalThis.crossOriginIsolated);
    for (const [name, bytes] of [["relaxed", relaxed], ["plain", plain]]) {
      const mine = shared ? bytes : unshared(bytes);
      if (!WebAssembly.validate(mine)) continue;
      webkerasWasm.threads = shared ? threads : 1; // for who wants to know
      return { name, module: new WebAssembly.Module(mine), shared, threads: webkerasWasm.threads };
    }
    throw new Error("this browser has no WebAssembly with SIMD");
  }

  // The instructions of a program, each as a program of its own.
  function apart(program) {
    const parts = [];
    for (let at = 0; program[at]; at += program[at + 1]) parts.push([...program.slice(at, at + program[at + 1]), 0]);
    return parts;
  }

  class Machine {
    constructor({ module, shared, threads }, plan, buffers, worker) {
      this.plan = plan;
      threads = Math.min(threads, plan.threads);
      this.threads = this.best = 1;
      this.trial = 0;
      this.turn = 0; // how often it was fed
      this.took = Infinity; // the last prediction, in milliseconds
      this.queue = Promise.resolve();
      const longest = Math.max(plan.program.length, ...plan.once.map((s) => (s[0] === "run" ? s[1].length : 0)));
      let top = 2 * PAGE; // the module's own data and stack lie below
      const take = (bytes) => { const at = top; top = up(top + bytes, LINE); return at; };
      this.program = take(4 * longest);
      this.shared = take(8 + 8 * plan.instructions);
      this.scratch = Array.from({ length: threads }, () => take(4 * plan.scratch));
      this.stacks = Array.from({ length: threads - 1 }, () => take(STACK) + STACK);
      this.base = take(4 * plan.floats);
      const pages = Math.ceil(top / PAGE);
      this.memory = new WebAssembly.Memory({ initial: pages, maximum: shared ? pages : 65535, shared });
      this.kernels = new WebAssembly.Instance(module, { env: { memory: this.memory } }).exports;
      if (this.kernels.__heap_base.value > 2 * PAGE) throw new Error("the module's data reach into the tensors");
      this.floats = new Float32Array(this.memory.buffer);
      this.words = new Int32Array(this.memory.buffer);
      for (const s of plan.once) this.step(s, buffers);
      this.workers = threads > 1 ? this.hire(module, threads, worker) : [];
    }

    step([kind, a, ...rest], buffers) {
      if (kind === "run") {
        this.alone(a);
      } else if (kind === "words") {
        this.words.set(rest[0], this.base / 4 + a);
      } else {
        const [buffer, ...where] = rest, values = webkerasCommon.stored(buffers[buffer], ...where), at = this.base / 4 + a;
        if (values instanceof Float32Array) this.floats.set(values, at);
        else new Uint8Array(this.memory.buffer).set(values, 4 * at); // bytes stay as they are
      }
    }

    // Workers count from when they are all there; until then this thread works alone.
    hire(module, threads, script) {
      const team = this.stacks.map((stack, i) => {
        const w = new Worker(script, { name: WORKER });
        const args = [this.program, this.base, this.scratch[i + 1], i + 1, threads, this.shared];
        w.postMessage({ module, memory: this.memory, stack, args });
        return w;
      });
      const there = team.map((w) => new Promise((yes, no) => { w.onmessage = yes; w.onerror = no; }));
      this.staffed = Promise.all(there).then(() => { this.threads = this.workers.length ? threads : 1; }, () => this.dismiss());
      return team;
    }

    dismiss() {
      this.threads = 1;
      for (const w of this.workers.splice(0)) w.terminate();
    }

    // Workers may still be looking whether the last program is over.
    left() {
      const at = this.shared / 4, others = this.threads - 1;
      return !others || !Atomics.load(this.words, at) || Atomics.load(this.words, at + 1) === others;
    }

    // A program into the memory, if it is not there.
    put(program) {
      if (this.held === program) return;
      while (!this.left());
      this.words.set(program, this.program / 4);
      this.held = program;
    }

    // By this thread.
    alone(program) {
      this.put(program);
      this.kernels.run(this.program, this.base, this.scratch[0], 0, 1, this.shared);
    }

    // By so many threads.
    work(program, instructions, hands = this.threads) {
      if (hands === 1) return this.alone(program);
      this.put(program);
      this.kernels.run_all(this.program, instructions, this.base, this.scratch[0], hands, this.shared);
    }

    feed(feeds) {
      this.turn++;
      for (const [name, [address]] of Object.entries(this.plan.inputs)) this.floats.set(feeds[name], this.base / 4 + address);
    }

    read() {
      const { outputs } = this.plan, from = this.base / 4, results = {};
      for (const name in outputs) {
        const [address, size] = outputs[name];
        results[name] = new Float32Array(this.floats.subarray(from + address, from + address + size)); // a copy, never shared
      }
      return results;
    }

    run(feeds) {
      this.feed(feeds);
      this.go();
      return this.read();
    }

    go() {
      const { plan, threads } = this, trial = plan.short && threads > 1 ? this.trial++ % EVERY : EVERY, together = trial % 2;
      const hands = trial < TRIALS ? [1, threads][together] : plan.short ? this.best : threads, began = performance.now();
      this.work(plan.program, plan.instructions, hands);
      if (trial >= TRIALS) return;
      if (trial === 0) this.least = [Infinity, Infinity];
      this.least[together] = Math.min(this.least[together], performance.now() - began);
      if (trial === TRIALS - 1) this.best = this.least[1] < 0.9 * this.least[0] ? threads : 1;
    }

    // The results; in the page a promise of them, and the page goes on meanwhile unless the last time took less than a
    // slice: alone it may take twice that. Predictions wait for each other; one that was overtaken by `run` starts again.
    predict(feeds) {
      if (SLICE === Infinity) return this.run(feeds);
      const here = this.queue.then(async () => {
        const began = performance.now(), results = this.took < SLICE ? this.run(feeds) : await this.sliced(feeds);
        this.took = performance.now() - began;
        return results;
      });
      this.queue = here.catch(() => {});
      return here;
    }

    async sliced(feeds) {
      const parts = apart(this.plan.program);
      let at = 0, turn = -1, began = 0;
      while (turn !== this.turn || at < parts.length) {
        if (!this.live()) throw new Error("the model was disposed");
        if (turn !== this.turn) {
          this.feed(feeds);
          [turn, at, began] = [this.turn, 0, performance.now()];
        }
        this.work(parts[at++], 1);
        if (this.left() && performance.now() - began < SLICE) continue;
        do await webkerasCommon.pause(); while (this.live() && !this.left());
        began = performance.now();
      }
      return this.read();
    }

    // Milliseconds of every instruction, by one thread.
    profile(feeds) {
      this.feed(feeds);
      return apart(this.plan.program).map((part) => {
        this.put(part);
        const began = performance.now();
        this.alone(part);
        return performance.now() - began;
      });
    }

    live() {
      return this.memory !== null;
    }

    free() {
      this.dismiss();
      this.memory = this.kernels = this.floats = this.words = null;
    }
  }

  if (globalThis.WorkerGlobalScope && globalThis.name === WORKER)
    onmessage = ({ data: { module, memory, stack, args } }) => {
      const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports;
      kernels.__stack_pointer.value = stack;
      postMessage("here");
      kernels.serve(...args);
    };

  return { open, create: (...args) => new Machine(...args), url: null };
})();
