// epilogue.glsl - the elementwise work fused into a kernel: what becomes of the value v it computed.
//
// Defines   EXTRAS            declarations of the samplers e0, e1, ... that the expression reads
//           EXTRA_GLOBALS     declarations of those values that all pixels of a fragment share
//           EXTRA_LOADS       loads them; may use row, f4
//           EPILOGUE          body of a function of (v, col, row, x, f4, lane) that returns what is stored
//           BOUNDED           what it returns is kept between the parameters at_least and at_most, so that one program
//                             serves layers that are linear, relu or relu6; what is no number stays none
#include "scalars.glsl"

#ifdef EXTRAS
EXTRAS
#endif
#ifdef EXTRA_GLOBALS
EXTRA_GLOBALS
#endif

void load_extras(int row, int f4) {
#ifdef EXTRA_LOADS
  EXTRA_LOADS
#endif
}

#ifdef BOUNDED
vec4 bounded(vec4 v) {
  v = mix(v, vec4(at_least), lessThan(v, vec4(at_least)));
  return mix(v, vec4(at_most), greaterThan(v, vec4(at_most)));
}
#else
#define bounded(v) v
#endif

vec4 computed(vec4 v, int col, int row, int x, int f4, int lane) {
#ifdef EPILOGUE
  EPILOGUE
#else
  return v;
#endif
}

vec4 epilogue(vec4 v, int col, int row, int x, int f4, int lane) { return bounded(computed(v, col, row, x, f4, lane)); }
