/* Weights brought into the order in which products read them, and made small. */
#include "wk.h"

/* x as a 16-bit float, to the nearest, ties to even; infinite beyond 65504. */
static uint16_t halved(float x) {
  union { float f; uint32_t i; } u = {x};
  uint32_t sign = u.i >> 16 & 0x8000, a = u.i & 0x7fffffff;
  if (a > 0x7f800000) return (uint16_t)(sign | 0x7e00);
  if (a >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
  if (a < 0x38800000) return (uint16_t)(sign | (uint32_t)vint(vround(splat((x < 0 ? -x : x) * 16777216.f)))[0]);
  return (uint16_t)(sign | ((a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13));
}

void pack(Run *r, const Pack *p) {
  int k = p->taps * p->c, panels = (p->f + 7) / 8;
  for (int i; (i = task(r)) < p->count * panels;) {
    int f0 = i % panels * 8, f = MIN(8, p->f - f0), finite = 1;
    float *to = r->base + p->dst + (ptrdiff_t)(i / panels) * p->dst_step + i % panels * panel(p->format, k), *head = to;
    uint16_t *halves = (uint16_t *)(to + HEAD);
    int8_t *bytes = (int8_t *)(to + HEAD);
    for (int j = 0; j < HEAD && p->format != FLOATS; j++) {
      float factor = j % 8 >= f ? 0 : p->factor < 0 ? 1 : r->base[p->factor + (ptrdiff_t)(i / panels) * p->factor_step + f0 + j % 8];
      head[j] = factor * (j < 8 ? p->scale : p->min + 128.f * p->scale);
    }
    for (int tap = 0; tap < p->taps; tap++)
      for (int c = 0; c < p->c; c++, to += 8, halves += 8, bytes += 8)
        for (int j = 0; j < 8; j++) {
          ptrdiff_t at = (ptrdiff_t)(i / panels) * p->src_step + (ptrdiff_t)tap * p->tap_step + (ptrdiff_t)c * p->c_step + (ptrdiff_t)(f0 + j) * p->f_step;
          if (p->format == BYTES) {
            bytes[j] = j < f ? (int8_t)(((const uint8_t *)(r->base + p->src))[at] - 128) : 0;
            continue;
          }
          float x = j < f ? r->base[p->src + at] : 0;
          if (p->format == FLOATS) to[j] = x;
          else finite &= ((halves[j] = halved(x)) & 0x7c00) != 0x7c00;
        }
    if (p->format == HALVES) head[0] = (float)finite;
  }
}
