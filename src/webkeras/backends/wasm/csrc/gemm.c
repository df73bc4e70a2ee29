/* Matrix product on packed panels of 8 columns, with the epilogue applied while the tile is in registers.
   A tile is 4 rows by 8 columns: 8 sums, 2 of b and one of a fit the 16 registers of x86 (5 and 6 rows spill, and were slower). */
#include "wk.h"

typedef uint16_t h8 __attribute__((vector_size(16)));
typedef int8_t b8 __attribute__((vector_size(8)));
typedef int16_t s8 __attribute__((vector_size(16)));

enum { MC = 128, KC = 256 };  /* a block of a is 128 kB: it stays in L2 while panels of b (8 kB) pass through L1 */

Finish finish(const Run *r, const Epilogue *e, const int32_t *instruction) {
  Finish f = {e->bias < 0 ? 0 : r->base + e->bias, e->residual < 0 ? 0 : r->base + e->residual, splat(e->low), splat(e->high),
              e->map ? (const Map *)(instruction + e->map) : 0};
  return f;
}

INLINE void tile(const int rows, const float *a, ptrdiff_t lda, int k, const float *b, float *c, ptrdiff_t ldc, const float *bias, int first,
                 const Finish *end, const float *residual, ptrdiff_t ldr) {
  f4 s0[4], s1[4];
#pragma GCC unroll 4
  for (int i = 0; i < rows; i++) {
    s0[i] = first ? (bias ? load(bias) : splat(0)) : load(c + i * ldc);
    s1[i] = first ? (bias ? load(bias + 4) : splat(0)) : load(c + i * ldc + 4);
  }
  for (const float *stop = a + k; a < stop; a++, b += 8) {
    f4 b0 = load(b), b1 = load(b + 4);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) {
      f4 x = splat(a[i * lda]);
      s0[i] = madd(s0[i], x, b0);
      s1[i] = madd(s1[i], x, b1);
    }
  }
  if (end) {
    if (residual)
#pragma GCC unroll 4
      for (int i = 0; i < rows; i++) {
        s0[i] += load(residual + i * ldr);
        s1[i] += load(residual + i * ldr + 4);
      }
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) {
      s0[i] = below(above(s0[i], end->low), end->high);
      s1[i] = below(above(s1[i], end->low), end->high);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < rows; i++) {
    store(c + i * ldc, s0[i]);
    store(c + i * ldc + 4, s1[i]);
  }
}

/* The last panel, with fewer than 8 columns: through a buffer, element by element at the end. */
static void narrow(int rows, const float *a, ptrdiff_t lda, int k, const float *b, float *c, ptrdiff_t ldc, int columns, const float *bias, int first,
                   const Finish *end, const float *residual) {
  float t[8];
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < 8; j++) t[j] = j >= columns ? 0 : first ? (bias ? bias[j] : 0) : c[i * ldc + j];
    tile(1, a + i * lda, lda, k, b, t, 8, 0, 0, 0, 0, 0);
    for (int j = 0; j < columns; j++) {
      float y = t[j];
      if (end) {
        if (residual) y += residual[i * ldc + j];
        if (y < end->low[0]) y = end->low[0];
        if (end->high[0] < y) y = end->high[0];
      }
      c[i * ldc + j] = y;
    }
  }
}

/* ---- weights that are not kept as floats: row i of a panel, widened in registers ---- */

typedef struct { f4 low, high; } Eight;

/* A 16-bit float in the upper half of its lane, as a 32-bit one. */
INLINE f4 widened(i4 bits, const int finite) {
  f4 v = (f4)(bits >> 3 & (int32_t)0x8fffffff) * 0x1p112f;  /* the exponent's other bias; small numbers too */
  return finite ? v : (f4)((i4)v | (((bits & 0x7fffffff) >= 0x7c000000) & 0x7f800000));
}

INLINE int stride(const int format) { return 8 >> format; }  /* floats a row of a panel takes */
INLINE const float *begin(const int format, const float *panel, int k) { return panel + (format == FLOATS ? 0 : HEAD) + (ptrdiff_t)k * stride(format); }

