// reduce.glsl - sum, max, min or prod over whole axes: trailing rows, all pixels, all channels, or any of these.
//
//   x_ (rows * in_rows, in_w, c) -> (rows, w or 1, c or 1)
//
// Defines   START, REDUCE(a, b)   the neutral value and the function
//           PIXELS                all of in_w becomes one pixel; else pixels stay
//           CHANNELS              all channels become one; else channels stay
// Params    in_rows: how many rows of x_ make one; in_w, in_c in elements; in_c4, out_c4 in texels
#include "tensor.glsl"

uniform sampler2DArray x_;

layout(std140) uniform Params {
  ivec3 x_tile;
  int in_rows, in_w, in_c, in_c4, out_c4;
  EXTRA_PARAMS
};

#include "epilogue.glsl"

#ifdef PIXELS
#define EACH_SOURCE for (int ix = 0; ix < w; ix++)
#else
#define EACH_SOURCE int ix = x;
#endif

// The whole reduction for output pixel x and channels f4.
vec4 reduced(int row, int x, int f4) {
  vec4 sum = vec4(START);
  ivec3 tile = x_tile;
  int rows = in_rows, w = in_w, c = in_c, texels = in_c4;
  for (int r = row * rows; r < row * rows + rows; r++) {
    EACH_SOURCE {
#ifdef CHANNELS
      for (int c4 = 0; c4 < texels; c4++) {
        vec4 v = PIXEL(tile, r, ix, c4);
        int left = c - 4 * c4;
        v = vec4(v.x, left > 1 ? v.y : START, left > 2 ? v.z : START, left > 3 ? v.w : START);
        sum = REDUCE(sum, v);
      }
#else
      sum = REDUCE(sum, PIXEL(tile, r, ix, f4));
#endif
    }
  }
#ifdef CHANNELS
  float a = REDUCE(sum.x, sum.y), b = REDUCE(sum.z, sum.w);
  return vec4(REDUCE(a, b), 0.0, 0.0, 0.0);
#else
  return sum;
#endif
}

#define STORE(p) out_[p] = tailed(epilogue(v[p], at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);

void main() {
  LOOK_X
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4;
  x *= LANES;
  vec4 v[LANES];
  for (int p = 0; p < LANES; p++) v[p] = reduced(at.y, x + p, f4);  // a loop: the body is long
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
