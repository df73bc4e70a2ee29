// spread.glsl - pixels of fewer than four channels, from a flat texture that has a row of them in each of its own rows.
//
//   s0 (rows, w * c) in order -> (rows, w, c); LANES pixels of a row are whole texels
//
// Defines   FEW           c: 1, 2 or 3
//           EACH_TEXEL    EACH_n, n = LANES * c / 4 texels that LANES pixels lie in
// Params    each: n
#include "tensor.glsl"

uniform sampler2DArray s0;

layout(std140) uniform Params {
  int each;
  EXTRA_PARAMS
};

#define FETCH(j) u[j] = texelFetch(s0, ivec3(at.x * each + j, at.y, 0), 0);
#define ELEMENT(i) u[(i) / 4][(i) % 4]
#define STORE(p) out_[p] = vec4(ELEMENT(FEW * p), FEW > 1 ? ELEMENT(FEW * p + 1) : 0.0, FEW > 2 ? ELEMENT(FEW * p + 2) : 0.0, 0.0);

void main() {
  HERE(at);
  vec4 u[LANES];
  EACH_TEXEL(FETCH)
  EACH_LANE(STORE)
}
