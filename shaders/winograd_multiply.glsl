// winograd_multiply.glsl - the 36 matrix products in the middle of F(4x4, 3x3): a fragment makes LANES tiles of 4 filters.
//
//   x_ from winograd_input.glsl, w_ from winograd_kernel.glsl
//   -> (36, tiles, f)
//
// Defines   WIDE    the tiles of x_ fill several rows
//           UNROLL  as in matmul.glsl
// Params    rows, wide: rows of tiles in x_, tiles in a row; in_c in elements; in_c4, out_c4 in texels
#include "tensor.glsl"

uniform sampler2DArray x_, w_;

layout(std140) uniform Params {
  int rows, wide, in_c, in_c4, out_c4;
  EXTRA_PARAMS
};

#ifdef WIDE
#define START(p) sum[p] = vec4(0.0); row[p] = (x + p) / wide; column[p] = (x + p - row[p] * wide) * in_c4; row[p] += i * rows;
#define TILE(p) AT(x_fold, column[p] + c4, row[p], j)
#else
#define START(p) sum[p] = vec4(0.0);
#define TILE(p) AT(x_fold, (x + p) * in_c4 + c4, i, j)
#endif
#define WEIGHT_(k) texelFetch(w_, AT(w_fold, f4, k, j), 0)
#define MULTIPLY(p) sum[p] += m * texelFetch(x_, TILE(p), 0);
#define PRODUCT m = mat4(WEIGHT_(k), WEIGHT_(k + 1), WEIGHT_(k + 2), WEIGHT_(k + 3)); EACH_LANE(MULTIPLY) c4++; k += 4;
#define STORE(p) out_[p] = sum[p];

void main() {
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4, i = at.y / 6, j = at.y - 6 * i;
  x *= LANES;
  vec4 sum[LANES];
#ifdef WIDE
  int row[LANES], column[LANES];
#endif
  EACH_LANE(START)
  mat4 m;
  for (int c4 = 0, k = i * in_c; c4 < in_c4;) { EACH_TURN }
  EACH_LANE(STORE)
}
