// scalars.glsl - the scalar functions that GLSL lacks or that drivers get wrong at the edges, on vec4.

// tanh of large x must be 1, not NaN; of small x must keep its digits.
vec4 tanh_(vec4 x) {
  vec4 a = abs(x), e = exp(-2.0 * a), s = x * x;
  vec4 small = x * (1.0 + s * (-0.33333333 + s * (0.13333333 + s * (-0.053968254 + s * 0.021869488))));
  return mix(sign(x) * (1.0 - e) / (1.0 + e), small, lessThan(a, vec4(0.25)));
}

vec4 sigmoid_(vec4 x) {
  vec4 e = exp(-abs(x));
  return mix(e, vec4(1.0), greaterThanEqual(x, vec4(0.0))) / (1.0 + e);
}

// exp(x) - 1 without cancellation near 0.
vec4 expm1_(vec4 x) {
  vec4 small = x * (1.0 + x * (0.5 + x * (0.16666667 + x * (0.041666667 + x * (0.0083333333 + x * 0.0013888889)))));
  return mix(exp(x) - 1.0, small, lessThan(abs(x), vec4(0.5)));
}

// log(1 + x) without cancellation near 0: log(u) * x / (u - 1), u = 1 + x rounded (Kahan).
vec4 log1p_(vec4 x) {
  vec4 u = 1.0 + x, d = u - 1.0;
  bvec4 zero = equal(d, vec4(0.0));
  return mix(log(u) * (x / mix(d, vec4(1.0), zero)), x, zero);
}

// The error function: a series near 0, else Abramowitz and Stegun 7.1.26 (1.5e-7).
vec4 erf_(vec4 x) {
  vec4 a = abs(x), s = x * x, t = 1.0 / (1.0 + 0.3275911 * a);
  vec4 y = 1.0 - t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * exp(-s);
  vec4 small = x * (1.12837917 + s * (-0.37612639 + s * (0.11283792 + s * (-0.026866171 + s * 0.0052239776))));
  return mix(sign(x) * y, small, lessThan(a, vec4(0.5)));
}

// numpy's power: also for negative bases with whole exponents, and x^0 = 1.
vec4 pow_(vec4 x, vec4 y) {
  bvec4 odd = notEqual(mod(y, 2.0), vec4(0.0)), whole = equal(floor(y), y), negative = lessThan(x, vec4(0.0));
  vec4 p = pow(abs(x), y);
  p = mix(p, vec4(1.0), equal(y, vec4(0.0)));
  p = mix(p, x, equal(y, vec4(1.0)));
  p = mix(p, x * x, equal(y, vec4(2.0)));
  p = mix(p, x * x * x, equal(y, vec4(3.0)));
  vec4 signed_ = mix(p, -abs(p), odd);
  vec4 broken = vec4(uintBitsToFloat(0x7fc00000u));
  return mix(p, mix(broken, signed_, whole), negative);
}

// a where condition is not 0, else b; a NaN in the branch not taken does not leak.
vec4 select_(vec4 condition, vec4 a, vec4 b) {
  return mix(b, a, notEqual(condition, vec4(0.0)));
}

// Drivers may answer sin and cos with 11 bits only. Here: x less the nearest multiple of pi / 2, taken off in two parts
// so that no digits are lost below |x| = 1e4, then the Taylor polynomials of that quadrant.
vec4 quadrant(vec4 x, vec4 turn) {
  vec4 q = roundEven(x * 0.63661977), r = (x - q * 1.5703125) - q * 4.8382679e-4, s = r * r;
  vec4 sine = r * (1.0 + s * (-0.16666667 + s * (8.3333333e-3 + s * (-1.9841270e-4 + s * 2.7557319e-6))));
  vec4 cosine = 1.0 + s * (-0.5 + s * (4.1666667e-2 + s * (-1.3888889e-3 + s * 2.4801587e-5)));
  vec4 side = mod(q + turn, 4.0), odd = mod(side, 2.0);
  vec4 y = mix(sine, cosine, equal(odd, vec4(1.0)));
  return mix(y, -y, greaterThanEqual(side, vec4(2.0)));
}

vec4 sin_(vec4 x) { return quadrant(x, vec4(0.0)); }
vec4 cos_(vec4 x) { return quadrant(x, vec4(1.0)); }
