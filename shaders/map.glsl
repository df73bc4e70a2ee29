// map.glsl - a scalar expression over any number of tensors; the expression is the epilogue, there is nothing else.
//
//   e0, e1, ...     the inputs, each of the result's shape or broadcast to it
//   -> (rows, w, c)
//
// Params    out_c4: texels of a pixel
#include "tensor.glsl"

layout(std140) uniform Params {
  int out_c4;
  EXTRA_PARAMS
};

#include "epilogue.glsl"

#define STORE(p) out_[p] = tailed(epilogue(vec4(0.0), at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);

void main() {
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4;
  x *= LANES;
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
