// move.glsl - elements go elsewhere: reshape, transpose, slice, flip, pad, broadcast, concat, upload and read-back.
//
// What moves is a unit: a texel, where channels stay together in fours (define TEXELS), else an element. Every source s
// has, per axis of the result (AXES of them, leading ones missing), the range low <= i < high in which it is read, and
// the step in units that one more i makes in it; the first source whose ranges hold a unit gives it, else fill.
//
//   s0, s1, ...     tiles, or flat textures
//   -> a tile (rows, out_w, out_c), or flat (define OUT_FLAT: out_w is then the texture's width, out_c unused)
//
// Defines   SOURCES, SOURCE_PARAMS    declarations of the samplers and of their parameters
//           EACH_SOURCE               for every source: if it holds the unit, return it
//           WHOLE                     the one source holds all units
//           RUN                       one flat source in the result's order: elements are read by texels, not one by one
// Params    dims_a, dims_b: the result's six axes; out_c in units, out_size: all units; for source s0: s0_base, s0_low_a
//           ... s0_step_b, and s0_tile, s0_w, s0_c of a tile (c in units), or the width s0_w of a flat texture
#include "tensor.glsl"

SOURCES

layout(std140) uniform Params {
  ivec3 dims_a, dims_b;
  int out_w, out_c, out_c4, out_size;
  float fill;
  SOURCE_PARAMS
  EXTRA_PARAMS
};

int dot_(ivec3 a, ivec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

bool inside(ivec3 i, ivec3 low, ivec3 high) {
  return all(greaterThanEqual(i, low)) && all(lessThan(i, high));
}

#ifdef TEXELS
#define UNIT vec4
#define CHANNEL(v, k) v
#else
#define UNIT float
#define CHANNEL(v, k) v[k]
#endif

// Column, row and layer of unit i of a tile, and which channel of the texel it is.
ivec4 place(ivec3 tile, int w, int c, int i) {
  int pixel = i / c, unit = i - pixel * c, row = pixel / w, x = pixel - row * w;
#ifdef TEXELS
  return ivec4(BLOCK(tile, x) * tile.x + unit, row, LAYER(tile, x), 0);
#else
  return ivec4(BLOCK(tile, x) * tile.x + (unit >> 2), row, LAYER(tile, x), unit & 3);
#endif
}

// The same for a flat texture.
ivec4 place(int width, int i) {
#ifdef TEXELS
  return ivec4(i % width, i / width, 0, 0);
#else
  return ivec4((i >> 2) % width, (i >> 2) / width, 0, i & 3);
#endif
}

// Unit i of the result.
UNIT moved(int i) {
  ivec3 a = ivec3(0), b = ivec3(0);
#define AXIS(at, dim) at = i % dim; i /= dim;
#if AXES == 1
  b.z = i;
#else
  AXIS(b.z, dims_b.z)
#if AXES == 2
  b.y = i;
#else
  AXIS(b.y, dims_b.y)
#if AXES == 3
  b.x = i;
#else
  AXIS(b.x, dims_b.x)
  AXIS(a.z, dims_a.z)
  AXIS(a.y, dims_a.y)
  a.x = i;
#endif
#endif
#endif
  EACH_SOURCE
#ifndef WHOLE
  return UNIT(fill);
#endif
}

#ifdef TEXELS
vec4 four(int i, int left) { return left > 0 ? moved(i) : vec4(0.0); }
#elif defined(RUN)
// Four elements from i on lie in one texel or in two; beyond `left` there is nothing.
vec4 four(int i, int left) {
  int t = i >> 2, k = i & 3;
  vec4 u = texelFetch(s0, ivec3(t % s0_w, t / s0_w, 0), 0);
  t = min(t + 1, (out_size - 1) >> 2);
  vec4 v = texelFetch(s0, ivec3(t % s0_w, t / s0_w, 0), 0);
  u = k == 0 ? u : k == 1 ? vec4(u.yzw, v.x) : k == 2 ? vec4(u.zw, v.xy) : vec4(u.w, v.xyz);
  return vec4(left > 0 ? u.x : 0.0, left > 1 ? u.y : 0.0, left > 2 ? u.z : 0.0, left > 3 ? u.w : 0.0);
}
#else
vec4 four(int i, int left) {
  vec4 v = vec4(0.0);
  for (int k = 0; k < 4; k++) if (k < left) v[k] = moved(i + k);
  return v;
}
#endif

#define STORE(p) out_[p] = v[p];

void main() {
  HERE(at);
  vec4 v[LANES];
#ifdef TEXELS
  const int each = 1;
#else
  const int each = 4;
#endif
#ifdef OUT_FLAT
  int i = (at.y * out_w + at.x) * each;
  v[0] = four(i, out_size - i);
#else
  int x = at.x / out_c4, f4 = at.x - x * out_c4;
  x *= LANES;
  // A loop, not LANES copies: the body is long, and drivers compile what they see.
  for (int p = 0; p < LANES; p++) {
    int i = (at.y * out_w + x + p) * out_c + each * f4;
    v[p] = x + p < out_w ? tailed(four(i, out_c - each * f4), f4 == out_c4 - 1) : vec4(0.0);
  }
#endif
  EACH_LANE(STORE)
}
