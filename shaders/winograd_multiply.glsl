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
#define START(p) row[p] = (x + p) / wide; column[p] = (x + p - row[p] * wide) * texels; row[p] += i * rows;
#define TILE(p) AT(x_fold, column[p] + c4, row[p], j)
#else
#define START(p)
#define TILE(p) AT(x_fold, (x + p) * texels + c4, i, j)
#endif
#define WEIGHT_(f, k) texelFetch(w_, AT(w_fold, f, k, j), 0)
#define MATRIX(f) mat4(WEIGHT_(f, k), WEIGHT_(f, k + 1), WEIGHT_(f, k + 2), WEIGHT_(f, k + 3))
#define MULTIPLY(p) ADD(p, texelFetch(x_, TILE(p), 0))
#define PRODUCT MATRICES EACH_LANE(MULTIPLY) c4 += TURN; k += 4 * TURN;
#define STORE(p) out_[p] = sum[p];
#include "sums.glsl"

void main() {
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4, i = at.y / 6, j = at.y - 6 * i, c4 = FIRST, k = i * in_c + 4 * c4;
  int texels = in_c4;
  x *= LANES;
  SUMS
#ifdef WIDE
  int row[LANES], column[LANES];
#endif
  EACH_LANE(START)
  EACH_LANE(ZERO)
  for (int turn = 0; turn < texels; turn += UNROLL * TURN) { EACH_TURN }
  EACH_LANE(JOIN)
  EACH_LANE(STORE)
}
