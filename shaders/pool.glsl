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
#define ZERO(p) v[p] = vec4(uintBitsToFloat(0xff800000u));
#define TAKE(p) ix = clamp((x + p) * stride + kx, 0, size.z - 1); v[p] = max(v[p], PIXEL(tile, row, ix, f4));
#define STORE(p) out_[p] = tailed(epilogue(v[p], at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);
#else
#define ZERO(p) v[p] = vec4(0.0);
#define TAKE(p) ix = (x + p) * stride + kx; v[p] += kept(PIXEL(tile, row, ix, f4), ix >= 0 && ix < size.z ? ~0u : 0u);
#define STORE(p) out_[p] = tailed(epilogue(v[p] / float(many * within((x + p) * stride - pad, wide, size.z)), at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);
#endif

// How many of n places from `low` on are inside an axis; 1 at least.
int within(int low, int n, int size) { return max(min(low + n, size) - max(low, 0), 1); }

void main() {
  LOOK_X
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4, ix;
  x *= LANES;
  int y = at.y % size_out.y, z = (at.y / size_out.y) % size_out.x, n = at.y / (size_out.y * size_out.x);
  ivec3 tile = x_tile;
  ivec3 size = size_in;
  int stride = strides.z, wide = kernel.z, pad = pads.z;
  ivec2 low = ivec2(z, y) * strides.xy - pads.xy, high = min(low + kernel.xy, size.xy), first = max(low, 0);
  int many = (high.x - first.x) * (high.y - first.y);
  vec4 v[LANES];
  EACH_LANE(ZERO)
  for (int iz = first.x; iz < high.x; iz++) {
    for (int iy = first.y; iy < high.y; iy++) {
      int row = (n * size.x + iz) * size.y + iy;
      for (int kx = -pad; kx < wide - pad; kx++) {
        EACH_LANE(TAKE)
      }
    }
  }
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
