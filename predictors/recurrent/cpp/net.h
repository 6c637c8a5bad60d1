// A recurrent net: layers of one or two directions and a head, over blocks of samples that share the bars they read.
//
// Notation: L layers, D directions, H units padded to whole vectors, W = D · H, G = gates · H, O outputs, B samples of a
// block at most. A sample reads `steps` bars from its first row on, and has a target after every step from `burn` on.
#pragma once
#include <memory>

#include "attention.h"
#include "random_numbers.h"
#include "head.h"
#include "layer.h"
#include "loss.h"
#include "plan.h"
#include "torch_order.h"

namespace rollcast {

template <class Cell>
class Net {
 public:
  explicit Net(const Plan& plan)
      : burn(plan.lookback - 1), most_steps(burn + plan.stride), O(outputs(plan.loss)), plan(plan), L(plan.layers),
        D(plan.directions), H((plan.hidden + V - 1) / V * V), W(D * H), G(Cell::gates * H), B(block_size()) {
    size = Head::parameters(W, O) + (plan.attention ? Attention::parameters(H) : 0);
    for (int l = 0; l < L; l++) size += D * Layer<Cell>::parameters(inputs(l), H);
    p = arena.floats(size), g = arena.floats(size);
    int start = 0;
    for (int l = 0; l < L; l++) {
      const size_t rows = l ? (size_t)most_steps * B : plan.rows;
      for (int d = 0; d < D; d++, start += Layer<Cell>::parameters(inputs(l), H)) {
        layers.emplace_back(new Layer<Cell>(arena, inputs(l), H, most_steps, B, d == 1, p + start, g + start));
        projected.push_back(arena.floats(rows * G));
        d_projected.push_back(arena.floats(rows * G));
      }
      between.push_back(arena.floats(l ? rows * W : 0));
      d_out.push_back(arena.floats((size_t)most_steps * B * W));
    }
    if (plan.attention) {  // one direction, one target a sample
      attention.reset(new Attention(arena, H, most_steps, B, p + start, g + start));
      context = arena.floats(B * H), d_context = arena.floats(B * H);
      start += Attention::parameters(H);
    }
    head.reset(new Head(W, O, p + start, g + start));
    state = arena.floats(W), d_state = arena.floats(W);
    for (int s = 0; s < B; s++) own.push_back(s);
  }

  const int burn, most_steps, O;
  int block() const { return B; }
  int parameters() const { return size; }
  float* weights() { return p; }
  const float* gradient() const { return g; }

  // Once per update: projects the bars x (n, F) and clears the gradient. Without a key nothing is dropped out.
  void prepare(const float* x, int n, const uint64_t* dropout_key) {
    bars = x, bars_read = n, dropout = plan.dropout > 0 ? dropout_key : nullptr;
    for (auto& layer : layers) layer->prepare();
    for (int d = 0; d < D; d++) {
      layers[d]->project(x, plan.features, n, projected[d]);
      std::memset(d_projected[d], 0, sizeof(float) * n * G);
    }
    std::memset(g, 0, sizeof(float) * size);
  }

  // Once per update, after the last block.
  void finish_gradient() {
    for (int d = 0; d < D; d++) layers[d]->collect(bars, plan.features, bars_read, d_projected[d]);
    for (auto& layer : layers) layer->finish_gradient();
  }

  // Runs n samples from their first rows on; what they leave behind serves the two functions below.
  void forward(const int* first, int n, int steps) {
    for (int l = 0; l < L; l++) {
      if (l) stack(l, first, n, steps);
      for (int d = 0; d < D; d++) at(l, d).forward(projected[l * D + d], rows(l, first), n, steps);
    }
    if (attention) attention->forward(at(L - 1, 0).after(0), n, context);
  }

  // The outputs of sample s after step t.
  void output(const int* first, int s, int t, float* out) {
    for (int d = 0; d < D; d++)
      std::memcpy(state + d * H, attention ? context + s * H : at(L - 1, d).after(t) + s * H, sizeof(float) * H);
    mask(state, L, first[s], t);
    head->forward(state, out);
  }

  // The sum of the losses of n samples with targets y by row; adds `weight` times its gradient.
  double backward(const int* first, int n, int steps, const float* y, float weight) {
    double total = 0;
    for (int t = burn; t < steps; t++)
      for (int s = 0; s < n; s++) {
        float out[2], d[2] = {};
        output(first, s, t, out);
        total += loss_of(plan.loss, out, y[first[s] + t], d);
        for (int o = 0; o < O; o++) d[o] *= weight;
        head->backward(state, d, d_state);
        mask(d_state, L, first[s], t);
        for (int e = 0; e < D; e++) std::memcpy(d_top(e, s, t, steps), d_state + e * H, sizeof(float) * H);
      }
    if (attention) attention->backward(at(L - 1, 0).after(0), d_context, n, d_out[L - 1]);
    for (int l = L - 1; l >= 0; l--) {
      for (int d = 0; d < D; d++) {
        float* dz = d_projected[l * D + d];
        if (l) std::memset(dz, 0, sizeof(float) * steps * B * G);
        at(l, d).backward(d_out[l] + d * H, W, l < L - 1 || attention ? 0 : burn, dz, rows(l, first), n, steps);
      }
      if (l) unstack(l, first, n, steps);
    }
    return total;
  }

