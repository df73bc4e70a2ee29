// line_output.glsl - the products of F(4, 7) back to pixels: A^T m. A fragment makes LANES pixels of a row.
//
//   x_ (10, lines, f) from winograd_multiply.glsl
//   -> (n, out_h, out_w, f)
//
// Params    lines: down and across an image; span: pixels from one line to the next, size_out, both as (y, x)
#include "tensor.glsl"
#include "line.glsl"

uniform sampler2DArray x_;

layout(std140) uniform Params {
  ivec3 x_tile;
  ivec2 lines, span, size_out;
  int out_c4;
  EXTRA_PARAMS
};

#include "epilogue.glsl"

#define POWERS(p) vec4(1.0, p, p * p, p * p * p)
const vec4 A[10] = vec4[10](vec4(1.0, 0.0, 0.0, 0.0), POWERS(POINT[0]), POWERS(-POINT[0]), POWERS(POINT[1]), POWERS(-POINT[1]),
  vec4(0.0, 0.0, 0.0, 1.0), POWERS(POINT[2]), POWERS(-POINT[2]), POWERS(POINT[3]), POWERS(-POINT[3]));

#define PLACE(p) px = min(x + p, last); across = px / each.y; line[p] = first + across; power[p] = part + px - across * each.y; v[p] = vec4(0.0);
#define ADD(p) v[p] += a[power[p]] * PIXEL(lies, i, line[p], f4);
#define STORE(p) out_[p] = tailed(epilogue(v[p], at.x, at.y, x + p, f4, p), f4 == out_c4 - 1);

void main() {
  LOOK_X
  HERE(at);
  int x = at.x / out_c4, f4 = at.x - x * out_c4;
  x *= LANES;
  ivec2 each = span;
  int image = at.y / size_out.x, y = at.y - image * size_out.x, down = y / each.x;
  int first = (image * lines.x + down) * lines.y, part = y - down * each.x, last = size_out.y - 1, px, across;
  ivec3 lies = x_tile;
  vec4 v[LANES];
  int line[LANES], power[LANES];
  EACH_LANE(PLACE)
  for (int i = 0; i < 10; i++) {
    vec4 a = A[i];
    EACH_LANE(ADD)
  }
  load_extras(at.y, f4);
  EACH_LANE(STORE)
}