#ifdef __wasm__
INLINE Eight shorts(s8 h) { return (Eight){vfloat((i4)wasm_i32x4_extend_low_i16x8((v128_t)h)), vfloat((i4)wasm_i32x4_extend_high_i16x8((v128_t)h))}; }
#else
INLINE Eight shorts(s8 h) { return (Eight){(f4){h[0], h[1], h[2], h[3]}, (f4){h[4], h[5], h[6], h[7]}}; }
#endif

/* Bytes as they are, without scale and offset. */
INLINE Eight eight(const int format, const int finite, const float *p) {
  if (format == FLOATS) return (Eight){load(p), load(p + 4)};
  h8 none = {0};
  if (format == HALVES) {
    h8 h = (h8)load(p);
    return (Eight){widened((i4)__builtin_shufflevector(none, h, 0, 8, 1, 9, 2, 10, 3, 11), finite),
                   widened((i4)__builtin_shufflevector(none, h, 4, 12, 5, 13, 6, 14, 7, 15), finite)};
  }
  b8 b;
  __builtin_memcpy(&b, p, 8);
  return shorts(__builtin_convertvector(b, s8));
}

INLINE void widen_as(const int format, const int finite, const float *p, int k0, int k, float *to) {
  Eight scale = {load(p), load(p + 4)}, offset = {load(p + 8), load(p + 12)};
  p = begin(format, p, k0);
  for (int i = 0; i < k; i++, to += 8, p += stride(format)) {
    Eight e = eight(format, finite, p);
    store(to, format == BYTES ? madd(offset.low, e.low, scale.low) : e.low);
    store(to + 4, format == BYTES ? madd(offset.high, e.high, scale.high) : e.high);
  }
}

/* k rows of a panel. */
static void widen(const Packed *w, const float *p, int k, float *to) {
  if (w->format == BYTES) widen_as(BYTES, 1, p, w->k0, k, to);
  else if (*p == 1) widen_as(HALVES, 1, p, w->k0, k, to);
  else widen_as(HALVES, 0, p, w->k0, k, to);
}

/* One row of a: b is read once, so four panels at a time keep eight sums busy. Bytes are summed as they are: their
   scale is for the sum, their offset for a sum of a. */
INLINE void row_as(const int format, const float *a, int k, const Packed *w, const float *p, float *c, const float *bias, int first, const Finish *end, const float *residual) {
  f4 s[8], total = splat(0);
#pragma GCC unroll 8
  for (int j = 0; j < 8; j++) s[j] = format == BYTES ? splat(0) : first ? (bias ? load(bias + 4 * j) : splat(0)) : load(c + 4 * j);
  ptrdiff_t step = w->step;
  const float *head = p;
  p = begin(format, p, w->k0);
  for (int i = 0; i < k; i++, p += stride(format)) {
    f4 x = splat(a[i]);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
      Eight e = eight(format, 1, p + j * step);
      s[2 * j] = madd(s[2 * j], x, e.low);
      s[2 * j + 1] = madd(s[2 * j + 1], x, e.high);
    }
    if (format == BYTES) total += x;
  }
#pragma GCC unroll 8
  for (int j = 0; j < 8; j++) {
    if (format == BYTES) {
      const float *scale = head + (j >> 1) * step + (j & 1) * 4;
      f4 start = first ? (bias ? load(bias + 4 * j) : splat(0)) : load(c + 4 * j);
      s[j] = madd(madd(start, total, load(scale + 8)), s[j], load(scale));
    }
    if (end) {
      if (residual) s[j] += load(residual + 4 * j);
      s[j] = below(above(s[j], end->low), end->high);
    }
    store(c + 4 * j, s[j]);
  }
}

/* 32 columns of one row, or 0 where they cannot be had at once. */
static int row(const float *a, int k, const Packed *w, const float *p, float *c, const float *bias, int first, const Finish *end, const float *residual) {
  if (w->format == FLOATS) row_as(FLOATS, a, k, w, p, c, bias, first, end, residual);
  else if (w->format == BYTES) row_as(BYTES, a, k, w, p, c, bias, first, end, residual);
  else if (p[0] == 1 && p[w->step] == 1 && p[2 * w->step] == 1 && p[3 * w->step] == 1) row_as(HALVES, a, k, w, p, c, bias, first, end, residual);
  else return 0;
  return 1;
}

