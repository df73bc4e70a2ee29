/* One call runs a whole program; workers sleep until there is one. */
#include "wk.h"

static void scan(Run *r, const Scan *s);

static void one(Run *r, const int32_t *p) {
  switch (p[0]) {
    case CONV: conv(r, (const Window *)p); break;
    case DEPTHWISE: depthwise(r, (const Window *)p); break;
    case WINOGRAD: winograd(r, (const Window *)p); break;
    case GEMM: gemm_batches(r, (const Gemm *)p); break;
    case PACK: pack(r, (const Pack *)p); break;
    case WINOGRAD_PACK: winograd_pack(r, (const Pack *)p); break;
    case POOL: pool(r, (const Window *)p); break;
    case MAP: map(r, (const Map *)p); break;
    case REDUCE: reduce(r, (const Reduce *)p); break;
    case SOFTMAX: softmax(r, (const Reduce *)p); break;
    case COPY: copy(r, (const Copy *)p); break;
    case FILL: fill(r, (const Fill *)p); break;
    case TAKE: take(r, (const Take *)p); break;
    case SCAN: scan(r, (const Scan *)p); break;
  }
}

/* The body once for every step, by one thread: a step is too short to share. The moving words are put back at the end. */
static void scan(Run *r, const Scan *s) {
  if (r->thread) return;
  int32_t *moving = (int32_t *)(s + 1), *body = moving + 2 * s->moving;
  for (int i = 0; i < s->steps; i++) {
    Run alone = {r->base, r->scratch, 0, 1, 0, 0};
    for (const int32_t *p = body; p[0] != END; p += p[1]) {
      alone.next = 0;
      one(&alone, p);
    }
    for (int m = 0; m < s->moving; m++) body[moving[2 * m]] += moving[2 * m + 1];
  }
  for (int m = 0; m < s->moving; m++) body[moving[2 * m]] -= s->steps * moving[2 * m + 1];
}

/* All threads meet here: the last to arrive begins the next round. Nobody sleeps, the next instruction is microseconds away. */
static void meet(Shared *s, int threads) {
  int32_t round = __atomic_load_n(&s->round, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&s->arrived, 1, __ATOMIC_ACQ_REL) == threads) {
    __atomic_store_n(&s->arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->round, round + 1, __ATOMIC_RELEASE);
  } else {
    while (__atomic_load_n(&s->round, __ATOMIC_ACQUIRE) == round) {
    }
  }
}

/* Every thread calls this with the same program, its own scratch and its number. */
EXPORT("run") void run(const int32_t *program, float *base, float *scratch, int thread, int threads, Shared *shared) {
  Run r = {base, scratch, thread, threads, shared->tasks, 0};
  for (; program[0] != END; program += program[1], r.tasks++) {
    r.next = 0;
    one(&r, program);
    if (threads > 1) meet(shared, threads);
  }
}

#ifdef __wasm__
/* Wake the workers for a program of `count` instructions and do this thread's part of it. */
EXPORT("run_all") void run_all(const int32_t *program, int count, float *base, float *scratch, int threads, Shared *shared) {
  for (int i = 0; i < count; i++) shared->tasks[i] = 0;
  __atomic_add_fetch(&shared->call, 1, __ATOMIC_ACQ_REL);
  __builtin_wasm_memory_atomic_notify(&shared->call, (unsigned)threads);
  run(program, base, scratch, 0, threads, shared);
}

/* A worker's life: run the program once for every call, from call number `seen` on, until a call says stop. */
EXPORT("serve") void serve(const int32_t *program, float *base, float *scratch, int thread, int threads, Shared *shared, int32_t seen) {
  for (;; seen++) {
    for (int i = 0; __atomic_load_n(&shared->call, __ATOMIC_ACQUIRE) == seen; i++)
      if (i > 20000) __builtin_wasm_memory_atomic_wait32(&shared->call, seen, -1);
    if (__atomic_load_n(&shared->stop, __ATOMIC_ACQUIRE)) return;
    run(program, base, scratch, thread, threads, shared);
  }
}
#endif
