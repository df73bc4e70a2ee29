/* Elements that change place and nothing else: slice, pad, concat, transpose and reversal are one strided copy. */
#include "wk.h"

INLINE void transpose4(const float *x, ptrdiff_t from, float *y, ptrdiff_t to) {
  f4 a = load(x), b = load(x + from), c = load(x + 2 * from), d = load(x + 3 * from);
  f4 e = __builtin_shufflevector(a, b, 0, 4, 1, 5), f = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  f4 g = __builtin_shufflevector(a, b, 2, 6, 3, 7), h = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store(y, __builtin_shufflevector(e, f, 0, 1, 4, 5));
  store(y + to, __builtin_shufflevector(e, f, 2, 3, 6, 7));
  store(y + 2 * to, __builtin_shufflevector(g, h, 0, 1, 4, 5));
  store(y + 3 * to, __builtin_shufflevector(g, h, 2, 3, 6, 7));
}

/* The last two axes, m by n. */
static void plane(const float *x, float *y, int m, int n, const int32_t *from, const int32_t *to) {
  ptrdiff_t f0 = from[0], f1 = from[1], t0 = to[0], t1 = to[1];
  if (f1 == 1 && t1 == 1) {
    for (int i = 0; i < m; i++) __builtin_memcpy(y + i * t0, x + i * f0, (size_t)n * 4);
    return;
  }
  int i = 0;
  if (f0 == 0 && f1 == 0 && t1 == 1) {  /* one number, everywhere */
    for (; i < m; i++) {
      float *to = y + i * t0;
      int j = 0;
      for (; j + 4 <= n; j += 4) store(to + j, splat(*x));
      for (; j < n; j++) to[j] = *x;
    }
    return;
  }
  if (f0 == 1 && t1 == 1)
    for (; i + 4 <= m; i += 4) {
      int j = 0;
      for (; j + 4 <= n; j += 4) transpose4(x + i + j * f1, f1, y + i * t0 + j, t0);
      for (; j < n; j++)
        for (int k = i; k < i + 4; k++) y[k * t0 + j] = x[k + j * f1];
    }
  for (; i < m; i++)
    for (int j = 0; j < n; j++) y[i * t0 + j * t1] = x[i * f0 + j * f1];
}

void copy(Run *r, const Copy *p) {
  int outer = p->dims[0] * p->dims[1] * p->dims[2] * p->dims[3], slices = outer >= 4 * r->threads ? 1 : (p->dims[4] + 63) / 64;
  for (int i; (i = task(r)) < outer * slices;) {
    int rest = i / slices, from4 = slices == 1 ? 0 : i % slices * 64, to4 = slices == 1 ? p->dims[4] : MIN(p->dims[4], from4 + 64);
    const float *x = r->base + p->src + (ptrdiff_t)from4 * p->x_step[4];
    float *y = r->base + p->dst + (ptrdiff_t)from4 * p->y_step[4];
    for (int d = 3; d >= 0; rest /= p->dims[d--]) {
      x += (ptrdiff_t)(rest % p->dims[d]) * p->x_step[d];
      y += (ptrdiff_t)(rest % p->dims[d]) * p->y_step[d];
    }
    plane(x, y, to4 - from4, p->dims[5], p->x_step + 4, p->y_step + 4);
  }
}

void take(Run *r, const Take *p) {
  for (int i; (i = task(r)) < p->outer * p->count;) {
    float number = r->base[p->rows + i % p->count];
    int row = number >= (float)p->n ? p->n - 1 : number > 0 ? (int)number : 0;
    row = MIN(row, p->n - 1);
    __builtin_memcpy(r->base + p->dst + (ptrdiff_t)i * p->inner, r->base + p->src + ((ptrdiff_t)(i / p->count) * p->n + row) * p->inner, (size_t)p->inner * 4);
  }
}
