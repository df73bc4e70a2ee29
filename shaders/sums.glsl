// sums.glsl - the sums of a kernel that multiplies: LANES pixels by four filters, MATRIX(f) holding the weights that meet
// the four channels which a turn of the loop takes. The loop begins at texel FIRST of the channels and takes every TURNth.
//
// Defines   PAIR    two neighbouring fragments share their work, for what they fetch limits such a kernel. Columns 2 i and
//                   2 i + 1 of a draw are filters of the same pixels. Each of the two sums over half of the channels for
//                   the filters of both, so that what it fetches of the pixels serves eight filters; in the end they tell
//                   each other their sums through a derivative: where one side says 0, the difference is what the other
//                   side says, exactly. It takes a driver whose dFdx is that of a fragment's own row (selftest.py asks
//                   it) and control flow that is the same for all fragments of a draw.
//           SQUARE  four neighbouring fragments share what they fetch. Columns 4 i to 4 i + 3 of a stacked draw are filters of
//                   the same pixels, of which every fragment fetches every third only, and hears the others through
//                   derivatives. It takes a driver whose dFdx is what the second fragment of a square says less what the
//                   first one says, whose dFdy is what the third one says less that, and both the same for all four: so
//                   are SwiftShader's. The fourth one is never heard. Of SQUARE groups of three pixels each, EACH_TELL
//                   tells all into v; FETCHED(g) is what this fragment fetches of group g, its pixel there being MINE(g)
// Source    derivatives as messages: Penner, Shader Amortization using Pixel Quad Message Passing, GPU Pro 2, 2011
#ifndef WEIGHTS
#define WEIGHTS mat4
#endif

#ifdef SQUARE
#define TELLING vec4 t, u; ivec2 side = ivec2(gl_FragCoord.xy) & 1; int who = min(side.x + 2 * side.y, 2); uint mine = who == 0 ? ~0u : 0u;
#define MINE(g, last) min(3 * (g) + who, last)
#define TELL_1(g) v[3 * g] = FETCHED(g);
#define TELL_2(g) t = FETCHED(g); u = kept(t, mine); v[3 * g] = -dFdx(u); t = kept(t, ~mine); v[3 * g + 1] = dFdx(t);
#define TELL_3(g) TELL_2(g) v[3 * g + 2] = dFdy(t);
#endif

#ifdef PAIR
#define FIRST side()
#define TURN 2
#define SUMS vec4 sum[LANES], more[LANES], told; mat4 m, w;
#define ZERO(p) sum[p] = more[p] = vec4(0.0);
#define MATRICES m = MATRIX(f4 & ~1); w = MATRIX(f4 | 1);
#define ADD(p, v) told = v; sum[p] += m * told; more[p] += w * told;
#define JOIN(p) sum[p] = joined(sum[p], more[p]);

int side() { return int(gl_FragCoord.x) & 1; }

// The sum of this fragment's column, from what it has summed for the even column and for the odd one.
vec4 joined(vec4 even, vec4 odd) {
  bool right = side() == 1;
  vec4 told = right ? even : odd;
  vec4 from_right = dFdx(right ? told : vec4(0.0)), from_left = -dFdx(right ? vec4(0.0) : told);
  return right ? odd + from_left : even + from_right;
}
#else
#define FIRST 0
#define TURN 1
#define SUMS vec4 sum[LANES]; WEIGHTS m;
#define ZERO(p) sum[p] = vec4(0.0);
#define MATRICES LOOK_AT(f4, k) m = MATRIX(f4);
#define ADD(p, v) sum[p] += m * (v);
#define JOIN(p)
#endif
