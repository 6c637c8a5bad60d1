// One direction of one recurrent layer over a block of samples, forward and backward.
//
// Notation: T steps, n samples of a block of at most B, I inputs, H units padded to whole vectors, G = gates · H;
// t counts steps in the order of reading, so a reversed direction reads bar T - 1 - t. z pre-activations.
#pragma once
#include <algorithm>

#include "arena.h"
#include "cells.h"
#include "product.h"

namespace rollcast {

// Where the input projection of step t of sample s lies: row first[s] + t · stride of a (rows, G) matrix.
struct Rows {
  const int* first;
  int stride;
  size_t operator()(int s, int t) const { return (size_t)first[s] + (size_t)t * stride; }
};

template <class Cell>
class Layer {
 public:
  static constexpr int Q = Cell::gates;

  // `parameters` and `gradient` point at this layer's part of the net's: input (I, G), recurrent (H, G), two biases (G).
  Layer(Arena& arena, int I, int H, int most_steps, int B, bool reversed, float* parameters, float* gradient)
      : I(I), H(H), G(Q * H), B(B), reversed(reversed), T(most_steps) {
    input = parameters, recurrent = input + I * G, input_bias = recurrent + H * G, recurrent_bias = input_bias + G;
    d_input = gradient, d_recurrent = d_input + I * G, d_input_bias = d_recurrent + H * G;
    d_recurrent_bias = d_input_bias + G;
    recurrent_t = arena.floats(G * H), input_t = arena.floats(G * I), bias = arena.floats(G);
    saved = arena.floats((size_t)T * B * G), hidden = arena.floats((size_t)(T + 1) * B * H);
    cell = arena.floats(Cell::remembers ? (size_t)(T + 1) * B * H : 0);
    extra = arena.floats((size_t)T * B * H);
    dh = arena.floats(B * H), dc = arena.floats(B * H);
  }

  static int parameters(int I, int H) { return (I + H + 2) * Q * H; }

  // Hidden states after step t, (B, H); t = -1 gives the zeros before the first.
  const float* after(int t) const { return hidden + (size_t)(t + 1) * B * H; }

  // What every block of one update shares: the bias of the joined gates, and transposes for the way back.
  void prepare() {
    for (int j = 0; j < G; j++) bias[j] = input_bias[j] + (j / H == Cell::apart ? 0.0f : recurrent_bias[j]);
    transpose(recurrent, H, recurrent_t);
    transpose(input, I, input_t);
  }

  // projected (n, G) = bias + x (n, I) · input (I, G)
  void project(const float* x, int stride, int n, float* projected) const {
    multiply<Start::row>(x, stride, n, I, input, G, bias, projected);
  }

  // The gradients that one pass over the rows of x (n, I) and of their projection's derivative dz (n, G) gives.
  void collect(const float* x, int stride, int n, const float* dz) {
    add_outer(x, stride, n, I, dz, G, d_input);
    for (int r = 0; r < n; r++)
      for (int j = 0; j < G; j++) d_input_bias[j] += dz[(size_t)r * G + j];
  }

  // dx (n, I) += dz (n, G) · inputᵀ
  void project_back(const float* dz, int n, float* dx) const {
    multiply<Start::add>(dz, G, n, G, input_t, I, nullptr, dx);
  }

  // After the last block: the recurrent bias has the input bias's gradient wherever the two are only ever added.
  void finish_gradient() {
    for (int j = 0; j < G; j++)
      if (j / H != Cell::apart) d_recurrent_bias[j] = d_input_bias[j];
  }

  void forward(const float* projected, Rows rows, int n, int steps) {
    T = steps;
    for (int t = 0; t < T; t++)
      pieces<tile_rows(Q)>(0, n, [&](auto S, int s) { this->template step<S>(projected, rows, t, s); });
  }

  // Adds to the gradients and to d_projected. The loss's own derivative by the hidden state, d_out (T, B, stride), is
  // stored by bar and read from step `from` on.
  void backward(const float* d_out, int stride, int from, float* d_projected, Rows rows, int n, int steps) {
    T = steps;
    std::memset(dh, 0, sizeof(float) * n * H);
    std::memset(dc, 0, sizeof(float) * n * H);
    for (int t = T - 1; t >= 0; t--) {
      float* dz = saved + (size_t)t * B * G;
      if (t >= from) add_loss(d_out + (size_t)bar(t) * B * stride, stride, n);
      for (int s = 0; s < n; s++) step_back(t, s, d_projected + rows(s, bar(t)) * G);
      if (t == 0) break;  // h₋ = 0: nothing flows on, and nothing is learned about `recurrent`
      multiply<Cell::carries ? Start::add : Start::zero>(dz, G, n, G, recurrent_t, H, nullptr, dh);
      add_outer(after(t - 1), H, n, H, dz, G, d_recurrent);
    }
  }

