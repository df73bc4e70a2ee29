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

vec4 softmax(int row, int x, int f4) {
  vec4 top = vec4(uintBitsToFloat(0xff800000u)), sum = vec4(0.0);
  for (int i = 0; i < out_c4; i++) top = max(top, masked(PIXEL(x_, x_fold, x_tile, row, x, i), in_c - 4 * i, top.x));
  float most = max(max(top.x, top.y), max(top.z, top.w));
  for (int i = 0; i < out_c4; i++) sum += masked(exp(PIXEL(x_, x_fold, x_tile, row, x, i) - most), in_c - 4 * i, 0.0);
  float total = sum.x + sum.y + sum.z + sum.w;
  vec4 v = PIXEL(x_, x_fold, x_tile, row, x, f4) - most;
#ifdef LOG
  return v - log(total);
#else
  return exp(v) / total;
#endif
}

#define STORE(p) out_[p] = tailed(epilogue(v[p], at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);

void main() {
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4;
  x *= LANES;
  vec4 v[LANES];
  for (int p = 0; p < LANES; p++) v[p] = softmax(at.y, x + p, f4);  // a loop: the body is long
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
