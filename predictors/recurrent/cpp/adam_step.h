// One step of Adam with decoupled weight decay for one weight, as torch.optim.AdamW.
//
// Kingma & Ba (2015), algorithm 1; Loshchilov & Hutter (2019), algorithm 2.
#pragma once
#include "portable.h"

namespace rollcast {

constexpr double adam_beta1 = 0.9, adam_beta2 = 0.999;

// size: lr / (1 - β₁ᵗ); root: 1 / √(1 - β₂ᵗ); kept: 1 - lr · decay
struct AdamStep {
  float size, root, kept;

  INLINE void operator()(float g, float& p, float& m, float& v) const {
    const float b1 = (float)adam_beta1, b2 = (float)adam_beta2, eps = 1e-8f;
    m += (1.0f - b1) * (g - m);
    v = b2 * v + (1.0f - b2) * g * g;
    p = p * kept - size * m / (sqrtf(v) * root + eps);
  }
};

}  // namespace rollcast