  // Torch keeps (G, I) with gates of `hidden` rows; here it is (I, G) with gates padded to H. Entry i of the result is
  // where torch's parameter i lives.
  std::vector<int> torch_order() const {
    const int h = plan.hidden;
    std::vector<int> map;
    auto grown = [](std::vector<int>& v, int by) { return v.resize(v.size() + by), v.data() + v.size() - by; };
    auto padded = [&](int k) { return k / h * H + k % h; };
    int start = 0;
    for (int l = 0; l < L; l++)
      for (int d = 0; d < D; d++, start += Layer<Cell>::parameters(inputs(l), H)) {
        const TorchOrder torch{l ? D * h : plan.features, h, Cell::gates * h};
        int* to = grown(map, torch.count());
        const int I = inputs(l);
        for (int j = 0; j < torch.G; j++) {
          for (int k = 0; k < torch.I; k++) to[torch.input(j, k)] = start + (l ? padded(k) : k) * G + padded(j);
          for (int k = 0; k < h; k++) to[torch.recurrent(j, k)] = start + (I + k) * G + padded(j);
          to[torch.input_bias(j)] = start + (I + H) * G + padded(j);
          to[torch.recurrent_bias(j)] = start + (I + H + 1) * G + padded(j);
        }
      }
    if (attention) {
      for (int j = 0; j < h; j++)
        for (int k = 0; k < h; k++) map.push_back(start + k * H + j);
      for (int part = 0; part < 2; part++)  // bias, v
        for (int k = 0; k < h; k++) map.push_back(start + (H + part) * H + k);
      start += Attention::parameters(H);
    }
    for (int o = 0; o < O; o++)
      for (int k = 0; k < D * h; k++) map.push_back(start + o * W + padded(k));
    for (int o = 0; o < O; o++) map.push_back(start + O * W + o);
    return map;
  }

 private:
  // As many samples as keep a block's activations in half a megabyte of second-level cache; whole tiles of them.
  int block_size() const {
    const int bytes = 4 * most_steps * L * D * (G + 4 * H);
    return std::clamp((1 << 19) / bytes / 24 * 24, 24, 48);
  }
  int inputs(int l) const { return l ? W : plan.features; }
  Layer<Cell>& at(int l, int d) { return *layers[l * D + d]; }
  Rows rows(int l, const int* first) const { return l ? Rows{own.data(), B} : Rows{first, 1}; }

  // Where the derivative by direction e's state after step t goes: a reversed layer's step t read bar steps - 1 - t.
  float* d_top(int e, int s, int t, int steps) {
    if (attention) return d_context + s * H;
    return d_out[L - 1] + ((size_t)(e ? steps - 1 - t : t) * B + s) * W + e * H;
  }

  // What layer l reads, (steps, B, W): the states below it, side by side, some dropped out; and its projection.
  void stack(int l, const int* first, int n, int steps) {
    for (int t = 0; t < steps; t++) {
      float* x = between[l] + (size_t)t * B * W;
      for (int s = 0; s < n; s++) {
        for (int d = 0; d < D; d++)
          std::memcpy(x + s * W + d * H, at(l - 1, d).after(d ? steps - 1 - t : t) + s * H, sizeof(float) * H);
        mask(x + s * W, l, first[s], t);
      }
      for (int d = 0; d < D; d++) at(l, d).project(x, W, n, projected[l * D + d] + (size_t)t * B * G);
    }
  }

  void unstack(int l, const int* first, int n, int steps) {
    std::memset(d_out[l - 1], 0, sizeof(float) * steps * B * W);
    for (int t = 0; t < steps; t++) {
      float* dx = d_out[l - 1] + (size_t)t * B * W;
      for (int d = 0; d < D; d++) {
        const float* dz = d_projected[l * D + d] + (size_t)t * B * G;
        at(l, d).collect(between[l] + (size_t)t * B * W, W, n, dz);
        at(l, d).project_back(dz, n, dx);
      }
      for (int s = 0; s < n; s++) mask(dx + s * W, l, first[s], t);
    }
  }

  // Dropout of what layer l (L: the head) reads at step t of the sample that begins at row `first`.
  void mask(float* values, int l, int first, int t) const {
    if (!dropout) return;
    const float kept = (float)(1.0 / (1.0 - plan.dropout));
    const uint64_t at = ((uint64_t)l << 40) + ((uint64_t)first * most_steps + t) * (D * plan.hidden);
    for (int d = 0; d < D; d++)
      for (int u = 0; u < plan.hidden; u++)
        values[d * H + u] *= uniform(*dropout, at + d * plan.hidden + u) < plan.dropout ? 0.0f : kept;
  }

  const Plan plan;
  const int L, D, H, W, G, B;
  Arena arena;
  int size = 0, bars_read = 0;
  float *p, *g, *state, *d_state, *context = nullptr, *d_context = nullptr;
  const float* bars = nullptr;
  const uint64_t* dropout = nullptr;
  std::vector<std::unique_ptr<Layer<Cell>>> layers;  // (L, D)
  std::vector<float*> projected, d_projected;        // (L, D) of (rows, G)
  std::vector<float*> between, d_out;                // (L) of (steps, B, W)
  std::unique_ptr<Attention> attention;
  std::unique_ptr<Head> head;
  std::vector<int> own;
};

}  // namespace rollcast
