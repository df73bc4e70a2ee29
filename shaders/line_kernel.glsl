// line_kernel.glsl - the kernel of a 1x7 or 7x1 convolution as F(4, 7) multiplies it: G g for every (c, f).
//
//   w_ (7 * c, f) as rows
//   -> 5 layers j of rows i * c + channel, f columns
//
// Params    in_c: c in elements
#include "tensor.glsl"
#include "line.glsl"

uniform WEIGHTS_IN w_;

layout(std140) uniform Params {
  int in_c;
  EXTRA_PARAMS
};

#define LOAD(t) g[t] = WEIGHT(at.x, t * in_c + c);
// 1 / the product of p - q over all other finite points q, which is the same for p and -p.
#define SCALE(p, q) (0.5 / (q * (q * (q * (q + NEAR[p].z) + NEAR[p].y) + NEAR[p].x)))

void main() {
  LOOK_W
  HERE(at);
  int i = at.y / in_c, c = at.y - i * in_c;
  vec4 g[7];
  EACH_7(LOAD)
  out_[0] = i == 0 ? g[0] / ALL.x : g[6];
  for (int k = 0; k < 2; k++) {
    float p = POINT[2 * i + k], q = p * p, scale = SCALE(2 * i + k, q);
    vec4 even = scale * (g[0] + q * (g[2] + q * (g[4] + q * g[6]))), odd = scale * p * (g[1] + q * (g[3] + q * g[5]));
    if (k == 0) {
      out_[1] = even + odd;
      out_[2] = even - odd;
    } else {
      out_[3] = even + odd;
      out_[4] = even - odd;
    }
  }
}
