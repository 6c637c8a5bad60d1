// Adam with decoupled weight decay and a clip of the gradient's norm, step for step as torch.optim.AdamW.
//
// Pascanu, Mikolov & Bengio (2013) for the clip; the rest is in adam_step.h.
#pragma once
#include <algorithm>
#include <cmath>

#include "adam_step.h"
#include "arena.h"
#include "vec.h"

namespace rollcast {

class Adam {
 public:
  Adam(Arena& arena, int n, double lr, double clip, double decay)
      : n(n), lr(lr), clip((float)clip), kept((float)(1.0 - lr * decay)), m(arena.floats(n)), v(arena.floats(n)) {}

  void reset() {
    steps = 0;
    std::memset(m, 0, sizeof(float) * n);
    std::memset(v, 0, sizeof(float) * n);
  }

  // n is a multiple of the vector width; the padding's gradient is zero, so it stays zero.
  void step(float* parameters, const float* gradient) {
    steps++;
    const float scale = shrink(gradient);
    const float size = (float)(lr / (1.0 - std::pow(adam_beta1, steps)));
    const AdamStep adam{size, 1.0f / (float)std::sqrt(1.0 - std::pow(adam_beta2, steps)), kept};
    for (int i = 0; i < n; i++) adam(gradient[i] * scale, parameters[i], m[i], v[i]);
  }

 private:
  // min(1, clip / ‖g‖)
  float shrink(const float* g) const {
    vf squares{};
    for (int i = 0; i < n; i += V) squares += load(g + i) * load(g + i);
    return std::min(1.0f, clip / (std::sqrt(sum(squares)) + 1e-6f));
  }

  const int n;
  const double lr;
  const float clip, kept;
  float *m, *v;
  long steps = 0;
};

}  // namespace rollcast
