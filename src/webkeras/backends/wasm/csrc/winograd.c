/* 3x3 convolutions of stride 1 as Winograd's F(4x4, 3x3): 36 products on tiles of 6x6 make 4x4 results, a quarter of the multiplications.
   The points are 0, +-sqrt(1/2), +-sqrt 2 and infinity, which round better than 0, +-1, +-2 (tests/bench/wasm/README.md).
   Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015; Toom and Cook's construction for the points. */
#include "wk.h"

#define A 0.70710678f
#define B 1.41421356f

/* The transform of six values for the input, in place: rows are the products of (x - q) over the other points q. */
INLINE void into(f4 *d, const int s) {
  f4 x0 = d[0], x1 = d[s], x2 = d[2 * s], x3 = d[3 * s], x4 = d[4 * s], x5 = d[5 * s];
  f4 e = x4 - x2 * 2.f, g = x3 * A - x1 * B, h = x4 - x2 * .5f, k = x3 * B - x1 * A;
  d[0] = x0 - x2 * 2.5f + x4;
  d[s] = e + g;
  d[2 * s] = e - g;
  d[3 * s] = h + k;
  d[4 * s] = h - k;
  d[5 * s] = x1 - x3 * 2.5f + x5;
}

/* Six products to four results: rows are the powers of the points. */
INLINE void outof(const f4 *m, const int s, f4 *y, const int t) {
  f4 p = m[s] + m[2 * s], q = m[s] - m[2 * s], u = m[3 * s] + m[4 * s], v = m[3 * s] - m[4 * s];
  y[0] = m[0] + p + u;
  y[t] = q * A + v * B;
  y[2 * t] = p * .5f + u * 2.f;
  y[3 * t] = q * (A * .5f) + v * (B * 2.f) + m[5 * s];
}

/* Three weights to six: the powers of a point over the product of its distances from the others. */
static void weigh(const float *g, int s, float *u, int t) {
  float a = (g[0] + g[2 * s] * .5f) * (-2.f / 3), b = g[s] * A * (-2.f / 3), c = (g[0] + g[2 * s] * 2.f) * (1.f / 6), d = g[s] * B * (1.f / 6);
  u[0] = g[0];
  u[t] = a + b;
  u[2 * t] = a - b;
  u[3 * t] = c + d;
  u[4 * t] = c - d;
  u[5 * t] = g[2 * s];
}

/* w (3, 3, c, f) becomes 36 packed matrices (c, f). */
void winograd_pack(Run *r, const Pack *p) {
  int panels = (p->f + 7) / 8;
  for (int i; (i = task(r)) < panels;) {
    float *to = r->base + p->dst + (ptrdiff_t)i * p->c * 8;
    for (int c = 0; c < p->c; c++, to += 8)
      for (int j = 0; j < 8; j++) {
        float g[9], half[18], u[36];
        for (int tap = 0; tap < 9; tap++)
          g[tap] = i * 8 + j < p->f ? r->base[p->src + (ptrdiff_t)tap * p->tap_step + (ptrdiff_t)c * p->c_step + (ptrdiff_t)(i * 8 + j) * p->f_step] : 0;
        for (int x = 0; x < 3; x++) weigh(g + x, 3, half + x, 3);
        for (int y = 0; y < 6; y++) weigh(half + 3 * y, 1, u + 6 * y, 1);
        for (int q = 0; q < 36; q++) to[(ptrdiff_t)q * p->dst_step + j] = u[q];
      }
  }
}

typedef struct { int n, y, x; } Place;

static Place place(const Window *w, int tile) {
  int across = (w->out[2] + 3) / 4, down = (w->out[1] + 3) / 4;
  return (Place){tile / (across * down), tile / across % down * 4, tile % across * 4};
}

static void read_tile(const Window *w, const float *x, Place at, float *v, ptrdiff_t step) {
  int y0 = at.y - w->before[1], x0 = at.x - w->before[2];
  int inside = y0 >= 0 && x0 >= 0 && y0 + 6 <= w->in[1] && x0 + 6 <= w->in[2];
  ptrdiff_t line = (ptrdiff_t)w->in[2] * w->c;
  x += (ptrdiff_t)at.n * w->in[1] * line;
  for (int c = 0; c < w->c; c += 4) {
    f4 d[36];
    if (inside) {
      const float *from = x + y0 * line + (ptrdiff_t)x0 * w->c + c;
      for (int i = 0; i < 6; i++, from += line)
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++) d[6 * i + j] = load(from + j * w->c);
    } else {
      for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) {
          int there = y0 + i >= 0 && y0 + i < w->in[1] && x0 + j >= 0 && x0 + j < w->in[2];
          d[6 * i + j] = there ? load(x + (y0 + i) * line + (ptrdiff_t)(x0 + j) * w->c + c) : splat(0);
        }
    }
    for (int j = 0; j < 6; j++) into(d + j, 6);
    for (int i = 0; i < 6; i++) {
      into(d + 6 * i, 1);
#pragma GCC unroll 6
      for (int j = 0; j < 6; j++) store(v + (6 * i + j) * step + c, d[6 * i + j]);
    }
  }
}

