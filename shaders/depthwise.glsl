// depthwise.glsl - one filter per channel over (d, h, w); output channel c * m + j comes from channel c.
//
//   x_ (n, in_d, in_h, in_w, c)
//   w_ (kd * kh * kw, c * m) as rows
//   -> (n, out_d, out_h, out_w, c * m)
//
// Defines   KW, PAD, STRIDE, PADDED   as in conv.glsl
//           MULTIPLIER    m, where it is not 1: the channels of x_ are then gathered one by one
// Params    as in conv.glsl
#include "tensor.glsl"

uniform sampler2DArray x_;
uniform WEIGHTS_IN w_;

layout(std140) uniform Params {
  ivec3 x_tile;
  ivec3 size_in, size_out, kernel, strides, dilation, pads;
  int out_c4;
  EXTRA_PARAMS
};

#include "epilogue.glsl"

#define ZERO(p) sum[p] = vec4(0.0);
#define STORE(p) out_[p] = tailed(epilogue(sum[p], at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);
#define MULTIPLY(kx, p) sum[p] += m * v[p * STRIDE / SKIP + kx];

#ifdef PADDED
#define KEPT(v, mask) kept(v, mask)
#else
#define KEPT(v, mask) v
#endif

#ifdef KW
#define SKIP (KW == 1 ? STRIDE : 1)
#define PLACE(j) ((j) * SKIP - PAD)
#define INSIDE(j) inside[j] = x * STRIDE + PLACE(j) >= 0 && x * STRIDE + PLACE(j) < size.z ? ~0u : 0u;
#ifdef MULTIPLIER
#define LOAD(j) v[j] = KEPT(channels(tile, row, x * STRIDE + PLACE(j), f4), inside[j] & here);
#else
#define LOAD(j) v[j] = KEPT(X(x_at(column + BEYOND(PLACE(j)) * tile.x, row, PLACE(j) - BEYOND(PLACE(j)) * LANES)), inside[j] & here);
#endif
#define TAP(kx) m = WEIGHT(f4, tap + kx); WITH_LANE(MULTIPLY, kx)
#else
#define STRIDE 1
#define SKIP 1
#define INSIDE(p)
#define LOAD(p) ix = (x + p) * stride.z + kx * spread.z - pad.z; v[p] = KEPT(channels(tile, row, ix, f4), ix >= 0 && ix < size.z ? here : 0u);
#endif

// What the four filters f4 read of pixel x.
vec4 channels(ivec3 tile, int row, int x, int f4) {
#ifdef MULTIPLIER
  vec4 v;
  for (int i = 0; i < 4; i++) {
    int c = (4 * f4 + i) / MULTIPLIER;
    v[i] = PIXEL(tile, row, x, c >> 2)[c & 3];
  }
  return v;
#else
  return PIXEL(tile, row, x, f4);
#endif
}

void main() {
  LOOK_X LOOK_W
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4, block = x;
  x *= LANES;
  int y = at.y % size_out.y, z = (at.y / size_out.y) % size_out.x, n = at.y / (size_out.y * size_out.x);
  ivec3 tile = x_tile;
  ivec3 size = size_in, window = kernel, stride = strides, spread = dilation, pad = pads;
  vec4 sum[LANES], v[WINDOW], m;
  uint inside[WINDOW];
  EACH_LANE(ZERO)
  EACH_PIXEL(INSIDE)
  for (int kz = 0; kz < window.x; kz++) {
    int iz = z * stride.x + kz * spread.x - pad.x, depth = clamp(iz, 0, size.x - 1);
    for (int ky = 0; ky < window.y; ky++) {
      int iy = y * stride.y + ky * spread.y - pad.y, height = clamp(iy, 0, size.y - 1);
      int row = (n * size.x + depth) * size.y + height;
      uint here = iz == depth && iy == height ? ~0u : 0u;
      int tap = (kz * window.y + ky) * window.z;
#ifdef KW
      int column = block * STRIDE * tile.x + f4;
      EACH_PIXEL(LOAD)
      EACH_TAP(TAP)
#else
      for (int kx = 0; kx < window.z; kx++) {
        int ix;
        EACH_PIXEL(LOAD)
        m = WEIGHT(f4, tap + kx);
        WITH_LANE(MULTIPLY, 0)
      }
#endif
    }
  }
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
