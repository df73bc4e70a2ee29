/* The transcendental scalar functions on four floats. Each is within 4 ulp of the true value where float32 can hold it
   (measured in tests/host/test_wasm_scalars.py), infinities and NaN included. */
#ifndef SCALARS_H
#define SCALARS_H
#include "wk.h"

INLINE f4 power_of_two(i4 n) { return (f4)((n + 127) << 23); }  /* -126 <= n <= 127 */
INLINE f4 vabs(f4 x) { return (f4)((i4)x & 0x7fffffff); }
INLINE f4 with_sign(f4 x, f4 sign) { return (f4)(((i4)x & 0x7fffffff) | ((i4)sign & INT32_MIN)); }

/* x = n * ln 2 + r with |r| <= ln 2 / 2; returns r. */
INLINE f4 reduced(f4 x, f4 *n) {
  *n = vround(x * 1.44269504f);
  return x - *n * 0.693145752f - *n * 1.42860677e-6f;
}

/* exp(r) - 1 for |r| <= ln 2 / 2: Taylor, to r^7 / 7!. */
INLINE f4 expm1_small(f4 r) {
  f4 p = splat(1.f / 5040);
  p = p * r + 1.f / 720;
  p = p * r + 1.f / 120;
  p = p * r + 1.f / 24;
  p = p * r + 1.f / 6;
  p = p * r + .5f;
  return p * r * r + r;
}

INLINE f4 vexp(f4 x) {
  f4 n, r = reduced(below(above(x, splat(-104.f)), splat(89.f)), &n);
  i4 i = vint(n), half = i >> 1;  /* in two steps, so that the smallest and largest results survive */
  f4 y = (expm1_small(r) + 1.f) * power_of_two(half) * power_of_two(i - half);
  return choose(x != x, x, y);
}

INLINE f4 vexpm1(f4 x) {
  f4 n, r = reduced(below(above(x, splat(-30.f)), splat(89.f)), &n);
  i4 i = vint(n), half = i >> 1;
  f4 s = power_of_two(half), t = power_of_two(i - half), e = expm1_small(r);
  f4 y = choose(n == 0.f, e, choose(i > 60, (e + 1.f) * s * t, e * s * t + (s * t - 1.f)));
  return choose(x != x, x, choose(vabs(x) < 1e-7f, x, y));
}

/* log(m 2^e) = e ln 2 + 2 atanh((m - 1) / (m + 1)), 1/sqrt 2 <= m < sqrt 2. */
INLINE f4 vlog(f4 x) {
  i4 tiny = x < 1.17549435e-38f;
  f4 v = above(choose(tiny, x * 8388608.f, x), splat(1e-38f));
  i4 bits = (i4)v - 0x3f3504f3;
  i4 e = bits >> 23;
  f4 m = (f4)((bits & 0x7fffff) + 0x3f3504f3), k = vfloat(e) - choose(tiny, splat(23.f), splat(0));
  f4 f = m - 1.f, s = f / (f + 2.f), z = s * s;
  f4 p = splat(2.f / 11);
  p = p * z + 2.f / 9;
  p = p * z + 2.f / 7;
  p = p * z + 2.f / 5;
  p = p * z + 2.f / 3;
  f4 y = f - s * (f - p * z) + k * 1.42860677e-6f + k * 0.693145752f;  /* 2 s = f - s f */
  y = choose(x == 0.f, splat(-__builtin_inff()), choose(x < 0.f, splat(__builtin_nanf("")), y));
  return choose((x == __builtin_inff()) | (x != x), x, y);
}

INLINE f4 vlog1p(f4 x) {
  f4 u = x + 1.f, d = u - 1.f;
  f4 y = vlog(u) * (x / choose(d == 0.f, splat(1.f), d));  /* what 1 + x rounds away comes back as a factor */
  y = choose(d == 0.f, x, y);
  return choose((u == 0.f) | (u == __builtin_inff()) | (u < 0.f) | (x != x), vlog(u), y);
}

INLINE f4 vtanh(f4 x) {
  f4 e = vexpm1(below(vabs(x) * 2.f, splat(40.f)));
  return choose(x != x, x, with_sign(e / (e + 2.f), x));
}

