// Additive attention over the hidden states of a lookback: their weighted mean is what the head reads.
//
//   u_t = tanh(W h_t + b),  e_t = v · u_t,  α = softmax(e),  context = Σ_t α_t h_t      (Yang et al. 2016, eq. 5-7)
//
// Notation: T steps, n samples of a block of at most B, H units padded to whole vectors.
#pragma once
#include <cmath>

#include "arena.h"
#include "product.h"

namespace rollcast {

class Attention {
 public:
  // Weights (H, H) from hidden state to u, bias (H), v (H).
  Attention(Arena& arena, int H, int T, int B, float* parameters, float* gradient)
      : H(H), T(T), B(B), w(parameters), b(w + H * H), v(b + H), dw(gradient), db(dw + H * H), dv(db + H),
        w_t(arena.floats(H * H)), u(arena.floats((size_t)T * B * H)), alpha(arena.floats((size_t)T * B)), d_alpha(arena.floats(T)) {}

  static int parameters(int H) { return (H + 2) * H; }

  // hidden (T, B, H), of which n samples are read; context (n, H).
  void forward(const float* hidden, int n, float* context) {
    for (int t = 0; t < T; t++) {
      multiply<Start::row>(hidden + at(t, 0), H, n, H, w, H, b, u + at(t, 0));
      for (int s = 0; s < n; s++) {
        vf total{};
        for (int k = 0; k < H; k += V) {
          store(u + at(t, s) + k, hyperbolic(load(u + at(t, s) + k)));
          total += load(u + at(t, s) + k) * load(v + k);
        }
        alpha[t * B + s] = sum(total);
      }
    }
    for (int s = 0; s < n; s++) {
      normalise(s);
      for (int k = 0; k < H; k += V) {
        vf total{};
        for (int t = 0; t < T; t++) total += alpha[t * B + s] * load(hidden + at(t, s) + k);
        store(context + s * H + k, total);
      }
    }
  }

  // Adds to the gradients; d_hidden (T, B, H) is overwritten.
  void backward(const float* hidden, const float* d_context, int n, float* d_hidden) {
    for (int k = 0; k < H; k++)
      for (int j = 0; j < H; j++) w_t[j * H + k] = w[k * H + j];
    for (int s = 0; s < n; s++) backward_scores(hidden, d_context + s * H, s, d_hidden);
    for (int t = 0; t < T; t++) {  // u now holds the derivative of W h_t + b
      add_outer(hidden + at(t, 0), H, n, H, u + at(t, 0), H, dw);
      multiply<Start::add>(u + at(t, 0), H, n, H, w_t, H, nullptr, d_hidden + at(t, 0));
    }
  }

 private:
  size_t at(int t, int s) const { return ((size_t)t * B + s) * H; }

  void normalise(int s) {
    float most = alpha[s], total = 0;
    for (int t = 1; t < T; t++) most = std::max(most, alpha[t * B + s]);
    for (int t = 0; t < T; t++) total += alpha[t * B + s] = std::exp(alpha[t * B + s] - most);
    for (int t = 0; t < T; t++) alpha[t * B + s] /= total;
  }

  void backward_scores(const float* hidden, const float* d_context, int s, float* d_hidden) {
    float mean = 0;
    for (int t = 0; t < T; t++) {
      vf total{};
      for (int k = 0; k < H; k += V) total += load(d_context + k) * load(hidden + at(t, s) + k);
      d_alpha[t] = sum(total);
      mean += alpha[t * B + s] * d_alpha[t];
    }
    for (int t = 0; t < T; t++) {
      const float weight = alpha[t * B + s], de = weight * (d_alpha[t] - mean);
      for (int k = 0; k < H; k += V) {
        const vf ut = load(u + at(t, s) + k), dz = de * load(v + k) * (1.0f - ut * ut);
        store(d_hidden + at(t, s) + k, weight * load(d_context + k));
        store(dv + k, load(dv + k) + de * ut);
        store(db + k, load(db + k) + dz);
        store(u + at(t, s) + k, dz);
      }
    }
  }

  const int H, T, B;
  const float *w, *b, *v;
  float *dw, *db, *dv;
  float *w_t, *u, *alpha, *d_alpha;
};

}  // namespace rollcast
