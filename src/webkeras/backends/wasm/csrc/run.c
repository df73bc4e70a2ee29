/* One call runs a whole program. */
#include "wk.h"

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
  }
}

/* All threads meet here. `meeting` counts arrivals; nobody sleeps, the next instruction is microseconds away. */
static void meet(int32_t *meeting, int threads, int32_t *round) {
  *round += threads;
  __atomic_fetch_add(meeting, 1, __ATOMIC_ACQ_REL);
  while (__atomic_load_n(meeting, __ATOMIC_ACQUIRE) - *round < 0) {
  }
}

/* Every thread calls this with the same program, its own scratch and its number. `shared` holds a count of arrivals and then a
   counter for every instruction, all zero at the start. */
EXPORT("run") void run(const int32_t *program, float *base, float *scratch, int thread, int threads, int32_t *shared) {
  Run r = {base, scratch, thread, threads, shared, 0};
  int32_t round = 0;
  for (; program[0] != END; program += program[1]) {
    r.tasks++;
    r.next = 0;
    one(&r, program);
    if (threads > 1) meet(shared, threads, &round);
  }
}
