// epilogue.glsl - the elementwise work fused into a kernel: what becomes of the value v it computed.
//
// Defines   EXTRAS            declarations of the samplers e0, e1, ... that the expression reads
//           EXTRA_GLOBALS     declarations of those values that all pixels of a fragment share
//           EXTRA_LOADS       loads them; may use row, f4
//           EPILOGUE          body of a function of (v, col, row, x, f4, lane) that returns what is stored
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

vec4 epilogue(vec4 v, int col, int row, int x, int f4, int lane) {
#ifdef EPILOGUE
  EPILOGUE
#else
  return v;
#endif
}
