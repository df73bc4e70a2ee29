/* Elementwise expressions, interpreted tile by tile: every function runs over 1024 elements that stay in cache, so the cost of
   reading the expression vanishes. Inputs that broadcast are spread out for the tile first; single numbers stay single. */
#include "scalars.h"

enum { TILE = 1024 };

/* In the order of SCALARS in expr.py. */
enum { ADD, SUB, MUL, DIV, POW, MAXIMUM, MINIMUM, LT, LE, EQ, SELECT, NEG, ABS, SIGN, FLOOR, ROUND, EXP, EXPM1, LOG, LOG1P, SQRT, RSQRT, TANH, SIGMOID, ERF, SIN, COS };

#define EACH(expression)                                                       \
  for (int i = 0; i < n; i += 4, to += 4, a += sa, b += sb, c += sc) {         \
    f4 x = load(a), y = load(b), z = load(c);                                  \
    (void)y, (void)z;                                                          \
    store(to, expression);                                                     \
  }                                                                            \
  break;

INLINE f4 truth(i4 mask) { return choose(mask, splat(1.f), splat(0)); }

/* n is a multiple of 4; a step is 4, or 0 for a number spread over four lanes. `to` may be any of the operands. */
static void function(int which, int n, float *to, const float *a, int sa, const float *b, int sb, const float *c, int sc) {
  switch (which) {
    case ADD: EACH(x + y)
    case SUB: EACH(x - y)
    case MUL: EACH(x * y)
    case DIV: EACH(x / y)
    case POW: EACH(((f4){one_pow(x[0], y[0]), one_pow(x[1], y[1]), one_pow(x[2], y[2]), one_pow(x[3], y[3])}))
    case MAXIMUM: EACH(vmax(x, y))
    case MINIMUM: EACH(vmin(x, y))
    case LT: EACH(truth(x < y))
    case LE: EACH(truth(x <= y))
    case EQ: EACH(truth(x == y))
    case SELECT: EACH(choose(x != 0.f, y, z))
    case NEG: EACH(-x)
    case ABS: EACH(vabs(x))
    case SIGN: EACH(choose(x != x, x, truth(x > 0.f) - truth(x < 0.f)))
    case FLOOR: EACH(vfloor(x))
    case ROUND: EACH(vround(x))
    case EXP: EACH(vexp(x))
    case EXPM1: EACH(vexpm1(x))
    case LOG: EACH(vlog(x))
    case LOG1P: EACH(vlog1p(x))
    case SQRT: EACH(vsqrt(x))
    case RSQRT: EACH(1.f / vsqrt(x))
    case TANH: EACH(vtanh(x))
    case SIGMOID: EACH(vsigmoid(x))
    case ERF: EACH(verf(x))
    case SIN: EACH(vsine(x, 0))
    case COS: EACH(vsine(x, 1))
  }
}

/* Elements low .. low + n of an input that broadcasts, one after another. */
static void spread(const float *x, const int32_t *dims, const int32_t *strides, int low, int n, float *to) {
  int at[6];
  ptrdiff_t offset = 0;
  for (int d = 5, rest = low; d >= 0; rest /= dims[d--]) {
    at[d] = rest % dims[d];
    offset += (ptrdiff_t)at[d] * strides[d];
  }
  while (n > 0) {
    int run = MIN(dims[5] - at[5], n), i = 0;
    const float *from = x + offset;
    if (strides[5] == 1) {
      for (; i + 4 <= run; i += 4) store(to + i, load(from + i));
      for (; i < run; i++) to[i] = from[i];
    } else {
      for (; i < run; i++) to[i] = from[(ptrdiff_t)i * strides[5]];
    }
    to += run;
    n -= run;
    offset -= (ptrdiff_t)at[5] * strides[5];
    at[5] = 0;
    for (int d = 4; d >= 0; d--) {
      offset += strides[d];
      if (++at[d] < dims[d]) break;
      offset -= (ptrdiff_t)dims[d] * strides[d];
      at[d] = 0;
    }
  }
}

void map_range(Run *r, const Map *m, float *dst, int low, int high) {
  const MapInput *inputs = (const MapInput *)(m + 1);
  const float *literals = (const float *)(inputs + m->inputs);
  const MapCode *code = (const MapCode *)(literals + m->literals);
  float *registers = r->scratch, *expanded = registers + m->registers * TILE, *result = expanded + m->inputs * TILE, *constants = result + 4;
  const float *operand[256];
  int step[256];
  for (int i = 0; i < m->literals; i++) {
    store(constants + 4 * i, splat(literals[i]));
    operand[128 + i] = constants + 4 * i;
    step[128 + i] = 0;
  }
  for (int i = 0; i < m->registers; i++) {
    operand[i] = registers + i * TILE;
    step[i] = 4;
  }
  for (int i = 0; i < m->inputs; i++) {
    operand[64 + i] = expanded + i * TILE;
    step[64 + i] = inputs[i].kind == 1 ? 0 : 4;
    if (inputs[i].kind == 1) store(expanded + i * TILE, splat(inputs[i].src < 0 ? 0 : r->base[inputs[i].src]));
  }
  while (low < high) {
    /* The last elements, fewer than four, go through copies so that nothing beyond the tensors is touched. */
    int n = MIN(TILE, high - low), short_of_four = n < 4;
    if (!short_of_four) n &= ~3;
    for (int i = 0; i < m->inputs; i++) {
      const float *x = inputs[i].src < 0 ? dst : r->base + inputs[i].src;
      float *copy = expanded + i * TILE;
      if (inputs[i].kind == 0 && !short_of_four) operand[64 + i] = x + low;
      if (inputs[i].kind == 0 && short_of_four) {
        for (int j = 0; j < 4; j++) copy[j] = j < n ? x[low + j] : 0;
        operand[64 + i] = copy;
      }
      if (inputs[i].kind == 2) {
        spread(x, m->dims, inputs[i].strides, low, n, copy);
        for (int j = n; j < 4; j++) copy[j] = 0;
      }
    }
    for (int i = 0; i < m->code; i++) {
      const MapCode *p = code + i;
      float *to = p->to == 255 ? (short_of_four ? result : dst + low) : registers + p->to * TILE;
      function(p->function, MAX(n, 4), to, operand[p->a], step[p->a], operand[p->b], step[p->b], operand[p->c], step[p->c]);
    }
    if (short_of_four)
      for (int j = 0; j < n; j++) dst[low + j] = result[j];
    low += n;
  }
}

void map(Run *r, const Map *m) {
  enum { PIECE = 16 * TILE };
  for (int i; (i = task(r)) < (m->size + PIECE - 1) / PIECE;) map_range(r, m, r->base + m->dst, i * PIECE, MIN(m->size, (i + 1) * PIECE));
}