void gemm(const float *a, ptrdiff_t lda, int m, int k, const Packed *w, float *c, ptrdiff_t ldc, int n, int first, int last, const Finish *f) {
  const Finish *end = last ? f : 0;
  const float *p = w->panels;
  for (int j = 0; j < n; j += 8, p += w->step) {
    const float *bias = f->bias ? f->bias + j : 0, *residual = f->residual ? f->residual + j : 0, *b = p + (ptrdiff_t)w->k0 * 8;
    if (m == 1 && n - j >= 32 && row(a, k, w, p, c + j, bias, first, end, residual)) {
      j += 24;
      p += 3 * w->step;
      continue;
    }
    if (w->format != FLOATS) {
      widen(w, p, k, w->room);
      b = w->room;
    }
    if (n - j < 8) {
      narrow(m, a, lda, k, b, c + j, ldc, n - j, bias, first, end, residual);
      continue;
    }
    int i = 0;
    for (; i + 4 <= m; i += 4) tile(4, a + i * lda, lda, k, b, c + i * ldc + j, ldc, bias, first, end, residual ? residual + i * ldc : 0, ldc);
    const float *rest = residual ? residual + i * ldc : 0;
    if (m - i == 3) tile(3, a + i * lda, lda, k, b, c + i * ldc + j, ldc, bias, first, end, rest, ldc);
    if (m - i == 2) tile(2, a + i * lda, lda, k, b, c + i * ldc + j, ldc, bias, first, end, rest, ldc);
    if (m - i == 1) tile(1, a + i * lda, lda, k, b, c + i * ldc + j, ldc, bias, first, end, rest, ldc);
  }
}

/* A grid of blocks over (rows, columns): few rows are split by columns where there are threads to feed. */
typedef struct { int rows, columns, high, wide; } Grid;

static Grid grid(const Run *r, int m, int n) {
  int high = MIN(MC, m), panels = (n + 7) / 8;
  if (r->threads > 1 && m >= 64 * r->threads) high = MIN(high, ((m + r->threads - 1) / r->threads + 3) & ~3);
  int rows = (m + high - 1) / high, columns = 1;
  if (r->threads > 1 && rows < 2 * r->threads) columns = MIN(panels, (2 * r->threads + rows - 1) / rows);
  int wide = (panels + columns - 1) / columns * 8;
  return (Grid){rows, (n + wide - 1) / wide, high, wide};
}

static int depth(int k) {  /* of equal blocks of at most KC */
  int blocks = (k + KC - 1) / KC;
  return blocks ? (k + blocks - 1) / blocks : 1;
}

static void ends(Run *r, const Finish *f, float *dst, ptrdiff_t ldc, int m0, int m1, int n0, int n1) {
  if (!f->map) return;
  if (n0 == 0 && n1 == ldc) {
    map_range(r, f->map, dst, m0 * n1, m1 * n1);
    return;
  }
  for (int i = m0; i < m1; i++) map_range(r, f->map, dst, (int)(i * ldc) + n0, (int)(i * ldc) + n1);
}

static Finish moved(const Finish *f, ptrdiff_t element, int column) {
  Finish g = *f;
  if (g.bias) g.bias += column;
  if (g.residual) g.residual += element;
  return g;
}

