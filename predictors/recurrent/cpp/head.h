// The linear head: outputs from the state that the recurrent layers end in.
//
// Notation: W width of the state, O outputs.
#pragma once
#include "vec.h"

namespace rollcast {

class Head {
 public:
  // Weights (O, W), then biases (O), filled up to a whole vector.
  Head(int W, int O, float* parameters, float* gradient)
      : W(W), O(O), w(parameters), b(parameters + O * W), dw(gradient), db(gradient + O * W) {}

  static int parameters(int W, int O) { return O * W + V; }

  // out = w · state + b
  void forward(const float* state, float* out) const {
    for (int o = 0; o < O; o++) {
      vf total{};
      for (int k = 0; k < W; k += V) total += load(w + o * W + k) * load(state + k);
      out[o] = sum(total) + b[o];
    }
  }

  void backward(const float* state, const float* d_out, float* d_state) {
    for (int k = 0; k < W; k += V) {
      vf total{};
      for (int o = 0; o < O; o++) {
        total += d_out[o] * load(w + o * W + k);
        store(dw + o * W + k, load(dw + o * W + k) + d_out[o] * load(state + k));
      }
      store(d_state + k, total);
    }
    for (int o = 0; o < O; o++) db[o] += d_out[o];
  }

 private:
  const int W, O;
  const float *w, *b;
  float *dw, *db;
};

}  // namespace rollcast
