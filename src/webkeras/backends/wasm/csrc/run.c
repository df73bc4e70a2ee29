/* One call runs a whole program; workers sleep until there is one. */
#include "wk.h"

static void scan(Run *r, const Scan *s);

static void one(Run *r, const int32_t *p) {
  switch (p[0] & ~ALONE) {
    case CONV: conv(r, (const Window *)p); break;
    case DEPTHWISE: depthwise(r, (const Window *)p); break;
    case WINOGRAD: winograd(r, (const Window *)p); break;
    case WINOGRAD_IN: winograd_in(r, (const Window *)p); break;
    case WINOGRAD_OUT: winograd_out(r, (const Window *)p); break;
    case GEMM: gemm_batches(r, (const Gemm *)p); break;
    case ATTENTION: attention(r, (const Attention *)p); break;
    case PACK: pack(r, (const Pack *)p); break;
    case WINOGRAD_PACK: winograd_pack(r, (const Pack *)p); break;
    case POOL: pool(r, (const Window *)p); break;
    case MAP: map(r, (const Map *)p); break;
    case REDUCE: reduce(r, (const Reduce *)p); break;
    case SOFTMAX: softmax(r, (const Reduce *)p); break;
    case NORM: norm(r, (const Norm *)p); break;
    case COPY: copy(r, (const Copy *)p); break;
    case TAKE: take(r, (const Take *)p); break;
    case SCAN: scan(r, (const Scan *)p); break;
  }
}

/* The body once for every step; a step is too short to share, and SCAN always ALONE. The moving words are put back at the end. */
static void scan(Run *r, const Scan *s) {
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
/* Never inlined: V8's baseline compiler (11.3, Chromium 113 and Node 20) loses locals of a function that waits: a worker that had slept
   took itself for the only thread and went on without being counted. Here nothing is left to lose. */
__attribute__((noinline)) static void sleep_while(int32_t *p, int32_t value, int64_t ns) { __builtin_wasm_memory_atomic_wait32(p, value, ns); }
INLINE void wake(int32_t *p, int32_t most) { __builtin_wasm_memory_atomic_notify(p, (unsigned)most); }
#else
#include <sched.h>
INLINE void sleep_while(int32_t *p, int32_t value, int64_t ns) { (void)p, (void)value, (void)ns, sched_yield(); }
INLINE void wake(int32_t *p, int32_t most) { (void)p, (void)most; }
#endif

/* Turns of waiting: at the end of an instruction, some 500 us, for a piece takes no longer and who sleeps is 200 us late; for a call;
   and for who has not yet left the last one. Thread 0 may be a page's own, which must not sleep. */
enum { FOR_A_PIECE = 200000, FOR_A_CALL = 20000, FOR_THE_LATE = 2000 };

/* Every thread calls this with the same program, its own scratch and its number. An instruction is over when all its pieces are
   taken, which a thread finds out by asking for one more, and nobody is at it: who comes late, because its processor was busy with
   something else, keeps nobody waiting. What is too short to share (ALONE) thread 0 does without asking, and says that it is done. */
EXPORT("run") void run(const int32_t *program, float *base, float *scratch, int thread, int threads, Shared *shared) {
  Run r = {base, scratch, thread, threads, shared->tasks, 0}, alone = {base, scratch, 0, 1, 0, 0};
  for (; program[0] != END; program += program[1], r.tasks++) {
    int32_t *taken = &r.tasks->taken, *active = &r.tasks->active, others;
    if (threads == 1 || (program[0] & ALONE && thread == 0)) {
      alone.next = 0;
      one(&alone, program);
      if (threads > 1) __atomic_store_n(taken, 1, __ATOMIC_SEQ_CST);
    } else if (program[0] & ALONE) {
      for (int i = 0; !__atomic_load_n(taken, __ATOMIC_SEQ_CST); i++)
        if (i > FOR_A_PIECE) sleep_while(taken, 0, 200000);
    } else {
      __atomic_fetch_add(active, 1, __ATOMIC_SEQ_CST);
      one(&r, program);
      __atomic_fetch_sub(active, 1, __ATOMIC_SEQ_CST);
      for (int i = 0; (others = __atomic_load_n(active, __ATOMIC_SEQ_CST)); i++)
        if (thread && i > FOR_A_PIECE) sleep_while(active, others, 200000);
    }
  }
}

/* Wake the workers for a program of `count` instructions and do this thread's part of it: all of it where one of them is still busy
   leaving the last call, where it can find nothing to do. */
EXPORT("run_all") void run_all(const int32_t *program, int count, float *base, float *scratch, int threads, Shared *shared) {
  if (__atomic_load_n(&shared->call, __ATOMIC_SEQ_CST))
    for (int i = 0; __atomic_load_n(&shared->left, __ATOMIC_SEQ_CST) != threads - 1; i++)
      if (i > FOR_THE_LATE) {
        run(program, base, scratch, 0, 1, shared);
        return;
      }
  __atomic_store_n(&shared->left, 0, __ATOMIC_SEQ_CST);
  for (int i = 0; i < count; i++) shared->tasks[i] = (Tasks){0, 0};
  __atomic_fetch_add(&shared->call, 1, __ATOMIC_SEQ_CST);
  wake(&shared->call, threads);
  run(program, base, scratch, 0, threads, shared);
}

/* A worker's life, until it is terminated: run the program once for every call. */
EXPORT("serve") void serve(const int32_t *program, float *base, float *scratch, int thread, int threads, Shared *shared) {
  for (int32_t seen = 0;; seen++) {
    for (int i = 0; __atomic_load_n(&shared->call, __ATOMIC_SEQ_CST) == seen; i++)
      if (i > FOR_A_CALL) sleep_while(&shared->call, seen, -1);
    run(program, base, scratch, thread, threads, shared);
    __atomic_fetch_add(&shared->left, 1, __ATOMIC_SEQ_CST);
  }
}
