// tensor.glsl - how a tensor lies in a texture. Included by every kernel.
//
// A tensor is seen as (rows, w, c): its last axis is c, the one before is w, all axes before are rows. It is a
// TEXTURE_2D_ARRAY of LANES layers: neighbouring pixels of w lie in neighbouring layers, four channels in one texel.
//
//   layer = x mod LANES      column = (x div LANES) * c4 + c div 4      row = row      c4 = ceil(c / 4)
//
// LANES is 8 (4 where a fragment can write only 4 texels, 7 or 2 where that suits the graph), a smaller power of two when
// w is. One fragment makes one texel of every layer: LANES neighbouring pixels, so what it fetches of the weights it
// uses LANES times.
//
// Weights are seen as (rows, 1, c), so they are one layer of plain rows: the file's bytes go there as they are. Where only
// WEIGHT reads a constant it is a TEXTURE_2D (W_PLAIN): of an array a software GPU fetches at more than twice the cost.
//
// Where the fragments of a square of 2 x 2 work together (sums.glsl), a tensor of several layers is stacked: column 2 i + 1
// lies below column 2 i, in row 2 row + 1, so that a square is four neighbouring columns of one row.
//
// A tensor too high or too wide for a texture is folded: rows beyond f.y go on f.z columns to the right, columns beyond
// f.x go on f.w rows below, f being the parameter s_fold of sampler s_ and out_fold of the result. Where nothing a draw
// touches is folded, FOLD is not defined and none of this exists.
//
// s_at(column, row, layer) is where a texel of sampler s_ lies, however that is; HERE the column and row of this fragment.
//
// A tensor may be drawn into its columns of a concatenation (PLACED): out_place is texels of a pixel there, how many of
// them are not its own, and which is its first one. HERE is its own column all the same.
//
// A flat texture holds elements in order, four to a texel, row by row: what is read back, and what other kernels leave on
// the GPU as inputs. Constants of several layers go up as they lie above (laid in common.js), inputs where Limits.lays.
//
// Channels beyond c are always zero: kernels sum over whole texels. Every kernel stores through store(), which sees
// to it (define TAIL = c mod 4 where that is not 0; where fragments write one texel, a parameter, for few programs are to
// do for many models). Pixels beyond w hold anything; whoever reads checks x < w.
//
// Where SAMPLED, kernels read by texture() instead of texelFetch, the same texels: SwiftShader takes 210 instructions for a
// texelFetch, for it asks which level each fragment wants and whether every coordinate is inside.
//
// What a kernel reads of its parameters in a loop it reads into a variable before: SwiftShader checks the bounds of a
// uniform block at every read.
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp sampler2DArray;

#define EACH_1(M) M(0)
#define EACH_2(M) EACH_1(M) M(1)
#define EACH_3(M) EACH_2(M) M(2)
#define EACH_4(M) EACH_3(M) M(3)
#define EACH_5(M) EACH_4(M) M(4)
#define EACH_6(M) EACH_5(M) M(5)
#define EACH_7(M) EACH_6(M) M(6)
#define EACH_8(M) EACH_7(M) M(7)
#define EACH_9(M) EACH_8(M) M(8)
#define EACH_10(M) EACH_9(M) M(9)
#define EACH_11(M) EACH_10(M) M(10)
#define EACH_12(M) EACH_11(M) M(11)
#define EACH_13(M) EACH_12(M) M(12)
#define EACH_14(M) EACH_13(M) M(13)
#define EACH_15(M) EACH_14(M) M(14)
#define EACH_16(M) EACH_15(M) M(15)
#define EACH_17(M) EACH_16(M) M(16)
#define EACH_18(M) EACH_17(M) M(17)
#define EACH_19(M) EACH_18(M) M(18)
#define EACH_20(M) EACH_19(M) M(19)
#define EACH_21(M) EACH_20(M) M(20)
#define WITH_1(M, k) M(k, 0)
#define WITH_2(M, k) WITH_1(M, k) M(k, 1)
#define WITH_3(M, k) WITH_2(M, k) M(k, 2)
#define WITH_4(M, k) WITH_3(M, k) M(k, 3)
#define WITH_5(M, k) WITH_4(M, k) M(k, 4)
#define WITH_6(M, k) WITH_5(M, k) M(k, 5)
#define WITH_7(M, k) WITH_6(M, k) M(k, 6)
#define WITH_8(M, k) WITH_7(M, k) M(k, 7)

// EACH_LANE(M) is M(0) M(1) ... for all lanes, WITH_LANE(M, k) is M(k, 0) M(k, 1) ...: array indices stay literals.
layout(location = 0) out vec4 out_[LANES];

