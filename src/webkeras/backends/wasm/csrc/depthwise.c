/* Depthwise convolution: output channel j reads input channel j / (f / c). Sums stay in registers, channels are the inner loop,
   so both x and the kernel are read in order. */
#include "wk.h"

typedef struct { int from, to; } Range;

/* The taps of output position o that fall inside the image on axis d. */
static Range taps(const Window *w, int d, int o) {
  int start = o * w->stride[d] - w->before[d], step = w->dilation[d];
  int from = start < 0 ? (-start + step - 1) / step : 0, room = w->in[d] - start;
  int to = room <= 0 ? 0 : MIN(w->kernel[d], (room + step - 1) / step);
  return (Range){from, MAX(from, to)};
}

/* `wide` output pixels next to each other, whose taps on the last axis are all inside; rows of the window are given. */
INLINE void pixels(const int wide, const int kw, const int stride, const Window *w, const float *x, ptrdiff_t line, const float *kernel, int rows, float *y, const Finish *f,
                   ptrdiff_t at) {
  int c = w->c;
  for (int j = 0; j < c; j += 4) {
    f4 sum[4];
#pragma GCC unroll 4
    for (int p = 0; p < wide; p++) sum[p] = f->bias ? load(f->bias + j) : splat(0);
    const float *from = x + j, *k = kernel + j;
    for (int i = 0; i < rows; i++, from += line, k += kw * c) {
#pragma GCC unroll 16
      for (int q = 0; q < (wide - 1) * stride + kw; q++) {
        f4 v = load(from + q * c);
#pragma GCC unroll 4
        for (int p = 0; p < wide; p++)
          if (q - p * stride >= 0 && q - p * stride < kw) sum[p] = madd(sum[p], v, load(k + (q - p * stride) * c));
      }
    }
#pragma GCC unroll 4
    for (int p = 0; p < wide; p++) {
      f4 s = sum[p];
      if (f->residual) s += load(f->residual + at + p * c + j);
      store(y + p * c + j, below(above(s, f->low), f->high));
    }
  }
}

/* Any pixel, kernel, dilation and multiplier. */
static void pixel(const Window *w, const float *x, const float *kernel, const int *o, float *y, const Finish *f, ptrdiff_t at) {
  Range t[3];
  const float *origin = x;
  for (int d = 0; d < 3; d++) t[d] = taps(w, d, o[d]);
  int start = o[2] * w->stride[2] - w->before[2], each = w->f / w->c;
  for (int j = 0; j < w->f;) {
    int vector = each == 1 && j + 4 <= w->f;
    f4 sum = f->bias ? (vector ? load(f->bias + j) : splat(f->bias[j])) : splat(0);
    for (int a = t[0].from; a < t[0].to; a++)
      for (int b = t[1].from; b < t[1].to; b++) {
        int i0 = o[0] * w->stride[0] - w->before[0] + a * w->dilation[0], i1 = o[1] * w->stride[1] - w->before[1] + b * w->dilation[1];
        const float *line = origin + ((ptrdiff_t)i0 * w->in[1] + i1) * w->in[2] * w->c;
        const float *k = kernel + ((ptrdiff_t)a * w->kernel[1] + b) * w->kernel[2] * w->f;
        for (int e = t[2].from; e < t[2].to; e++) {
          const float *v = line + (ptrdiff_t)(start + e * w->dilation[2]) * w->c + j / each, *kv = k + (ptrdiff_t)e * w->f + j;
          sum = vector ? madd(sum, load(v), load(kv)) : madd(sum, splat(*v), splat(*kv));
        }
      }
    if (f->residual) sum += vector ? load(f->residual + at + j) : splat(f->residual[at + j]);
    sum = below(above(sum, f->low), f->high);
    if (vector) store(y + j, sum);
    else y[j] = sum[0];
    j += vector ? 4 : 1;
  }
}

