// conv.glsl - cross-correlation over (d, h, w), channels last; a fragment makes LANES pixels of 4 filters.
//
//   x_ (n, in_d, in_h, in_w, c)
//   w_ (kd * kh * kw * cg, f), cg = c / groups, as rows
//   -> (n, out_d, out_h, out_w, f)
//
// Defines   KW, PAD, STRIDE   the kernel's width, the left pad and the stride along w, where the stride is 1 or 2, dilation
//                     is 1 and x_ has LANES lanes: then every input pixel is fetched once and used for all taps, at
//                     addresses known beforehand
//           PADDED    there are pads: what is outside counts as zero. Without, a window is never outside
//           FEW       the input has this many channels, fewer than 4: no others are multiplied
// Params    sizes in elements, *_c4 in texels; triples are (z, y, x); pads are the leading ones
//           group_f4, group_c4: texels of a group's filters and channels (out_c4 and 0 when there is one group)
#include "tensor.glsl"

uniform sampler2DArray x_;
uniform WEIGHTS_IN w_;

layout(std140) uniform Params {
  ivec3 x_tile;
  ivec3 size_in, size_out, kernel, strides, dilation, pads;
  int out_c4, in_c4, in_c, group_f4, group_c4;
  EXTRA_PARAMS
};

#include "epilogue.glsl"

#ifndef FEW
#define MATRIX(f) mat4(ROW(f, k, 0), ROW(f, k, 1), ROW(f, k, 2), ROW(f, k, 3))
#define OWN(v) v
#elif FEW == 3
#define WEIGHTS mat3x4
#define MATRIX(f) mat3x4(ROW(f, k, 0), ROW(f, k, 1), ROW(f, k, 2))
#define OWN(v) v.xyz
#elif FEW == 2
#define WEIGHTS mat2x4
#define MATRIX(f) mat2x4(ROW(f, k, 0), ROW(f, k, 1))
#define OWN(v) v.xy
#else
#define WEIGHTS vec4
#define MATRIX(f) ROW(f, k, 0)
#define OWN(v) v.x
#endif
#include "sums.glsl"

#define MULTIPLY(kx, p) ADD(p, OWN(v[p * STRIDE / SKIP + kx]))
#define STORE(p) out_[p] = tailed(epilogue(sum[p], at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);

#ifdef PADDED
#define KEPT(v, mask) kept(v, mask)
#else
#define KEPT(v, mask) v
#endif

#ifdef SQUARE
#define SPOT(g) j = MINE(g, WINDOW - 1); spot[g] = ivec2(BEYOND(PLACE(j)) * tile.x, PLACE(j) - BEYOND(PLACE(j)) * LANES); INSIDE_(g, j)
#define FETCHED(g) KEPT(X(x_at(column + spot[g].x, row, spot[g].y)), inside[g] & here)
#define LOADS EACH_TELL
#else
#define LOADS EACH_PIXEL(LOAD)
#endif

#ifdef KW
// Of the window every SKIPth pixel is read. Where pixel j lies from input pixel x * STRIDE, so its layer and its column
// up to the block, is known.
#define SKIP (KW == 1 ? STRIDE : 1)
#define PLACE(j) ((j) * SKIP - PAD)
#define INSIDE(j) INSIDE_(j, j)
#define INSIDE_(i, j) inside[i] = x * STRIDE + PLACE(j) >= 0 && x * STRIDE + PLACE(j) < size.z ? ~0u : 0u;
#define LOAD(j) v[j] = KEPT(X(x_at(column + BEYOND(PLACE(j)) * tile.x, row, PLACE(j) - BEYOND(PLACE(j)) * LANES)), inside[j] & here);
#define TAP(kx) k = tap + kx * c; MATRICES WITH_LANE(MULTIPLY, kx)
#else
#define STRIDE 1
#define SKIP 1
#define INSIDE(p)
#define LOAD(p) ix = (x + p) * stride.z + kx * spread.z - pad.z; v[p] = KEPT(PIXEL(tile, row, ix, i + first + from), ix >= 0 && ix < size.z ? here : 0u);
#endif

void main() {
  LOOK_X LOOK_W
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4, block = x;
  x *= LANES;
  int y = at.y % size_out.y, z = (at.y / size_out.y) % size_out.x, n = at.y / (size_out.y * size_out.x);
  int first = (f4 / group_f4) * group_c4;
  ivec3 tile = x_tile;
  ivec3 size = size_in, window = kernel, stride = strides, spread = dilation, pad = pads;
  int c = in_c, c4 = in_c4;
  vec4 v[WINDOW];
  uint inside[WINDOW];
  int k, from = FIRST;
  SUMS
  EACH_LANE(ZERO)
#ifdef SQUARE
  TELLING
  int j;
  ivec2 spot[SQUARE];
  EACH_GROUP(SPOT)
#else
  EACH_PIXEL(INSIDE)
#endif
  for (int kz = 0; kz < window.x; kz++) {
    int iz = z * stride.x + kz * spread.x - pad.x, depth = clamp(iz, 0, size.x - 1);
    for (int ky = 0; ky < window.y; ky++) {
      int iy = y * stride.y + ky * spread.y - pad.y, height = clamp(iy, 0, size.y - 1);
      int row = (n * size.x + depth) * size.y + height;
      uint here = iz == depth && iy == height ? ~0u : 0u;
      int tap = (kz * window.y + ky) * window.z * c + 4 * from;
#ifdef KW
      int column = block * STRIDE * tile.x + first + from;
      for (int i = 0; i < c4; i += TURN, column += TURN, tap += 4 * TURN) {
        LOADS
        EACH_TAP(TAP)
      }
#else
      for (int kx = 0; kx < window.z; kx++, tap += c) {
        for (int i = 0; i < c4; i += TURN) {
          int ix;
          EACH_PIXEL(LOAD)
          k = tap + 4 * i;
          MATRICES
          WITH_LANE(MULTIPLY, 0)
        }
      }
#endif
    }
  }
  EACH_LANE(JOIN)
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
