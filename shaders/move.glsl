// move.glsl - elements go elsewhere: reshape, transpose, slice, flip, pad, broadcast, concat, upload and read-back.
//
// Every source s has, per axis of the result (six, leading ones 1), the range low <= i < high in which it is read, and
// the step in elements that one more i makes in it; the first source whose ranges hold an element gives it, else fill.
//
//   s0, s1, ...     tiles, or flat textures
//   -> a tile (rows, out_w, out_c), or flat (define OUT_FLAT: out_w is then the texture's width, out_c unused)
//
// Defines   SOURCES, SOURCE_PARAMS    declarations of the samplers and of their parameters
//           EACH_SOURCE               for every source: if it holds the element, return it
// Params    dims_a, dims_b: the result's six axes; out_size: its elements; for source s0: s0_base, s0_low_a ... s0_step_b,
//           and s0_tile, s0_w, s0_c of a tile, or the texture's width s0_w where it is flat
#include "tensor.glsl"

SOURCES

layout(std140) uniform Params {
  ivec3 dims_a, dims_b;
  int out_w, out_c, out_c4, out_size;
  float fill;
  SOURCE_PARAMS
};

int dot_(ivec3 a, ivec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

bool inside(ivec3 i, ivec3 low, ivec3 high) {
  return all(greaterThanEqual(i, low)) && all(lessThan(i, high));
}

float from_tile(sampler2DArray t, ivec3 tile, int w, int c, int i) {
  int x = i / c, channel = i - x * c, row = x / w;
  return pixel(t, tile, row, x - row * w, channel >> 2)[channel & 3];
}

// Element i of the result.
float moved(int i) {
  ivec3 a, b;
  b.z = i % dims_b.z; i /= dims_b.z;
  b.y = i % dims_b.y; i /= dims_b.y;
  b.x = i % dims_b.x; i /= dims_b.x;
  a.z = i % dims_a.z; i /= dims_a.z;
  a.y = i % dims_a.y; i /= dims_a.y;
  a.x = i;
  EACH_SOURCE
  return fill;
}

// Four elements from i on, of which `left` exist.
vec4 four(int i, int left) {
  vec4 v = vec4(0.0);
  for (int k = 0; k < 4; k++) if (k < left) v[k] = moved(i + k);
  return v;
}

#define STORE(p) out_[p] = v[p];

void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  vec4 v[LANES];
#ifdef OUT_FLAT
  int i = (at.y * out_w + at.x) * 4;
  v[0] = four(i, out_size - i);
#else
  int x = at.x / out_c4, f4 = at.x - x * out_c4;
  x *= LANES;
  // A loop, not LANES copies: the body is long, and drivers compile what they see.
  for (int p = 0; p < LANES; p++) {
    int i = (at.y * out_w + x + p) * out_c + 4 * f4;
    v[p] = x + p < out_w ? four(i, out_c - 4 * f4) : vec4(0.0);
  }
#endif
  EACH_LANE(STORE)
}
