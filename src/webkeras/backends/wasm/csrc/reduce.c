/* Many elements become one; softmax and normalisation, which do it twice. */
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

void softmax_row(const float *x, float *y, int n) {
  f4 top = splat(whole(R_MAX, x, n));
  int i = 0;
  for (; i + 4 <= n; i += 4) store(y + i, vexp(load(x + i) - top));
  for (; i < n; i++) y[i] = vexp(splat(x[i]) - top)[0];
  float scale = 1.f / whole(R_SUM, y, n);
  for (i = 0; i + 4 <= n; i += 4) store(y + i, load(y + i) * scale);
  for (; i < n; i++) y[i] *= scale;
}

void softmax(Run *r, const Reduce *p) {
  for (int o; (o = task(r)) < p->outer;) softmax_row(r->base + p->src + (ptrdiff_t)o * p->r, r->base + p->dst + (ptrdiff_t)o * p->r, p->r);
}

/* One row, which stays in the cache for all three passes: the mean, the variance about it, the result. */
static void normalized(const float *x, float *y, int n, float epsilon, const float *gamma, const float *beta) {
  f4 mean = splat(whole(R_SUM, x, n) / (float)n), s[4] = {splat(0), splat(0), splat(0), splat(0)};
  int i = 0;
  for (; i + 16 <= n; i += 16)
    for (int j = 0; j < 4; j++) {
      f4 d = load(x + i + 4 * j) - mean;
      s[j] = madd(s[j], d, d);
    }
  for (; i + 4 <= n; i += 4) {
    f4 d = load(x + i) - mean;
    s[0] = madd(s[0], d, d);
  }
  float sum = across(R_SUM, s[0] + s[1] + (s[2] + s[3]))[0];
  for (; i < n; i++) sum += (x[i] - mean[0]) * (x[i] - mean[0]);
  f4 scale = 1.f / vsqrt(splat(sum / (float)n + epsilon));
  for (i = 0; i + 4 <= n; i += 4) {
    f4 v = (load(x + i) - mean) * scale;
    if (gamma) v *= load(gamma + i);
    store(y + i, beta ? v + load(beta + i) : v);
  }
  for (; i < n; i++) {
    float v = (x[i] - mean[0]) * scale[0] * (gamma ? gamma[i] : 1);
    y[i] = beta ? v + beta[i] : v;
  }
}

void norm(Run *r, const Norm *p) {
  int rows = MAX(1, 4096 / p->r);
  const float *gamma = p->gamma < 0 ? 0 : r->base + p->gamma, *beta = p->beta < 0 ? 0 : r->base + p->beta;
  float *dst = r->base + p->dst;
  for (int i; (i = task(r)) < (p->outer + rows - 1) / rows;) {
    int end = MIN(p->outer, (i + 1) * rows);
    for (int o = i * rows; o < end; o++) normalized(r->base + p->src + (ptrdiff_t)o * p->r, dst + (ptrdiff_t)o * p->r, p->r, p->epsilon, gamma, beta);
    if (p->map) map_range(r, (const Map *)(&p->op + p->map), dst, i * rows * p->r, end * p->r);
  }
}
