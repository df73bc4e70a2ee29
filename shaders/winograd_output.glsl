// winograd_output.glsl - the products of F(4x4, 3x3) back to pixels: A^T m A. A fragment makes one row of one or two tiles.
//
//   x_ (36, tiles, f) from winograd_multiply.glsl
//   -> (n, out_h, out_w, f)
//
// Params    tiles: tile rows of an image, tiles of a row; out_h in pixels
#include "tensor.glsl"

uniform sampler2DArray x_;

layout(std140) uniform Params {
  ivec3 x_tile;
  ivec2 tiles;
  int out_h, out_c4;
  EXTRA_PARAMS
};

#include "epilogue.glsl"

const float A[24] = float[24](1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.75, -0.75, 1.5, -1.5, 0.0,
  0.0, 0.5625, 0.5625, 2.25, 2.25, 0.0, 0.0, 0.421875, -0.421875, 3.375, -3.375, 1.0);

#define ZERO(j) s[j] = vec4(0.0);
#define ADD(j) s[j] += a * PIXEL(lies, 6 * i + j, tile, f4);
#define STORE(p) out_[p] = tailed(epilogue(v[p], at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);

void main() {
  LOOK_X
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4;
  x *= LANES;
  int image = at.y / out_h, y = at.y - image * out_h, first = (image * tiles.x + y / 4) * tiles.y;
  ivec3 lies = x_tile;
  vec4 v[LANES];
  for (int t = 0; t < LANES / 4; t++) {
    int tile = first + min(x / 4 + t, tiles.y - 1);
    vec4 s[6];
    EACH_6(ZERO)
    for (int i = 0; i < 6; i++) {
      float a = A[y % 4 * 6 + i];
      if (a != 0.0) { EACH_6(ADD) }
    }
    vec4 near = s[1] - s[2], far = s[3] - s[4], close = s[1] + s[2], wide = s[3] + s[4];
    v[4 * t] = s[0] + close + wide;
    v[4 * t + 1] = 0.75 * near + 1.5 * far;
    v[4 * t + 2] = 0.5625 * close + 2.25 * wide;
    v[4 * t + 3] = 0.421875 * near + 3.375 * far + s[5];
  }
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
