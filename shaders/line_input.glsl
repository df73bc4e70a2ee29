// line_input.glsl - the input of a 1x7 or 7x1 convolution in overlapping lines d of 10 pixels, as F(4, 7) multiplies them: B^T d.
//
//   x_ (n, in_h, in_w, c)
//   -> 5 layers j of rows (i, row of lines), columns (line, c4); lines in the order (n, y, x), `wide` of them in a row
//
// Params    lines: lines down and across an image, rows of lines in the result; span: pixels from one line to the next, pads
//           before the first, along: from one pixel of a line to the next, all as (y, x); out_c4: texels of c
#include "tensor.glsl"
#include "line.glsl"

uniform sampler2DArray x_;

layout(std140) uniform Params {
  ivec3 x_tile;
  ivec2 size_in, span, pads, along;
  ivec3 lines;
  int wide, out_c4;
  EXTRA_PARAMS
};

#define LOAD(k) p = from + k * next; d[k] = kept(PIXEL(lies, image * size.x + p.x, p.y, c4), p.x >= 0 && p.x < size.x && p.y >= 0 && p.y < size.y ? ~0u : 0u);
#define EVEN(q) (q.x * d[2] + q.y * d[4] + q.z * d[6] + d[8])
#define ODD(q) (q.x * d[1] + q.y * d[3] + q.z * d[5] + d[7])

void main() {
  LOOK_X
  HERE(at);
  int x = at.x / out_c4, c4 = at.x - x * out_c4;
  int i = at.y / lines.z, line = (at.y - i * lines.z) * wide + x, row = line / lines.y;
  int image = row / lines.x;
  ivec3 lies = x_tile;
  ivec2 size = size_in, next = along, from = ivec2(row - image * lines.x, line - row * lines.y) * span - pads, p;
  vec4 d[10];
  EACH_10(LOAD)
  vec4 near = NEAR[2 * i], far = NEAR[2 * i + 1];
  vec4 even = EVEN(near), odd = POINT[2 * i] * ODD(near);
  out_[1] = even + odd;
  out_[2] = even - odd;
  even = EVEN(far);
  odd = POINT[2 * i + 1] * ODD(far);
  out_[3] = even + odd;
  out_[4] = even - odd;
  if (i == 0) out_[0] = ALL.x * d[0] + ALL.y * d[2] + ALL.z * d[4] + ALL.w * d[6] + d[8];
  else out_[0] = ALL.x * d[1] + ALL.y * d[3] + ALL.z * d[5] + ALL.w * d[7] + d[9];
}
