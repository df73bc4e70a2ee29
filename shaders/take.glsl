// take.glsl - rows of a table by number.
//
//   w_ (n, c) as rows      the table
//   i_ flat                the numbers, as floats, clipped to the table
//   -> (rows, out_w, c)
//
// Params    count: n; i_width: width of the flat texture
#include "tensor.glsl"

uniform WEIGHTS_IN w_;
uniform sampler2DArray i_;

layout(std140) uniform Params {
  int out_w, out_c4, count, i_width;
  EXTRA_PARAMS
};

#define STORE(p) out_[p] = tailed(v[p], f4 == out_c4 - 1);

void main() {
  LOOK_W
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4;
  x *= LANES;
  vec4 v[LANES];
  for (int p = 0; p < LANES; p++) {
    int row = x + p < out_w ? clamp(int(element(i_, i_width, at.y * out_w + x + p)), 0, count - 1) : 0;
    v[p] = WEIGHT(f4, row);
  }
  EACH_LANE(STORE)
}
