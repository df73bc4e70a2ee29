/* The program that run() executes: instructions one after another, each a struct of 32-bit words below.
   kernels.py reads this file for the order of the fields; tensors are offsets in floats from `base`, -1 for "none". */
#ifndef PROGRAM_H
#define PROGRAM_H
#include <stdint.h>

enum { END, CONV, DEPTHWISE, WINOGRAD, WINOGRAD_IN, WINOGRAD_OUT, GEMM, ATTENTION, PACK, WINOGRAD_PACK, POOL, MAP, REDUCE, SOFTMAX, NORM, COPY, TAKE, SCAN, OPS };
enum { ALONE = 256 };  /* added to an op that is not worth sharing between threads */

enum { R_SUM, R_MAX, R_MIN, R_PROD };  /* Reduce.fn */
enum { P_MAX, P_MEAN };                /* Pool.fn */

/* The end of a contraction: y = min(max(acc + bias + residual, low), high), then the map, if any, over y in place. */
typedef struct {
  int32_t bias;     /* one number per column */
  int32_t residual; /* laid out as the output */
  float low, high;
  int32_t map;      /* words from the start of the instruction to its Map, 0 for none */
} Epilogue;

/* CONV, DEPTHWISE, WINOGRAD, POOL: a window over up to three spatial axes, channels last.
   WINOGRAD_IN writes its 36 matrices (tiles, c), WINOGRAD_OUT reads those of the products (tiles, f); `weights` is not used. */
typedef struct {
  int32_t op, words;
  int32_t src, weights, dst;
  int32_t n, c, f, groups;
  int32_t in[3], out[3], kernel[3], stride[3], dilation[3], before[3];
  int32_t fn;       /* POOL: which; CONV: 1 for a transposed convolution; WINOGRAD: tiles a block */
  int32_t format;   /* CONV: of the packed weights */
  Epilogue end;
} Window;

/* GEMM: y[b] = a[b] (m, k) @ w[b] (k, n), w packed by PACK; batches over four axes. */
typedef struct {
  int32_t op, words;
  int32_t a, b, dst;
  int32_t m, n, k;
  int32_t format;   /* of the packed w */
  int32_t batch[4], a_step[4], b_step[4];
  Epilogue end;
} Gemm;

/* ATTENTION: y[i] = softmax(map(q[i] @ k[i])) @ v[i] for i < n; q (t, c), k (c, s) and v (s, f) packed by PACK as floats. The map, if
   any, is over all of the scores (n, t, s), of which never more than a few rows are in memory. */
typedef struct {
  int32_t op, words;
  int32_t q, k, v, dst;
  int32_t n, t, s, c, f;
  int32_t map;
} Attention;

/* How packed weights are kept. A panel of HALVES or BYTES begins with 16 floats: whether all are finite and 15 of nothing; 8 scales
   and 8 offsets, of which a byte q, 128 less than in the file, means scale * q + offset: so that q is small where a weight is. */
enum { FLOATS, HALVES, BYTES };

/* PACK: src, read at tap * tap_step + c * c_step + f * f_step, becomes panels of 8 columns: (f / 8, taps * c, 8), zeros after f.
   For BYTES src is bytes, whose meaning scale * q + min is multiplied by factor[i * factor_step + f], unless that is -1.
   WINOGRAD_PACK: the same of 36 (or 16) transformed kernels, one after another. */
typedef struct {
  int32_t op, words;
  int32_t src, dst;
  int32_t count, src_step, dst_step;  /* how many, and how far apart */
  int32_t taps, c, f, tap_step, c_step, f_step;
  int32_t format, factor, factor_step;
  float scale, min;
} Pack;

/* MAP: an expression over inputs. Followed by inputs (MapInput), literals (float) and code (MapCode). */
typedef struct {
  int32_t op, words;
  int32_t dst, size;
  int32_t inputs, literals, code, registers;
  int32_t dims[6];
} Map;

typedef struct {
  int32_t src;       /* -1: the result itself, in an epilogue */
  int32_t kind;      /* 0: laid out as the result, 1: a single number, 2: by its strides */
  int32_t strides[6];
} MapInput;

/* Operands: a register, 64 + an input, 128 + a literal; 255 is the result. */
typedef struct {
  int32_t function, to, a, b, c;
} MapCode;

/* REDUCE: (outer, r, inner) -> (outer, inner). SOFTMAX: over r, inner is 1. */
typedef struct {
  int32_t op, words;
  int32_t src, dst, outer, r, inner, fn;
} Reduce;

/* NORM: rows of r numbers, less their mean, over sqrt(variance + epsilon), times gamma, plus beta (r numbers each), then the map. */
typedef struct {
  int32_t op, words;
  int32_t src, dst, outer, r;
  float epsilon;
  int32_t gamma, beta, map;
} Norm;

/* COPY: element (i0 .. i5) from src + sum i * x_step to dst + sum i * y_step. */
typedef struct {
  int32_t op, words;
  int32_t src, dst;
  int32_t dims[6], x_step[6], y_step[6];
} Copy;

/* TAKE: (outer, n, inner) by count row numbers -> (outer, count, inner); numbers are clipped to the axis. */
typedef struct {
  int32_t op, words;
  int32_t src, rows, dst, outer, n, inner, count;
} Take;

/* SCAN: `moving` pairs (a word of the body, by how much it grows with every step), then the body, a program of its own with its END. */
typedef struct {
  int32_t op, words;
  int32_t steps, moving;
} Scan;

#endif
