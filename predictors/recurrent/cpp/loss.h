// The losses of one forecast, and their derivatives by the net's outputs.
#pragma once
#include "plan.h"

namespace rollcast {

INLINE int outputs(int loss) { return loss == loss_gaussian ? 2 : 1; }

// out: mean (and log variance); y: target; d: the derivative by `out`.
INLINE double loss_of(int kind, const float* out, float y, float* d) {
  const float e = out[0] - y;
  if (kind == loss_gaussian) {  // ½ (s + e² e^-s), s = log σ²
    const float precision = expf(-out[1]);
    d[0] = e * precision, d[1] = 0.5f * (1.0f - e * e * precision);
    return 0.5 * (out[1] + (double)e * e * precision);
  }
  if (kind == loss_huber) {  // ½ e² up to |e| = 1, |e| - ½ beyond
    d[0] = e > 1 ? 1.0f : e < -1 ? -1.0f : e;
    return fabs(e) > 1 || e != e ? fabs((double)e) - 0.5 : 0.5 * (double)e * e;
  }
  d[0] = 2 * e;
  return (double)e * e;
}

}  // namespace rollcast
