// spread.glsl - pixels of fewer than four channels, from a flat texture that has a row of them in each of its own rows.
//
//   s0 (rows, w * c) in order -> (rows, w, c); LANES pixels of a row are `step` = LANES * c numbers
//
// Defines   FEW           c: 1, 2 or 3
//           EACH_TEXEL    EACH_n, n texels that hold the numbers
//           LOOSE         EACH_m, where `step` is no multiple of 4: they begin anywhere in the first of n = m + 1 texels
// Params    step
#include "tensor.glsl"

uniform sampler2DArray s0;

layout(std140) uniform Params {
  int step;
  EXTRA_PARAMS
};

#define FETCH(j) u[j] = texelFetch(s0, ivec3(first + j, at.y, 0), 0);
#define ALIGN(j) u[j] = aligned(u[j], u[j + 1], from & 3);
#define ELEMENT(i) u[(i) / 4][(i) % 4]
#define STORE(p) out_[p] = vec4(ELEMENT(FEW * p), FEW > 1 ? ELEMENT(FEW * p + 1) : 0.0, FEW > 2 ? ELEMENT(FEW * p + 2) : 0.0, 0.0);

// Four numbers from number `by` of a on.
vec4 aligned(vec4 a, vec4 b, int by) {
  vec4 v = by > 1 ? vec4(a.zw, b.xy) : a;
  float next = by > 1 ? b.z : b.x;
  return (by & 1) > 0 ? vec4(v.yzw, next) : v;
}

void main() {
  HERE(at);
  int from = at.x * step, first = from >> 2;
  vec4 u[LANES + 1];
  EACH_TEXEL(FETCH)
#ifdef LOOSE
  LOOSE(ALIGN)
#endif
  EACH_LANE(STORE)
}
