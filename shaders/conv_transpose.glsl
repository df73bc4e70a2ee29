// conv_transpose.glsl - the adjoint of convolution, gathered: output o sums the inputs i with o + pad = i * stride + tap.
//
//   x_ (n, in_d, in_h, in_w, c)
//   w_ (kd * kh * kw * c, f) as rows
//   -> (n, out_d, out_h, out_w, f)
//
// Params    as in conv.glsl; pads are what is cropped from the front
#include "tensor.glsl"

uniform sampler2DArray x_;
uniform WEIGHTS_IN w_;

layout(std140) uniform Params {
  ivec3 x_tile;
  ivec3 size_in, size_out, kernel, strides, dilation, pads;
  int out_c4, in_c4, in_c;
  EXTRA_PARAMS
};

#include "epilogue.glsl"

// The input coordinate that reaches o through tap t, or -1.
int source(int o, int t, int stride, int size) {
  int i = o - t;
  return i >= 0 && i % stride == 0 && i / stride < size ? i / stride : -1;
}

#define ZERO(p) sum[p] = vec4(0.0);
#define MULTIPLY(p) ix = source(x + p + pad.z, kx * spread.z, stride.z, size.z); if (ix >= 0) sum[p] += m * PIXEL(tile, row, ix, i);
#define STORE(p) out_[p] = tailed(epilogue(sum[p], at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);

void main() {
  LOOK_X LOOK_W
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4, ix;
  x *= LANES;
  int y = at.y % size_out.y, z = (at.y / size_out.y) % size_out.x, n = at.y / (size_out.y * size_out.x);
  ivec3 tile = x_tile;
  ivec3 size = size_in, window = kernel, stride = strides, spread = dilation, pad = pads;
  int c = in_c, c4 = in_c4;
  vec4 sum[LANES];
  mat4 m;
  EACH_LANE(ZERO)
  for (int kz = 0; kz < window.x; kz++) {
    int iz = source(z + pad.x, kz * spread.x, stride.x, size.x);
    if (iz < 0) continue;
    for (int ky = 0; ky < window.y; ky++) {
      int iy = source(y + pad.y, ky * spread.y, stride.y, size.y);
      if (iy < 0) continue;
      int row = (n * size.x + iz) * size.y + iy;
      for (int kx = 0; kx < window.z; kx++) {
        int k = ((kz * window.y + ky) * window.z + kx) * c;
        for (int i = 0; i < c4; i++, k += 4) {
          m = mat4(WEIGHT(f4, k), WEIGHT(f4, k + 1), WEIGHT(f4, k + 2), WEIGHT(f4, k + 3));
          EACH_LANE(MULTIPLY)
        }
      }
    }
  }
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
