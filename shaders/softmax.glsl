// softmax.glsl - exp(x - max) over its sum, along the channels; or the logarithm of that.
//
//   x_ (rows, w, c) -> (rows, w, c)
//
// Defines   LOG     the logarithm of the softmax
// Params    in_c in elements; out_c4 in texels
#include "tensor.glsl"

uniform sampler2DArray x_;

layout(std140) uniform Params {
  ivec3 x_tile;
  int in_c, out_c4;
  EXTRA_PARAMS
};

#include "epilogue.glsl"

vec4 masked(vec4 v, int left, float other) {
  return vec4(v.x, left > 1 ? v.y : other, left > 2 ? v.z : other, left > 3 ? v.w : other);
}

#define TEXEL(i) X(x_at(column + (i), row, layer))

vec4 softmax(int row, int x, int f4) {
  ivec3 tile = x_tile;
  int c4 = out_c4, left = in_c, column = BLOCK(tile, x) * tile.x, layer = LAYER(tile, x);
  vec4 top = vec4(uintBitsToFloat(0xff800000u)), sum = vec4(0.0);
  for (int i = 0; i < c4; i++) top = max(top, masked(TEXEL(i), left - 4 * i, top.x));
  float most = max(max(top.x, top.y), max(top.z, top.w));
  vec4 v = vec4(0.0);
  for (int i = 0; i < c4; i++) {
    vec4 above = TEXEL(i) - most, e = masked(exp(above), left - 4 * i, 0.0);
    sum += e;
#ifdef LOG
    v = i == f4 ? above : v;
  }
  return v - log(sum.x + sum.y + sum.z + sum.w);
#else
    v = i == f4 ? e : v;
  }
  return v / (sum.x + sum.y + sum.z + sum.w);
#endif
}

#define STORE(p) out_[p] = tailed(epilogue(v[p], at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);

void main() {
  LOOK_X
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4;
  x *= LANES;
  vec4 v[LANES];
  for (int p = 0; p < LANES; p++) v[p] = softmax(at.y, x + p, f4);  // a loop: the body is long
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
