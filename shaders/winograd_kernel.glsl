// winograd_kernel.glsl - the kernel of a 3x3 convolution as F(4x4, 3x3) multiplies it: G g G^T for every (c, f).
//
//   w_ (9 * c, f) as rows
//   -> 6 layers j of rows i * c + channel, f columns
//
// Params    in_c: c in elements
// Source    Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015; the points: tried, see tests/bench
#include "tensor.glsl"

uniform WEIGHTS_IN w_;

layout(std140) uniform Params {
  int in_c;
  EXTRA_PARAMS
};

// The products are at the points 0, 3/4, -3/4, 3/2, -3/2 and infinity: a quarter of the rounding error of 0, 1, -1, 2, -2.
const vec3 G[6] = vec3[6](vec3(64.0 / 81.0, 0.0, 0.0), vec3(1.0, 0.75, 0.5625) / -1.8984375,
  vec3(1.0, -0.75, 0.5625) / -1.8984375, vec3(1.0, 1.5, 2.25) / 7.59375, vec3(1.0, -1.5, 2.25) / 7.59375, vec3(0.0, 0.0, 1.0));

// Row i of G g, at column b.
vec4 rows(int i, int c, int b, int f4) {
  return G[i].x * WEIGHT(f4, b * in_c + c) + G[i].y * WEIGHT(f4, (3 + b) * in_c + c) + G[i].z * WEIGHT(f4, (6 + b) * in_c + c);
}

#define STORE(j) out_[j] = G[j].x * g0 + G[j].y * g1 + G[j].z * g2;

void main() {
  LOOK_W
  HERE(at);
  int i = at.y / in_c, c = at.y - i * in_c;
  vec4 g0 = rows(i, c, 0, at.x), g1 = rows(i, c, 1, at.x), g2 = rows(i, c, 2, at.x);
  EACH_LANE(STORE)
}