void depthwise(Run *r, const Window *w) {
  Finish f = finish(r, &w->end, &w->op);
  int kw = w->kernel[2], s = w->stride[2], lines = w->n * w->out[0] * w->out[1], high = MAX(1, MIN(8, lines / (4 * r->threads)));
  int quick = w->f == w->c && w->c % 4 == 0 && w->dilation[2] == 1 && w->dilation[1] == 1 && w->kernel[0] == 1 && w->stride[0] == 1 && w->before[0] == 0;
  quick = !quick ? 0 : kw == 3 && s <= 2 ? s : kw == 5 && s <= 2 ? 2 + s : 0;
  const float *kernel = r->base + w->weights;
  float *dst = r->base + w->dst;
  ptrdiff_t line = (ptrdiff_t)w->in[2] * w->c;
  int safe0 = MIN((w->before[2] + s - 1) / s, w->out[2]), safe1 = w->in[2] + w->before[2] < kw ? 0 : MIN(w->out[2], (w->in[2] + w->before[2] - kw) / s + 1);
  for (int i; (i = task(r)) < (lines + high - 1) / high;) {
    int end = MIN(lines, (i + 1) * high);
    for (int l = i * high; l < end; l++) {
      int o[3] = {l / w->out[1] % w->out[0], l % w->out[1], 0}, n = l / w->out[1] / w->out[0];
      const float *x = r->base + w->src + (ptrdiff_t)n * w->in[0] * w->in[1] * line;
      Range rows = taps(w, 1, o[1]);
      const float *first = x + ((ptrdiff_t)o[0] * w->in[1] + o[1] * w->stride[1] - w->before[1] + rows.from) * line, *k = kernel + (ptrdiff_t)rows.from * kw * w->f;
      while (o[2] < w->out[2]) {
        ptrdiff_t at = ((ptrdiff_t)l * w->out[2] + o[2]) * w->f;
        int room = quick && o[2] >= safe0 ? safe1 - o[2] : 0;
        const float *from = room > 0 ? first + (ptrdiff_t)(o[2] * s - w->before[2]) * w->c : first;
        int height = rows.to - rows.from;
        if (room >= 4 && quick == 1) pixels(4, 3, 1, w, from, line, k, height, dst + at, &f, at);
        else if (room >= 4 && quick == 3) pixels(4, 5, 1, w, from, line, k, height, dst + at, &f, at);
        else if (room >= 4 && quick == 2) pixels(4, 3, 2, w, from, line, k, height, dst + at, &f, at);
        else if (room >= 4 && quick == 4) pixels(4, 5, 2, w, from, line, k, height, dst + at, &f, at);
        else if (room >= 2 && quick == 1) room = 2, pixels(2, 3, 1, w, from, line, k, height, dst + at, &f, at);
        else if (room >= 2 && quick == 3) room = 2, pixels(2, 5, 1, w, from, line, k, height, dst + at, &f, at);
        else room = 1, pixel(w, x, kernel, o, dst + at, &f, at);
        o[2] += MIN(room, 4);
      }
    }
    if (f.map) map_range(r, f.map, dst, i * high * w->out[2] * w->f, end * w->out[2] * w->f);
  }
}

/* The max, or the mean of what lies inside the image, of every window. */
void pool(Run *r, const Window *w) {
  int lines = w->n * w->out[0] * w->out[1], c = w->c;
  for (int l; (l = task(r)) < lines;) {
    int o0 = l / w->out[1] % w->out[0], o1 = l % w->out[1], n = l / w->out[1] / w->out[0];
    const float *x = r->base + w->src + (ptrdiff_t)n * w->in[0] * w->in[1] * w->in[2] * c;
    Range t0 = taps(w, 0, o0), t1 = taps(w, 1, o1);
    for (int o2 = 0; o2 < w->out[2]; o2++) {
      Range t2 = taps(w, 2, o2);
      float *y = r->base + w->dst + ((ptrdiff_t)l * w->out[2] + o2) * c;
      float count = (float)((t0.to - t0.from) * (t1.to - t1.from) * (t2.to - t2.from));
      for (int j = 0; j < c;) {
        int vector = j + 4 <= c;
        f4 sum = splat(w->fn == P_MAX ? -__builtin_inff() : 0);
        i4 bad = {0};  /* NaN wins, but a maximum that looks for it at every step is slow */
        for (int a = t0.from; a < t0.to; a++)
          for (int b = t1.from; b < t1.to; b++) {
            int i0 = o0 * w->stride[0] - w->before[0] + a, i1 = o1 * w->stride[1] - w->before[1] + b, i2 = o2 * w->stride[2] - w->before[2];
            const float *v = x + (((ptrdiff_t)i0 * w->in[1] + i1) * w->in[2] + i2 + t2.from) * c + j;
            for (int e = t2.from; e < t2.to; e++, v += c) {
              f4 u = vector ? load(v) : splat(*v);
              bad |= u != u;
              sum = w->fn == P_MAX ? above(u, sum) : sum + u;
            }
          }
        if (w->fn == P_MEAN) sum /= count;
        else sum = choose(bad, splat(__builtin_nanf("")), sum);
        if (vector) store(y + j, sum);
        else y[j] = sum[0];
        j += vector ? 4 : 1;
      }
    }
  }
}
