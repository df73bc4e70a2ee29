// matmul.glsl - matrix product, and so every 1x1 convolution: a fragment makes LANES rows of 4 columns.
//
//   x_ (rows, m, k)     rows are the batch
//   w_ (batch * k, f)   as rows; row r of x_ meets the matrix that starts at row (r / w_rows.x % w_rows.y) * k
//   -> (rows, m, f)
//
// Defines   PARTS   the sum over k is cut, each part a row of the result, for few rows leave a GPU idle. A row of x is an
//                   image then, `down` rows of in_c4 texels with pixels as x_tile says, which nobody had to flatten; or a
//                   vector, whose pixels are as long as a part
// Params    in_c: k in elements; in_c4, out_c4 in texels; across: parts in a row of the image, of `part` pixels each
#include "tensor.glsl"

uniform sampler2DArray x_;
uniform WEIGHTS_IN w_;

layout(std140) uniform Params {
  ivec3 x_tile;
  ivec2 w_rows;
  int out_c4, in_c4, in_c;
#ifdef PARTS
  int down, across, part;
#endif
  EXTRA_PARAMS
};

#include "epilogue.glsl"
#include "sums.glsl"

#define MATRIX(f) mat4(ROW(f, k, 0), ROW(f, k, 1), ROW(f, k, 2), ROW(f, k, 3))
#ifdef SQUARE
#define SPOT(g) layer[g] = float(MINE(g, LANES - 1));
#define FETCHED(g) texture(x_, vec3(place, layer[g]))
#define MULTIPLY(p) ADD(p, v[p])
#define PRODUCT place = (vec2(x_at(column, at.y, 0).xy) + 0.5) * x_texel.xy; MATRICES EACH_TELL EACH_LANE(MULTIPLY) column += TURN; k += 4 * TURN;
#else
#define MULTIPLY(p) ADD(p, X(ivec3(place, p)))
#define PRODUCT place = x_at(column, at.y, 0).xy; MATRICES EACH_LANE(MULTIPLY) column += TURN; k += 4 * TURN;
#endif
#define STORE(p) out_[p] = tailed(epilogue(sum[p], at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);

void main() {
  LOOK_X LOOK_W
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4;
  SUMS
  EACH_LANE(ZERO)
#ifdef PARTS
  ivec3 tile = x_tile;
  int row = at.y / across, from = (at.y - row * across) * part, whole = in_c4;
  int k = (row / down / w_rows.x % w_rows.y) * in_c + 4 * (row % down * whole + from * tile.x);
  for (int px = from; px < from + part; px++) {
    int column = BLOCK(tile, px) * tile.x, layer = LAYER(tile, px), turns = min(tile.x, whole - px * tile.x);
    for (int i = 0; i < turns; i++) {
      MATRICES
      ADD(0, X(x_at(column, row, layer)))
      column++;
      k += 4;
    }
  }
#else
  int from = FIRST, turns = in_c4, column = x * turns + from;
  int k = (at.y / w_rows.x % w_rows.y) * in_c + 4 * from;
  x *= LANES;
#ifdef SQUARE
  vec2 place;
  TELLING
  vec4 v[LANES];
  float layer[SQUARE];
  EACH_GROUP(SPOT)
#else
  ivec2 place;
#endif
  for (int i = 0; i < turns; i += TURN) { PRODUCT }
#endif
  EACH_LANE(JOIN)
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
