// resize.glsl - the same image at other sizes: output i of m lies at (i + 1/2) n / m of the n elements of an axis.
//
//   x_ (n, in_d, in_h, in_w, c) -> (n, out_d, out_h, out_w, c)
//
// Defines   NEAREST   the element it lies in; else the centres on both sides are weighed
// Params    sizes as in conv.glsl
#include "tensor.glsl"

uniform sampler2DArray x_;

layout(std140) uniform Params {
  ivec3 x_tile;
  ivec3 size_in, size_out;
  int out_c4;
  EXTRA_PARAMS
};

#include "epilogue.glsl"

#define PLACE(q) PIXEL(tile, (image * had.x + q.x) * had.y + q.y, q.z, f4)
#define STORE(p) out_[p] = tailed(epilogue(v[p], at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);

void main() {
  LOOK_X
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4;
  x *= LANES;
  ivec3 i = ivec3(at.y / size_out.y % size_out.x, at.y % size_out.y, 0);
  ivec3 tile = x_tile;
  ivec3 had = size_in, made = size_out;
  int image = at.y / (made.x * made.y);
  vec4 v[LANES];
  for (int p = 0; p < LANES; p++) {
    i.z = x + p;
#ifdef NEAREST
    ivec3 from = (2 * i + 1) * had / (2 * made);
    v[p] = PLACE(from);
#else
    vec3 place = clamp(vec3((2 * i + 1) * had) / vec3(2 * made) - 0.5, vec3(0.0), vec3(had - 1));
    ivec3 low = ivec3(place);
    vec3 part = place - vec3(low);
    v[p] = vec4(0.0);
    for (int k = 0; k < 8; k++) {
      ivec3 side = ivec3(k >> 2, k >> 1 & 1, k & 1), from = min(low + side, had - 1);
      vec3 weight = mix(1.0 - part, part, vec3(side));
      float w = weight.x * weight.y * weight.z;
      if (w > 0.0) v[p] += w * PLACE(from);
    }
#endif
  }
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
