// sequence.glsl - what the steps of a recurrent layer left behind, as one tensor.
//
//   a_, b_ the states after even and odd steps, as recurrent.glsl wrote them
//   m_ (n * steps, 1)     with define ZERO_MASKED: where it is 0, so is the result
//   -> (n, w, u)
//
// Params    pixel x holds the state after step first + x * sign; rows: samples; height: steps below each other, before
//           they go on to the right; above: rows of another layer above this one's; layer: which state; the mask's row
//           is sample * steps + x
#include "tensor.glsl"

uniform sampler2DArray a_, b_;
#ifdef ZERO_MASKED
uniform sampler2DArray m_;
#endif

layout(std140) uniform Params {
  int first, sign_, rows, above, height, layer, steps, out_w, out_c4;
  EXTRA_PARAMS
};

#define STORE(p) out_[p] = v[p];

void main() {
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4;
  x *= LANES;
  vec4 v[LANES];
  for (int p = 0; p < LANES; p++) {
    int k = first + (x + p) * sign_;
    if (x + p >= out_w) { v[p] = vec4(0.0); continue; }
    ivec3 from = ivec3(k / height * out_c4 + f4, k % height * rows + above + at.y, layer);
    if ((k & 1) == 0) v[p] = texelFetch(a_, from, 0); else v[p] = texelFetch(b_, from, 0);
#ifdef ZERO_MASKED
    if (texelFetch(m_, m_at(0, (above + at.y) * steps + x + p, 0), 0).x == 0.0) v[p] = vec4(0.0);
#endif
  }
  EACH_LANE(STORE)
}
