// winograd_input.glsl - the input of a 3x3 convolution in overlapping 6x6 tiles d, as F(4x4, 3x3) multiplies them: B^T d B.
//
//   x_ (n, in_h, in_w, c)
//   -> 6 layers j of rows (i, row of tiles), columns (tile, c4); tiles in the order (n, y, x), `wide` of them in a row
//
// Params    tiles: tiles down and across an image, rows of tiles in the result; pads: top, left; out_c4: texels of c
#include "tensor.glsl"

uniform sampler2DArray x_;

layout(std140) uniform Params {
  ivec3 x_tile;
  ivec2 size_in, pads;
  ivec3 tiles;
  int wide, out_c4;
  EXTRA_PARAMS
};

const float B[36] = float[36](1.265625, 0.0, -2.8125, 0.0, 1.0, 0.0, 0.0, -1.6875, -2.25, 0.75, 1.0, 0.0,
  0.0, 1.6875, -2.25, -0.75, 1.0, 0.0, 0.0, -0.84375, -0.5625, 1.5, 1.0, 0.0, 0.0, 0.84375, -0.5625, -1.5, 1.0, 0.0,
  0.0, 1.265625, 0.0, -2.8125, 0.0, 1.0);

#define INSIDE(k) inside[k] = x + k >= 0 && x + k < size.y ? ~0u : 0u;
#define ADD(k) t[k] += b * kept(PIXEL(lies, row, x + k, c4), inside[k]);
#define ZERO(k) t[k] = vec4(0.0);

void main() {
  LOOK_X
  HERE(at);
  int x = at.x / out_c4, c4 = at.x - x * out_c4;
  int i = at.y / tiles.z, tile = (at.y - i * tiles.z) * wide + x, row_ = tile / tiles.y;
  int image = row_ / tiles.x, y = row_ - image * tiles.x;
  x = 4 * (tile - row_ * tiles.y) - pads.y;
  y = 4 * y - pads.x;
  ivec3 lies = x_tile;
  ivec2 size = size_in;
  vec4 t[6];
  uint inside[6];
  EACH_6(ZERO)
  EACH_6(INSIDE)
  for (int r = 0; r < 6; r++) {
    float b = B[6 * i + r];
    if (b == 0.0 || y + r < 0 || y + r >= size.x) continue;
    int row = image * size.x + y + r;
    EACH_6(ADD)
  }
  vec4 even = t[4] - 2.25 * t[2], odd = 0.75 * t[3] - 1.6875 * t[1];
  vec4 far = t[4] - 0.5625 * t[2], near = 1.5 * t[3] - 0.84375 * t[1];
  out_[0] = 1.265625 * t[0] - 2.8125 * t[2] + t[4];
  out_[1] = even + odd;
  out_[2] = even - odd;
  out_[3] = far + near;
  out_[4] = far - near;
  out_[5] = 1.265625 * t[1] - 2.8125 * t[3] + t[5];
}
