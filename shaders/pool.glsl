// pool.glsl - the max, or the mean over the pixels inside the image, of windows over (d, h, w).
//
//   x_ (n, in_d, in_h, in_w, c) -> (n, out_d, out_h, out_w, c)
//
// Defines   MAX       the max; else the mean
// Params    as in conv.glsl
#include "tensor.glsl"

uniform sampler2DArray x_;

layout(std140) uniform Params {
  ivec3 x_tile;
  ivec3 size_in, size_out, kernel, strides, pads;
  int out_c4;
  EXTRA_PARAMS
};

#include "epilogue.glsl"

#ifdef MAX
#define ZERO(p) v[p] = vec4(uintBitsToFloat(0xff800000u)); count[p] = 1.0;
#define TAKE(p) ix = (x + p) * strides.z + kx - pads.z; if (ix >= 0 && ix < size_in.z) v[p] = max(v[p], PIXEL(x_, x_fold, x_tile, row, ix, f4));
#else
#define ZERO(p) v[p] = vec4(0.0); count[p] = 0.0;
#define TAKE(p) ix = (x + p) * strides.z + kx - pads.z; if (ix >= 0 && ix < size_in.z) { v[p] += PIXEL(x_, x_fold, x_tile, row, ix, f4); count[p] += 1.0; }
#endif
#define STORE(p) out_[p] = tailed(epilogue(v[p] / max(count[p], 1.0), at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);

void main() {
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4, ix;
  x *= LANES;
  int y = at.y % size_out.y, z = (at.y / size_out.y) % size_out.x, n = at.y / (size_out.y * size_out.x);
  vec4 v[LANES];
  float count[LANES];
  EACH_LANE(ZERO)
  for (int kz = 0; kz < kernel.x; kz++) {
    int iz = z * strides.x + kz - pads.x;
    if (iz < 0 || iz >= size_in.x) continue;
    for (int ky = 0; ky < kernel.y; ky++) {
      int iy = y * strides.y + ky - pads.y;
      if (iy < 0 || iy >= size_in.y) continue;
      int row = (n * size_in.x + iz) * size_in.y + iy;
      for (int kx = 0; kx < kernel.z; kx++) {
        EACH_LANE(TAKE)
      }
    }
  }
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