 private:
  // z = x's projection + h₋ · recurrent, then the cell, for S samples.
  template <int S>
  INLINE void step(const float* projected, Rows rows, int t, int s0) {
    const float* before = after(t - 1) + s0 * H;
    const float* x[S];
    for (int s = 0; s < S; s++) x[s] = projected + rows(s0 + s, bar(t)) * G;
    for (int u = 0; u < H; u += V) {
      vf z[S][Q];
#pragma GCC unroll 16
      for (int s = 0; s < S; s++)
#pragma GCC unroll 4
        for (int q = 0; q < Q; q++) z[s][q] = load((q == Cell::apart ? recurrent_bias : x[s]) + q * H + u);
      const float* w = recurrent + u;
      for (int k = 0; k < (t ? H : 0); k++, w += G) {
        vf row[Q];
        for (int q = 0; q < Q; q++) row[q] = load(w + q * H);
#pragma GCC unroll 16
        for (int s = 0; s < S; s++)
#pragma GCC unroll 4
          for (int q = 0; q < Q; q++) z[s][q] += before[s * H + k] * row[q];
      }
#pragma GCC unroll 16
      for (int s = 0; s < S; s++) activate(z[s], x[s], t, s0 + s, u);
    }
  }

  // Units [u, u + V) of sample s: from pre-activations to the state after step t.
  INLINE void activate(vf (&z)[Q], const float* x, int t, int s, int u) {
    const size_t at = ((size_t)t * B + s) * H, next = at + (size_t)B * H;
    vf c{}, e{};
    const vf apart = Cell::apart < 0 ? vf{} : load(x + std::max(Cell::apart, 0) * H + u);
    const vf c_before = Cell::remembers ? load(cell + at + u) : vf{};
    const vf h = Cell::forward(z, apart, load(hidden + at + u), c_before, c, e);
    for (int q = 0; q < Q; q++) store(saved + at * Q + q * H + u, z[q]);
    store(hidden + next + u, h);
    store(extra + at + u, e);
    if (Cell::remembers) store(cell + next + u, c);
  }

  // Turns the saved gates of step t into the derivatives of its pre-activations.
  INLINE void step_back(int t, int s, float* d_projected) {
    const size_t at = ((size_t)t * B + s) * H;
    float* z = saved + at * Q;
    for (int u = 0; u < H; u += V) {
      vf gates[Q], dz[Q], dx{};
      for (int q = 0; q < Q; q++) gates[q] = load(z + q * H + u);
      Derivatives<vf> d{load(dh + s * H + u), load(dc + s * H + u)};
      const vf c_before = Cell::remembers ? load(cell + at + u) : vf{};
      Cell::backward(gates, load(hidden + at + u), c_before, load(extra + at + u), d, dz, dx);
      if (Cell::remembers) store(dc + s * H + u, d.c);
      if (Cell::carries) store(dh + s * H + u, d.h);
      for (int q = 0; q < Q; q++) {
        float* target = d_projected + q * H + u;
        store(z + q * H + u, dz[q]);
        store(target, load(target) + (q == Cell::apart ? dx : dz[q]));
        if (q == Cell::apart) store(d_recurrent_bias + q * H + u, load(d_recurrent_bias + q * H + u) + dz[q]);
      }
    }
  }

  void add_loss(const float* d_out, int stride, int n) {
    for (int s = 0; s < n; s++)
      for (int u = 0; u < H; u += V) store(dh + s * H + u, load(dh + s * H + u) + load(d_out + s * stride + u));
  }

  // (rows, G) to (G, rows)
  void transpose(const float* a, int rows, float* out) const {
    for (int r = 0; r < rows; r++)
      for (int j = 0; j < G; j++) out[j * rows + r] = a[r * G + j];
  }

  int bar(int t) const { return reversed ? T - 1 - t : t; }

  const int I, H, G, B;
  const bool reversed;
  int T;
  float *input, *recurrent, *input_bias, *recurrent_bias;
  float *d_input, *d_recurrent, *d_input_bias, *d_recurrent_bias;
  float *recurrent_t, *input_t, *bias;
  float *saved, *hidden, *cell, *extra, *dh, *dc;
};

}  // namespace rollcast