INLINE f4 vsigmoid(f4 x) {
  f4 e = vexp((f4)((i4)x | INT32_MIN));  /* exp(-|x|) */
  return choose(x != x, x, choose(x < 0.f, e, splat(1.f)) / (e + 1.f));
}

/* |x| < 1: Maclaurin series. Beyond: 1 - a polynomial of 1 / (1 + p x) times exp(-x^2).
   Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.5 and 7.1.26. */
INLINE f4 verf(f4 x) {
  static const float series[] = {1.f / 76204800, -1.f / 6894720, 1.f / 685440, -1.f / 75600, 1.f / 9360, -1.f / 1320, 1.f / 216, -1.f / 42, .1f, -1.f / 3};
  f4 z = x * x, p = splat(0), a = vabs(x);
  for (int i = 0; i < 10; i++) p = (p + series[i]) * z;
  f4 small = (x + x * p) * 1.12837917f;
  f4 t = 1.f / (a * .3275911f + 1.f);
  f4 q = ((((t * 1.061405429f - 1.453152027f) * t + 1.421413741f) * t - .284496736f) * t + .254829592f) * t;
  f4 large = 1.f - q * vexp(-below(z, splat(100.f)));
  return choose(a < 1.f, small, choose(x != x, x, with_sign(large, x)));
}

/* The sine of x + quarter * pi / 2; x is reduced by pi / 2 in three steps, which holds to |x| of some 10^4. */
INLINE f4 vsine(f4 x, int quarter) {
  f4 n = vround(x * .636619772f);
  f4 r = x - n * 1.5703125f - n * 4.83751297e-4f - n * 7.54978995e-8f;
  i4 k = vint(n) + quarter;
  f4 z = r * r;
  f4 s = r + r * z * (((z * (1.f / 362880) - 1.f / 5040) * z + 1.f / 120) * z - 1.f / 6);
  f4 c = 1.f + z * ((((z * (-1.f / 3628800) + 1.f / 40320) * z - 1.f / 720) * z + 1.f / 24) * z - .5f);
  f4 y = choose((k & 1) != 0, c, s);
  return choose((x != x) | (vabs(x) == __builtin_inff()), x - x, (f4)((i4)y ^ ((k & 2) << 30)));
}

/* x to the power y, in double precision: a float32 logarithm would lose the digits that a large y asks for. */
INLINE float one_pow(float x, float y) {
  if (y == 0 || x == 1) return 1;
  if (x != x || y != y) return x + y;
  float a = x < 0 ? -x : x, huge = 1e30f, inf = __builtin_inff();
  int whole = vfloor(splat(y))[0] == y, odd = whole && (y < 0 ? -y : y) < 16777216.f && ((int64_t)y & 1);
  if (x < 0 && a != inf && !whole) return __builtin_nanf("");
  double result;
  if (a == 0 || a == inf) {
    result = (a == 0) == (y > 0) ? 0 : inf;
  } else if (a == 1) {
    result = 1;
  } else if (y > huge || y < -huge) {
    result = (a > 1) == (y > 0) ? inf : 0;
  } else {
    union { double d; int64_t i; } u = {a}, scale;
    int e = (int)((u.i >> 52) - 1023);
    u.i = (u.i & 0xfffffffffffff) | 0x3ff0000000000000;
    if (u.d > 1.4142135623730951) u.d /= 2, e++;
    double s = (u.d - 1) / (u.d + 1), z = s * s, p = 0;
    for (int k = 21; k > 0; k -= 2) p = p * z + 2. / k;
    double t = y * (e + p * s * 1.4426950408889634);  /* log2 of the result */
    if (t > 130) {
      result = inf;
    } else if (t < -152) {
      result = 0;
    } else {
      int i = (int)(t + (t < 0 ? -.5 : .5));
      double q = (t - i) * .6931471805599453, v = 1;
      for (int k = 13; k > 0; k--) v = 1 + v * q / k;
      scale.i = (int64_t)(i + 1023) << 52;
      result = v * scale.d;
    }
  }
  return (float)(__builtin_signbit(x) && odd ? -result : result);
}
#endif