void gemm_batches(Run *r, const Gemm *g) {
  Finish f = finish(r, &g->end, &g->op);
  Grid t = grid(r, g->m, g->n);
  int batches = g->batch[0] * g->batch[1] * g->batch[2] * g->batch[3], kc = depth(g->k);
  Packed w = {0, panel(g->format, g->k), g->format, 0, r->scratch};
  for (int i; (i = task(r)) < batches * t.rows * t.columns;) {
    int batch = i / (t.rows * t.columns), m0 = i / t.columns % t.rows * t.high, n0 = i % t.columns * t.wide;
    int m = MIN(t.high, g->m - m0), n = MIN(t.wide, g->n - n0);
    const float *a = r->base + g->a, *b = r->base + g->b;
    for (int d = 3, rest = batch; d >= 0; rest /= g->batch[d--]) {
      a += (ptrdiff_t)(rest % g->batch[d]) * g->a_step[d];
      b += (ptrdiff_t)(rest % g->batch[d]) * g->b_step[d];
    }
    float *dst = r->base + g->dst;
    ptrdiff_t at = ((ptrdiff_t)batch * g->m + m0) * g->n + n0;
    Finish here = moved(&f, at, n0);
    w.panels = b + n0 / 8 * w.step;
    for (w.k0 = 0; w.k0 == 0 || w.k0 < g->k; w.k0 += kc)
      gemm(a + (ptrdiff_t)m0 * g->k + w.k0, g->k, m, MIN(kc, g->k - w.k0), &w, dst + at, g->n, n, w.k0 == 0, w.k0 + kc >= g->k, &here);
    ends(r, &f, dst, g->n, batch * g->m + m0, batch * g->m + m0 + m, n0, n0 + n);
  }
}

/* ---- attention: a few queries at a time, whose scores stay in the cache ---- */

static void product(const float *a, int m, int k, const float *panels, float *c, int n) {
  Finish none = {0, 0, splat(-__builtin_inff()), splat(__builtin_inff()), 0};
  Packed w = {panels, panel(FLOATS, k), FLOATS, 0, 0};
  int kc = depth(k);
  for (w.k0 = 0; w.k0 < k; w.k0 += kc) gemm(a + w.k0, k, m, MIN(kc, k - w.k0), &w, c, n, n, w.k0 == 0, w.k0 + kc >= k, &none);
}

void attention(Run *r, const Attention *p) {
  enum { HIGH = 32 };
  int blocks = (p->t + HIGH - 1) / HIGH;
  float *scores = r->scratch;
  Run inner = *r;
  inner.scratch += HIGH * p->s;
  for (int i; (i = task(r)) < p->n * blocks;) {
    int batch = i / blocks, first = batch * p->t + i % blocks * HIGH, rows = MIN(HIGH, p->t - i % blocks * HIGH), low = first * p->s;
    product(r->base + p->q + (ptrdiff_t)first * p->c, rows, p->c, r->base + p->k + (ptrdiff_t)batch * ((p->s + 7) / 8) * panel(FLOATS, p->c), scores, p->s);
    float *all = (float *)((uintptr_t)scores - (uintptr_t)low * sizeof(float)); /* where the scores would begin */
    if (p->map) map_range(&inner, (const Map *)(&p->op + p->map), all, low, low + rows * p->s);
    for (int j = 0; j < rows; j++) softmax_row(scores + (ptrdiff_t)j * p->s, scores + (ptrdiff_t)j * p->s, p->s);
    product(scores, rows, p->s, r->base + p->v + (ptrdiff_t)batch * ((p->f + 7) / 8) * panel(FLOATS, p->s), r->base + p->dst + (ptrdiff_t)first * p->f, p->f);
  }
}

/* ---- convolution as a product: rows are output pixels, k runs over taps and channels ---- */

/* Write elements k0 .. k1 of the patches matrix's rows m0 .. m0 + rows, one after another. A run is what lies contiguously in x:
   a row of the window where its columns are neighbours, the channels of one tap otherwise. */
