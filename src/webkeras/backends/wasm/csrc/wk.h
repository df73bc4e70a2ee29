/* Four floats at a time, for WebAssembly and for the host, and what every kernel is handed. */
#ifndef WK_H
#define WK_H
#include <stddef.h>
#include <stdint.h>
#include "program.h"

typedef float f4 __attribute__((vector_size(16)));
typedef int32_t i4 __attribute__((vector_size(16)));
typedef f4 f4_unaligned __attribute__((aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

INLINE f4 load(const float *p) { return *(const f4_unaligned *)p; }
INLINE void store(float *p, f4 v) { *(f4_unaligned *)p = v; }
INLINE f4 splat(float x) { return (f4){x, x, x, x}; }
INLINE f4 choose(i4 mask, f4 a, f4 b) { return (f4)((mask & (i4)a) | (~mask & (i4)b)); }

#ifdef __wasm__
#include <wasm_simd128.h>
#ifdef __wasm_relaxed_simd__
INLINE f4 madd(f4 c, f4 a, f4 b) { return (f4)wasm_f32x4_relaxed_madd((v128_t)a, (v128_t)b, (v128_t)c); }
#else
INLINE f4 madd(f4 c, f4 a, f4 b) { return c + a * b; }
#endif
/* a where b < a is false for NaN in either: x stays NaN in above(x, limit). */
INLINE f4 above(f4 x, f4 limit) { return (f4)wasm_f32x4_pmax((v128_t)x, (v128_t)limit); }
INLINE f4 below(f4 x, f4 limit) { return (f4)wasm_f32x4_pmin((v128_t)x, (v128_t)limit); }
INLINE f4 vmax(f4 a, f4 b) { return (f4)wasm_f32x4_max((v128_t)a, (v128_t)b); }
INLINE f4 vmin(f4 a, f4 b) { return (f4)wasm_f32x4_min((v128_t)a, (v128_t)b); }
INLINE f4 vfloor(f4 x) { return (f4)wasm_f32x4_floor((v128_t)x); }
INLINE f4 vround(f4 x) { return (f4)wasm_f32x4_nearest((v128_t)x); }
INLINE f4 vsqrt(f4 x) { return (f4)wasm_f32x4_sqrt((v128_t)x); }
INLINE i4 vint(f4 x) { return (i4)wasm_i32x4_trunc_sat_f32x4((v128_t)x); }
#define EXPORT(name) __attribute__((export_name(name)))
#else
#include <math.h>
#define EXPORT(name)
INLINE f4 madd(f4 c, f4 a, f4 b) { return c + a * b; }
INLINE f4 above(f4 x, f4 limit) { return choose(x < limit, limit, x); }
INLINE f4 below(f4 x, f4 limit) { return choose(limit < x, limit, x); }
INLINE f4 vmax(f4 a, f4 b) { return choose((a != a) | (a > b), a, b); }
INLINE f4 vmin(f4 a, f4 b) { return choose((a != a) | (a < b), a, b); }
INLINE f4 vfloor(f4 x) { return (f4){floorf(x[0]), floorf(x[1]), floorf(x[2]), floorf(x[3])}; }
INLINE f4 vround(f4 x) { return (f4){rintf(x[0]), rintf(x[1]), rintf(x[2]), rintf(x[3])}; }
INLINE f4 vsqrt(f4 x) { return (f4){sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3])}; }
INLINE int32_t one_int(float x) { return x != x ? 0 : x >= 2147483520.f ? INT32_MAX : x <= -2147483520.f ? INT32_MIN : (int32_t)x; }
INLINE i4 vint(f4 x) { return (i4){one_int(x[0]), one_int(x[1]), one_int(x[2]), one_int(x[3])}; }
#endif
INLINE f4 vfloat(i4 x) { return __builtin_convertvector(x, f4); }

/* Of an instruction: how many pieces of its work have been taken, and how many threads are at it. */
typedef struct {
  int32_t taken, active;
} Tasks;

/* What the threads share: the number of the call, how many workers have left it, and its instructions. All zero at the start. */
typedef struct {
  int32_t call, left;
  Tasks tasks[];
} Shared;

/* One thread's view of a run. */
typedef struct {
  float *base;     /* tensors */
  float *scratch;  /* this thread's own */
  int thread, threads;
  Tasks *tasks;    /* the instruction's, shared by the threads */
  int next;        /* the same where there is one thread */
} Run;

/* The number of the next piece of the instruction's work; every thread asks until there are no more. */
INLINE int task(Run *r) { return r->threads == 1 ? r->next++ : __atomic_fetch_add(&r->tasks->taken, 1, __ATOMIC_SEQ_CST); }

/* What ends a contraction, with addresses in place of offsets. */
typedef struct {
  const float *bias, *residual;
  f4 low, high;
  const Map *map;
} Finish;

Finish finish(const Run *r, const Epilogue *e, const int32_t *instruction);
/* Floats of a panel of k rows, and of its head. */
enum { HEAD = 16 };
INLINE ptrdiff_t panel(int format, int k) { return (format == FLOATS ? 0 : HEAD) + (ptrdiff_t)k * (8 >> format); }

/* Weights as PACK left them, from row k0 on: panels step floats apart. Where they are no floats, `room` takes a panel of k * 8 floats. */
typedef struct {
  const float *panels;
  ptrdiff_t step;
  int format, k0;
  float *room;
} Packed;

/* c (m, n) += a (m, k) @ b; `first` starts from the bias, `last` ends with the rest of `f` (its map excepted). */
void gemm(const float *a, ptrdiff_t lda, int m, int k, const Packed *b, float *c, ptrdiff_t ldc, int n, int first, int last, const Finish *f);
/* The map over elements low .. high of its result, which starts at dst. */
void map_range(Run *r, const Map *m, float *dst, int low, int high);

/* exp(x - max) over its sum; y may be x. */
void softmax_row(const float *x, float *y, int n);

void conv(Run *, const Window *);
void depthwise(Run *, const Window *);
void winograd(Run *, const Window *);
void winograd_in(Run *, const Window *);
void winograd_out(Run *, const Window *);
void gemm_batches(Run *, const Gemm *);
void pack(Run *, const Pack *);
void winograd_pack(Run *, const Pack *);
void pool(Run *, const Window *);
void map(Run *, const Map *);
void reduce(Run *, const Reduce *);
void softmax(Run *, const Reduce *);
void attention(Run *, const Attention *);
void norm(Run *, const Norm *);
void copy(Run *, const Copy *);
void take(Run *, const Take *);
#endif