static void write_tile(const Window *w, const float *m, ptrdiff_t step, Place at, float *dst, const Finish *f) {
  int high = MIN(4, w->out[1] - at.y), wide = MIN(4, w->out[2] - at.x);
  ptrdiff_t corner = (((ptrdiff_t)at.n * w->out[1] + at.y) * w->out[2] + at.x) * w->f, line = (ptrdiff_t)w->out[2] * w->f;
  for (int c = 0; c < w->f; c += 4) {
    f4 d[6], half[24], y[16], bias = f->bias ? load(f->bias + c) : splat(0);
    for (int j = 0; j < 6; j++) {
#pragma GCC unroll 6
      for (int i = 0; i < 6; i++) d[i] = load(m + (6 * i + j) * step + c);
      outof(d, 1, half + j, 6);
    }
    for (int i = 0; i < 4; i++) outof(half + 6 * i, 1, y + 4 * i, 1);
    for (int i = 0; i < high; i++)
      for (int j = 0; j < wide; j++) {
        ptrdiff_t to = corner + i * line + (ptrdiff_t)j * w->f + c;
        f4 s = y[4 * i + j] + bias;
        if (f->residual) s += load(f->residual + to);
        store(dst + to, below(above(s, f->low), f->high));
      }
  }
}

/* The tiles first .. first + n of the output, from their products. */
static void finished(Run *r, const Window *w, const float *m, ptrdiff_t step, int first, int n, const Finish *f) {
  float *dst = r->base + w->dst;
  for (int t = 0; t < n; t++) write_tile(w, m + (ptrdiff_t)t * w->f, step, place(w, first + t), dst, f);
  for (int t = 0; t < n && f->map; t++) {
    Place at = place(w, first + t);
    for (int y = at.y; y < MIN(at.y + 4, w->out[1]); y++) {
      int from = ((at.n * w->out[1] + y) * w->out[2] + at.x) * w->f;
      map_range(r, f->map, dst, from, from + MIN(4, w->out[2] - at.x) * w->f);
    }
  }
}

static int tiles_of(const Window *w) { return w->n * ((w->out[1] + 3) / 4) * ((w->out[2] + 3) / 4); }

/* Large kernels are read once for all tiles: the transforms and the 36 products (GEMM) are instructions of their own. */
void winograd_in(Run *r, const Window *w) {
  int tiles = tiles_of(w);
  for (int t; (t = task(r)) < tiles;) read_tile(w, r->base + w->src, place(w, t), r->base + w->dst + (ptrdiff_t)t * w->c, (ptrdiff_t)tiles * w->c);
}

void winograd_out(Run *r, const Window *w) {
  Finish f = finish(r, &w->end, &w->op);
  int tiles = tiles_of(w);
  for (int t; (t = task(r)) < tiles;) finished(r, w, r->base + w->src + (ptrdiff_t)t * w->f, (ptrdiff_t)tiles * w->f, t, 1, &f);
}

/* Of the blocks of at most `most` tiles, the largest that leaves every thread with as many of them. */
static int balanced(int tiles, int most, int threads) {
  int each = (tiles + most * threads - 1) / (most * threads);
  return threads == 1 ? most : MAX(4, MIN(most, ((tiles + each * threads - 1) / (each * threads) + 3) & ~3));
}

void winograd(Run *r, const Window *w) {
  Finish f = finish(r, &w->end, &w->op), none = {0, 0, splat(-__builtin_inff()), splat(__builtin_inff()), 0};
  int tiles = tiles_of(w), kc = 256, block = balanced(tiles, w->fn, r->threads);
  ptrdiff_t u_step = (ptrdiff_t)((w->f + 7) / 8) * 8 * w->c;
  Packed packed = {0, (ptrdiff_t)w->c * 8, FLOATS, 0, 0};
  for (int i; (i = task(r)) < (tiles + block - 1) / block;) {
    int first = i * block, n = MIN(block, tiles - first);
    ptrdiff_t v_step = (ptrdiff_t)n * w->c, m_step = (ptrdiff_t)n * w->f;
    float *v = r->scratch, *m = v + 36 * v_step;
    for (int t = 0; t < n; t++) read_tile(w, r->base + w->src, place(w, first + t), v + (ptrdiff_t)t * w->c, v_step);
    for (int q = 0; q < 36; q++) {
      packed.panels = r->base + w->weights + q * u_step;
      for (int k = 0; k < w->c; k += kc) {
        packed.k0 = k;
        gemm(v + q * v_step + k, w->c, n, MIN(kc, w->c - k), &packed, m + q * m_step, w->f, w->f, k == 0, k + kc >= w->c, &none);
      }
    }
    finished(r, w, m, m_step, first, n, &f);
  }
}
