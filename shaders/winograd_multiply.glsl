// winograd_multiply.glsl - the matrix products in the middle of F(4x4, 3x3), 36, and of F(4, 7), 10: a fragment makes
// LANES tiles of 4 filters.
//
//   x_ from winograd_input.glsl or line_input.glsl, w_ from winograd_kernel.glsl or line_kernel.glsl
//   -> (36 or 10, tiles, f)
//
// Defines   WIDE    the tiles of x_ fill several rows (in squares they may in any case)
// Params    layers of x_ and w_; rows, wide: rows of tiles in x_, tiles in a row; in_c in elements; in_c4, out_c4 in texels
#define W_LAYER j
#include "tensor.glsl"

uniform sampler2DArray x_, w_;

layout(std140) uniform Params {
  int layers, rows, wide, in_c, in_c4, out_c4;
  EXTRA_PARAMS
};

#if defined(WIDE) || defined(SQUARE)
#define START(s, p) row[s] = (x + p) / wide; column[s] = (x + p - row[s] * wide) * texels; row[s] += i * rows;
#define TILE(s) x_at(column[s] + c4, row[s], j)
#else
#define START(s, p)
#define TILE(p) x_at((x + p) * texels + c4, i, j)
#endif
#define MATRIX(f) mat4(ROW(f, k, 0), ROW(f, k, 1), ROW(f, k, 2), ROW(f, k, 3))
#ifdef SQUARE
#define SPOTS SQUARE
#define SPOT(g) START(g, MINE(g, LANES - 1))
#define FETCHED(g) X(TILE(g))
#define MULTIPLY(p) ADD(p, v[p])
#define PRODUCT MATRICES EACH_TELL EACH_LANE(MULTIPLY) c4 += TURN; k += 4 * TURN;
#else
#define SPOTS LANES
#define SPOT(p) START(p, p)
#define MULTIPLY(p) ADD(p, X(TILE(p)))
#define PRODUCT MATRICES EACH_LANE(MULTIPLY) c4 += TURN; k += 4 * TURN;
#endif
#define STORE(p) out_[p] = sum[p];
#include "sums.glsl"

void main() {
  LOOK_X LOOK_W
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4, i = at.y / layers, j = at.y - layers * i, c4 = FIRST, k = i * in_c + 4 * c4;
  int texels = in_c4;
  x *= LANES;
  SUMS
#if defined(WIDE) || defined(SQUARE)
  int row[SPOTS], column[SPOTS];
#endif
#ifdef SQUARE
  TELLING
  vec4 v[LANES];
  EACH_GROUP(SPOT)
#else
  EACH_LANE(SPOT)
#endif
  EACH_LANE(ZERO)
  for (int turn = 0; turn < texels; turn += TURN) { PRODUCT }
  EACH_LANE(JOIN)
  EACH_LANE(STORE)
}
