// line.glsl - the points of F(4, 7), which makes 4 pixels of a line from 10 by 10 products where the direct way takes 28.
//
// They are 0, infinity and +-POINT[k]: tensors of products have them as (0, POINT[0], -POINT[0], POINT[1], -POINT[1]) and
// (infinity, POINT[2], ...), five layers in two groups. NEAR[k] are the coefficients of the product of x - q over the
// squares q of all other points but k's; ALL of all; both from the lowest power up.
//
// Source    Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015; the points: tried, see tests/bench
const float POINT[4] = float[4](0.4375, 0.8125, 1.25, 2.25);
#define Q0 (0.4375 * 0.4375)
#define Q1 (0.8125 * 0.8125)
#define Q2 (1.25 * 1.25)
#define Q3 (2.25 * 2.25)
#define PRODUCT_(b, c, d) vec4(-b * c * d, b * c + b * d + c * d, -b - c - d, 1.0)
const vec4 NEAR[4] = vec4[4](PRODUCT_(Q1, Q2, Q3), PRODUCT_(Q0, Q2, Q3), PRODUCT_(Q0, Q1, Q3), PRODUCT_(Q0, Q1, Q2));
const vec4 ALL = vec4(Q0 * Q1 * Q2 * Q3, -Q0 * Q1 * (Q2 + Q3) - Q2 * Q3 * (Q0 + Q1), Q0 * Q1 + Q2 * Q3 + (Q0 + Q1) * (Q2 + Q3),
  -Q0 - Q1 - Q2 - Q3); // and 1
