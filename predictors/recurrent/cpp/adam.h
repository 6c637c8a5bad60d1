// Adam with decoupled weight decay and a clip of the gradient's norm, step for step as torch.optim.AdamW.
//
// Kingma & Ba (2015), algorithm 1; Loshchilov & Hutter (2019), algorithm 2; Pascanu, Mikolov & Bengio (2013) for the clip.
#pragma once
#include <algorithm>
#include <cmath>

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
    const float b1 = 0.9f, b2 = 0.999f, eps = 1e-8f;
    const float scale = shrink(gradient);
    const float size = (float)(lr / (1.0 - std::pow(0.9, steps)));
    const float root = 1.0f / (float)std::sqrt(1.0 - std::pow(0.999, steps));
    for (int i = 0; i < n; i++) {
      const float g = gradient[i] * scale;
      m[i] += (1.0f - b1) * (g - m[i]);
      v[i] = b2 * v[i] + (1.0f - b2) * g * g;
      parameters[i] = parameters[i] * kept - size * m[i] / (std::sqrt(v[i]) * root + eps);
    }
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
