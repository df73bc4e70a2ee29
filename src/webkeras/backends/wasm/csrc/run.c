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

#ifdef __wasm__
INLINE void sleep_while(int32_t *p, int32_t value) { __builtin_wasm_memory_atomic_wait32(p, value, -1); }
INLINE void wake(int32_t *p) { __builtin_wasm_memory_atomic_notify(p, 1 << 20); }
#else
INLINE void sleep_while(int32_t *p, int32_t value) { (void)p, (void)value; }
INLINE void wake(int32_t *p) { (void)p; }
#endif

/* Turns of waiting before a worker sleeps, some 100 us: between two instructions that is the exception, between two calls the rule.
   Thread 0 may be a page's own, which must not sleep. */
enum { PATIENCE = 20000 };

/* All threads meet here: the last to arrive begins the next round. */
static void meet(Shared *s, int thread, int threads) {
  int32_t round = __atomic_load_n(&s->round, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&s->arrived, 1, __ATOMIC_ACQ_REL) == threads) {
    __atomic_store_n(&s->arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->round, round + 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&s->asleep, __ATOMIC_SEQ_CST)) wake(&s->round);
    return;
  }
  for (int i = 0; __atomic_load_n(&s->round, __ATOMIC_ACQUIRE) == round; i++)
    if (i > PATIENCE && thread) {
      __atomic_add_fetch(&s->asleep, 1, __ATOMIC_SEQ_CST);
      sleep_while(&s->round, round);
      __atomic_sub_fetch(&s->asleep, 1, __ATOMIC_SEQ_CST);
    }
}

/* Every thread calls this with the same program, its own scratch and its number. */
EXPORT("run") void run(const int32_t *program, float *base, float *scratch, int thread, int threads, Shared *shared) {
  Run r = {base, scratch, thread, threads, shared->tasks, 0};
  for (; program[0] != END; program += program[1], r.tasks++) {
    r.next = 0;
    one(&r, program);
    if (threads > 1) meet(shared, thread, threads);
  }
}

#ifdef __wasm__
/* Wake the workers for a program of `count` instructions and do this thread's part of it. */
EXPORT("run_all") void run_all(const int32_t *program, int count, float *base, float *scratch, int threads, Shared *shared) {
  for (int i = 0; i < count; i++) shared->tasks[i] = 0;
  __atomic_add_fetch(&shared->call, 1, __ATOMIC_SEQ_CST);
  wake(&shared->call);
  run(program, base, scratch, 0, threads, shared);
}

/* A worker's life, until it is terminated: run the program once for every call. */
EXPORT("serve") void serve(const int32_t *program, float *base, float *scratch, int thread, int threads, Shared *shared) {
  for (int32_t seen = 0;; seen++) {
    for (int i = 0; __atomic_load_n(&shared->call, __ATOMIC_ACQUIRE) == seen; i++)
      if (i > PATIENCE) sleep_while(&shared->call, seen);
    run(program, base, scratch, thread, threads, shared);
  }
}
#endif