static void patches(const Window *w, const float *x, int m0, int rows, int group, int k0, int k1, float *to) {
  int c = w->c / w->groups, merged = w->groups == 1 && w->dilation[2] == 1 && !w->fn, across = merged ? 1 : w->kernel[2];
  int run = merged ? w->kernel[2] * c : c, o[3], n = m0, first[3];
  for (int d = 2; d >= 0; n /= w->out[d--]) o[d] = n % w->out[d];
  int tap = k0 / run, skip = k0 - tap * run;
  first[2] = tap % across;
  first[1] = tap / across % w->kernel[1];
  first[0] = tap / across / w->kernel[1];
  ptrdiff_t line = (ptrdiff_t)w->in[2] * w->c;
  const float *image = x + (ptrdiff_t)n * w->in[0] * w->in[1] * line;
  for (int m = 0; m < rows; m++) {
    int t[3] = {first[0], first[1], first[2]}, from = skip, i[3];
    for (int k = k0; k < k1; from = 0) {
      int length = MIN(run - from, k1 - k), inside = 1;
      for (int d = 0; d < 3; d++) {
        if (w->fn) {
          int at = o[d] + w->before[d] - t[d] * w->dilation[d];
          i[d] = at / w->stride[d];
          inside &= at >= 0 && i[d] * w->stride[d] == at;
        } else {
          i[d] = o[d] * w->stride[d] - w->before[d] + t[d] * w->dilation[d];
        }
        inside &= (d == 2 && merged) || (unsigned)i[d] < (unsigned)w->in[d];
      }
      int low = length, high = length;
      const float *source = x;
      if (inside) {
        int begin = i[2] * w->c + group * c + from;
        source = image + ((ptrdiff_t)i[0] * w->in[1] + i[1]) * line + begin;
        low = begin < 0 ? MIN(-begin, length) : 0;
        high = MAX(MIN(length, (int)line - begin), low);
      }
      int j = 0;
      for (; j < low; j++) to[j] = 0;
      for (; j + 4 <= high; j += 4) store(to + j, load(source + j));
      for (; j < high; j++) to[j] = source[j];
      for (; j < length; j++) to[j] = 0;
      to += length;
      k += length;
      if (++t[2] == across) {
        t[2] = 0;
        if (++t[1] == w->kernel[1]) t[1] = 0, t[0]++;
      }
    }
    if (++o[2] == w->out[2]) {
      o[2] = 0;
      if (++o[1] == w->out[1]) {
        o[1] = 0;
        if (++o[0] == w->out[0]) o[0] = 0, image += (ptrdiff_t)w->in[0] * w->in[1] * line;
      }
    }
  }
}

void conv(Run *r, const Window *w) {
  Finish f = finish(r, &w->end, &w->op);
  int c = w->c / w->groups, columns = w->f / w->groups, taps = w->kernel[0] * w->kernel[1] * w->kernel[2], k = taps * c;
  int m = w->n * w->out[0] * w->out[1] * w->out[2], kc = depth(k), plain = taps == 1;
  for (int d = 0; d < 3; d++) plain &= w->stride[d] == 1 && w->before[d] == 0 && w->in[d] == w->out[d];
  Grid t = grid(r, m, columns);
  Packed packed = {0, panel(w->format, k), w->format, 0, r->scratch + MC * KC};
  ptrdiff_t group_step = (columns + 7) / 8 * packed.step;
  float *dst = r->base + w->dst;
  for (int i; (i = task(r)) < w->groups * t.rows * t.columns;) {
    int group = i / (t.rows * t.columns), m0 = i / t.columns % t.rows * t.high, n0 = i % t.columns * t.wide;
    int rows = MIN(t.high, m - m0), n = MIN(t.wide, columns - n0), column = group * columns + n0;
    packed.panels = r->base + w->weights + group * group_step + n0 / 8 * packed.step;
    ptrdiff_t at = (ptrdiff_t)m0 * w->f + column;
    Finish here = moved(&f, at, column);
    for (int k0 = 0; k0 < k; k0 += kc) {
      int kn = MIN(kc, k - k0);
      const float *a = r->base + w->src + (ptrdiff_t)m0 * w->c + group * c + k0;
      ptrdiff_t lda = w->c;
      if (!plain) {
        patches(w, r->base + w->src, m0, rows, group, k0, k0 + kn, r->scratch);
        a = r->scratch;
        lda = kn;
      }
      packed.k0 = k0;
      gemm(a, lda, rows, kn, &packed, dst + at, w->f, n, k0 == 0, k0 + kn >= k, &here);
    }
    ends(r, &f, dst, w->f, m0, m0 + rows, column, column + n);
  }
}