#define PLAIN(column, row, layer) ivec3(column, row, layer)
#define STACKED(column, row, layer) ivec3(int(float(column) * 0.5), (row) + (row) + ((column) & 1), layer)
#ifdef FOLD
ivec3 folded(ivec4 f, int column, int row, int layer) {
  int right = row / f.y, down = column / f.x;
  return ivec3(column - down * f.x + right * f.z, row - right * f.y + down * f.w, layer);
}
ivec2 unfolded(ivec4 f, ivec2 at) {
  if (f.z > 0) return ivec2(at.x % f.z, at.y + at.x / f.z * f.y);
  return f.w > 0 ? ivec2(at.x + at.y / f.w * f.x, at.y % f.w) : at;
}
#endif
ivec2 unstacked(ivec2 at) { return ivec2(2 * at.x + (at.y & 1), at.y >> 1); }
#define HERE(at) ivec2 at = OWN_AT(ivec2(gl_FragCoord.xy))

#ifdef PLACED
#undef HERE
#define HERE(at) ivec2 at = OWN_AT(ivec2(gl_FragCoord.xy)); at.x -= out_place.z + at.x / out_place.x * out_place.y
#endif

// tile is (c4, lanes, the bits of 1 / lanes): where pixel px lies. Integers are neither divided nor shifted, except in
// images so WIDE that floats would not be exact: SwiftShader does that a number at a time.
#ifdef WIDE
#define BLOCK(tile, px) ((px) / tile.y)
#else
#define BLOCK(tile, px) int((float(px) + 0.5) * intBitsToFloat(tile.z))
#endif
#define LAYER(tile, px) ((px) - BLOCK(tile, px) * tile.y)
// The block that pixel j of a fragment's own lies in, from the fragment's: j is known beforehand, and may be negative.
#define BEYOND(j) (((j) + 4096 * LANES) / LANES - 4096)

#ifdef W_PLAIN
#define WEIGHTS_IN sampler2D
#define W_PLACE(at) (at).xy
#else
#define WEIGHTS_IN sampler2DArray
#define W_PLACE(at) at
#endif

// X(at) is a texel of sampler x_, WEIGHT(f4, row) one of w_, of whose layers W_LAYER; LOOK_X and LOOK_W come before, in main.
#ifndef W_LAYER
#define W_LAYER 0
#endif
#ifdef SAMPLED
vec3 x_texel, w_texel;  // a texel as a share of x_, of w_
#define LOOK_X x_texel = vec3(1.0 / vec2(textureSize(x_, 0).xy), 1.0);
#define LOOK_W w_texel = vec3(1.0 / vec2(textureSize(w_, 0).xy), 1.0);
#define MIDDLE(at, texel) ((vec3(at) + vec3(0.5, 0.5, 0.0)) * texel)
#define X(at) texture(x_, MIDDLE(at, x_texel))
#define WEIGHT(f4, row) texture(w_, W_PLACE(MIDDLE(w_at(f4, row, W_LAYER), w_texel)))
#else
#define LOOK_X
#define LOOK_W
#define X(at) texelFetch(x_, at, 0)
#define WEIGHT(f4, row) texelFetch(w_, W_PLACE(w_at(f4, row, W_LAYER)), 0)
#endif

// ROW(f4, row, i) is WEIGHT(f4, row + i), after LOOK_AT(f4, row).
#if defined(SAMPLED) && !defined(FOLD)
vec2 w_spot;
#define LOOK_AT(f4, row) w_spot = (vec2(f4, row) + 0.5) * w_texel.xy;
#define BELOW(i) vec3(w_spot.x, w_spot.y + float(i) * w_texel.y, W_LAYER)
#define ROW(f4, row, i) texture(w_, W_PLACE(BELOW(i)))
#else
#define LOOK_AT(f4, row)
#define ROW(f4, row, i) WEIGHT(f4, (row) + i)
#endif

// Where the four channels c4 of pixel px lie, and they themselves in x_.
#define AT(place, tile, row, px, c4) place(BLOCK(tile, px) * tile.x + (c4), row, LAYER(tile, px))
#define PIXEL(tile, row, px, c4) X(AT(x_at, tile, row, px, c4))

// v where the mask has all bits, zeros where it has none. Branches would cost a software GPU a third of its time.
vec4 kept(vec4 v, uint mask) { return uintBitsToFloat(floatBitsToUint(v) & mask); }

// Element i of a flat texture.
float element(sampler2DArray t, int width, int i) {
  int texel = i >> 2;
  return texelFetch(t, ivec3(texel % width, texel / width, 0), 0)[i & 3];
}

// v with the channels beyond the tensor's last one set to zero. Only the last texel of a pixel has such.
vec4 cut(vec4 v, int n) { return vec4(v.x, n > 1 ? v.y : 0.0, n > 2 ? v.z : 0.0, n > 3 ? v.w : 0.0); }
#ifdef TAIL
#define tailed(v, last) cut(v, last ? TAIL : 4)
#else
#define tailed(v, last) (v)
#endif
