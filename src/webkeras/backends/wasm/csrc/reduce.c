/* Many elements become one; softmax, which does it twice. */
#include "scalars.h"

INLINE f4 joined(int fn, f4 a, f4 b) { return fn == R_SUM ? a + b : fn == R_MAX ? vmax(a, b) : fn == R_MIN ? vmin(a, b) : a * b; }
INLINE f4 neutral(int fn) { return splat(fn == R_SUM ? 0.f : fn == R_PROD ? 1.f : fn == R_MAX ? -__builtin_inff() : __builtin_inff()); }
INLINE f4 across(int fn, f4 v) {
  v = joined(fn, v, (f4){v[2], v[3], v[2], v[3]});
  return joined(fn, v, splat(v[1]));
}

/* One number from n contiguous ones: sixteen partial results, which also keep the rounding of a long sum small. */
INLINE float whole(int fn, const float *x, int n) {
  f4 s[4] = {neutral(fn), neutral(fn), neutral(fn), neutral(fn)};
  int i = 0;
  for (; i + 16 <= n; i += 16)
    for (int j = 0; j < 4; j++) s[j] = joined(fn, s[j], load(x + i + 4 * j));
  for (; i + 4 <= n; i += 4) s[0] = joined(fn, s[0], load(x + i));
  f4 y = joined(fn, joined(fn, s[0], s[1]), joined(fn, s[2], s[3]));
  for (; i < n; i++) y = joined(fn, y, choose((i4){-1, 0, 0, 0}, splat(x[i]), neutral(fn)));
  return across(fn, y)[0];
}

INLINE void reduced_by(const int fn, Run *r, const Reduce *p) {
  const float *x = r->base + p->src;
  float *y = r->base + p->dst;
  if (p->inner == 1) {
    for (int i; (i = task(r)) < (p->outer + 15) / 16;)
      for (int o = i * 16; o < MIN(p->outer, i * 16 + 16); o++) y[o] = whole(fn, x + (ptrdiff_t)o * p->r, p->r);
    return;
  }
  int slices = (p->inner + 63) / 64;
  for (int i; (i = task(r)) < p->outer * slices;) {
    int j0 = i % slices * 64, j1 = MIN(p->inner, j0 + 64);
    const float *from = x + (ptrdiff_t)(i / slices) * p->r * p->inner;
    float *to = y + (ptrdiff_t)(i / slices) * p->inner;
    for (int j = j0; j < j1;) {
      int vector = j + 4 <= j1;
      f4 s[2] = {neutral(fn), neutral(fn)};
      for (int k = 0; k < p->r; k++) {
        const float *v = from + (ptrdiff_t)k * p->inner + j;
        s[k & 1] = joined(fn, s[k & 1], vector ? load(v) : splat(*v));
      }
      s[0] = joined(fn, s[0], s[1]);
      if (vector) store(to + j, s[0]);
      else to[j] = s[0][0];
      j += vector ? 4 : 1;
    }
  }
}

void reduce(Run *r, const Reduce *p) {
  if (p->fn == R_SUM) reduced_by(R_SUM, r, p);
  else if (p->fn == R_MAX) reduced_by(R_MAX, r, p);
  else if (p->fn == R_MIN) reduced_by(R_MIN, r, p);
  else reduced_by(R_PROD, r, p);
}

/* Rows of r numbers: exp(x - max) over its sum. */
void softmax(Run *r, const Reduce *p) {
  for (int o; (o = task(r)) < p->outer;) {
    const float *x = r->base + p->src + (ptrdiff_t)o * p->r;
    float *y = r->base + p->dst + (ptrdiff_t)o * p->r;
    f4 top = splat(whole(R_MAX, x, p->r));
    int n = p->r, i = 0;
    for (; i + 4 <= n; i += 4) store(y + i, vexp(load(x + i) - top));
    for (; i < n; i++) y[i] = vexp(splat(x[i]) - top)[0];
    float scale = 1.f / whole(R_SUM, y, n);
    for (i = 0; i + 4 <= n; i += 4) store(y + i, load(y + i) * scale);
    for (; i < n; i++) y[i] *= scale;
  }
}
