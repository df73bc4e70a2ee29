// recurrent.glsl - one step of a recurrent layer for four units of one sample, or of two layers of one kind (the two
// directions): everything below then holds the second one's rows below the first one's.
//
//   s_ the states before: layer 0 is h, layer 1 is c; sample i in row from.y + i, units from column from.x on
//   x_ (n * steps, gates, u), a layer a gate      the projected input
//   w_ (u, gates, u), a layer a gate              the recurrent kernel
//   m_ (n * steps, 1)                             the mask, with define MASK: where it is 0 the states stay
//   b_ (u)                                        the recurrent bias of a GRU's candidate
//   g_ (n, 2, u)                                  with CANDIDATE: the update gate, and the reset gate times h
//   -> the states after, at `to`; with RESET what g_ is
//
// Defines   GATES                       how many gates, and in which order, is the op's: webkeras/ops/recurrent.py
//           LSTM, GRU, SIMPLE           the layer, GRU being the one that resets after the product; the other one takes
//           RESET, CANDIDATE            two draws a step
//           ACTIVATION, RECURRENT       bodies of functions of v
// Params    from, to: places of the states; t, steps: which step of how many, of either layer; units: texels of u;
//           each: samples of a layer; w_rows: rows of a layer's w_
#include "tensor.glsl"
#include "scalars.glsl"

uniform sampler2DArray s_, x_, w_;
#ifdef MASK
uniform sampler2DArray m_;
#endif
#ifdef GRU
uniform sampler2DArray b_;
#endif
#ifdef CANDIDATE
uniform sampler2DArray g_;
#endif

layout(std140) uniform Params {
  ivec2 from, to, t;
  int steps, units, each, w_rows;
  EXTRA_PARAMS
};

vec4 activation(vec4 v) { ACTIVATION }
vec4 recurrent(vec4 v) { RECURRENT }

#define OLD(unit, layer) texelFetch(s_, ivec3(before.x + unit, before.y, layer), 0)
#define INPUT(g) texelFetch(x_, x_at(j, now, g), 0)
#define W(k, g) texelFetch(w_, w_at(j, first + k, g), 0)
#define ZERO(g) z[g] = vec4(0.0);
#define MULTIPLY(g) z[g] += mat4(W(4 * k, g), W(4 * k + 1, g), W(4 * k + 2, g), W(4 * k + 3, g)) * v;
#define PLUS(g) z[g] += INPUT(g);
#ifdef TAIL
#define KEEP(v) tailed(v, j == units - 1)
#else
#define KEEP(v) v
#endif

void main() {
  ivec2 at = ivec2(gl_FragCoord.xy) - to;
  int j = at.x, i = at.y, layer = i / each, now = i * steps + (layer == 0 ? t.x : t.y), first = layer * w_rows, n = units;
  ivec2 before = from + ivec2(0, i);
#ifdef MASK
  if (texelFetch(m_, m_at(0, now, 0), 0).x == 0.0) {
    out_[0] = OLD(j, 0);
#ifdef LSTM
    out_[1] = OLD(j, 1);
#endif
    return;
  }
#endif
#ifdef CANDIDATE
  vec4 z = vec4(0.0);
  for (int k = 0; k < n; k++) {
    vec4 v = texelFetch(g_, ivec3(k, i, 1), 0);
    z += mat4(W(4 * k, 2), W(4 * k + 1, 2), W(4 * k + 2, 2), W(4 * k + 3, 2)) * v;
  }
  vec4 u = texelFetch(g_, ivec3(j, i, 0), 0);
  out_[0] = KEEP(u * OLD(j, 0) + (1.0 - u) * activation(z + INPUT(2)));
#else
  vec4 z[GATES];
  EACH_GATE(ZERO)
  for (int k = 0; k < n; k++) {
    vec4 v = OLD(k, 0);
    EACH_GATE(MULTIPLY)
  }
#ifdef LSTM
  EACH_GATE(PLUS)
  vec4 c = recurrent(z[1]) * OLD(j, 1) + recurrent(z[0]) * activation(z[2]);
  out_[0] = KEEP(recurrent(z[3]) * activation(c));
  out_[1] = KEEP(c);
#endif
#ifdef GRU
  vec4 u = recurrent(z[0] + INPUT(0)), r = recurrent(z[1] + INPUT(1));
  vec4 y = activation(INPUT(2) + r * (z[2] + texelFetch(b_, b_at(j, layer, 0), 0)));
  out_[0] = KEEP(u * OLD(j, 0) + (1.0 - u) * y);
#endif
#ifdef RESET
  EACH_GATE(PLUS)
  out_[0] = recurrent(z[0]);
  out_[1] = recurrent(z[1]) * OLD(j, 0);
#endif
#ifdef SIMPLE
  out_[0] = KEEP(activation(z[0] + INPUT(0)));
#endif
#endif
}
