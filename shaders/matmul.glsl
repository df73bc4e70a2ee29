// matmul.glsl - matrix product, and so every 1x1 convolution: a fragment makes LANES rows of 4 columns.
//
//   x_ (rows, m, k)     rows are the batch
//   w_ (batch * k, f)   as rows; row r of x_ meets the matrix that starts at row (r / w_rows.x % w_rows.y) * k
//   -> (rows, m, f)
//
// Defines   PARTS   the sum over k is cut into so many, each a row of the result: few rows leave a GPU idle
//           UNROLL, EACH_TURN   how many texels of k a turn of the loop takes, and PRODUCT as often
// Params    in_c: k in elements; in_c4, out_c4 in texels; part: texels of k in one part
#include "tensor.glsl"

uniform sampler2DArray x_;
uniform WEIGHTS_IN w_;

layout(std140) uniform Params {
  ivec3 x_tile;
  ivec2 w_rows;
  int out_c4, in_c4, in_c;
#ifdef PARTS
  int part;
#endif
  EXTRA_PARAMS
};

#include "epilogue.glsl"
#include "sums.glsl"

#define MATRIX(f) mat4(WEIGHT(f, k), WEIGHT(f, k + 1), WEIGHT(f, k + 2), WEIGHT(f, k + 3))
#define MULTIPLY(p) ADD(p, texelFetch(x_, AT(x_fold, column, at.y, p), 0))
#define PRODUCT MATRICES EACH_LANE(MULTIPLY) column += TURN; k += 4 * TURN;
#define STORE(p) out_[p] = tailed(epilogue(sum[p], at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);

void main() {
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4, column = x * in_c4, from = FIRST, turns = in_c4;
#ifdef PARTS
  from = at.y % PARTS * part;
  turns = min(from + part, in_c4) - from;
  at.y /= PARTS;
#endif
  column += from;
  x *= LANES;
  SUMS
  EACH_LANE(ZERO)
  int k = (at.y / w_rows.x % w_rows.y) * in_c + 4 * from;
  for (int i = 0; i < turns; i += UNROLL * TURN) { EACH_TURN }
  EACH_LANE(JOIN)
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
