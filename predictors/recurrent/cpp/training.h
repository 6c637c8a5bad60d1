// The training of one window, from its bars to its forecasts.
//
// Notation: F features; a sample begins at some row of the window and has `stride` targets, at its last rows.
#pragma once
#include <algorithm>
#include <atomic>
#include <vector>

#include "adam.h"
#include "net.h"
#include "samples.h"

namespace rollcast {

// The first n entries of `order`, sorted by a draw for each position.
inline void shuffle(uint64_t key, int n, std::vector<int>& order) {
  std::vector<std::pair<uint64_t, int>> draws(n);
  for (int i = 0; i < n; i++) draws[i] = {draw(key, i), order[i]};
  std::sort(draws.begin(), draws.end());
  for (int i = 0; i < n; i++) order[i] = draws[i].second;
}

class Trainer {
 public:
  virtual ~Trainer() = default;
  virtual void run(Job& job) = 0;
  // The loss of the full batch at the job's first weights, and its gradient in torch's order.
  virtual double gradient(Job& job, float* out) = 0;
};

template <class Cell>
class Training final : public Trainer {
 public:
  Training(const Plan& plan, const std::atomic<bool>& stop)
      : plan(plan), F(plan.features), stop(stop), net(plan), order(net.torch_order()),
        adam(arena, net.parameters(), plan.lr, plan.clip, plan.decay), x(arena.floats((size_t)plan.rows * F)),
        y(arena.floats(plan.rows)), best(arena.floats(net.parameters())), first(net.block()) {}

  void run(Job& job) override {
    begin(job);
    bool diverged = !train(job);
    if (job.weights)
      for (size_t i = 0; i < order.size(); i++) job.weights[i] = net.weights()[order[i]];
    if (!stop && !forecast(job)) diverged = true;
    if (!stop) job.status = diverged ? status_diverged : status_done;
  }

  double gradient(Job& job, float* out) override {
    begin(job);
    for (int i = 0; i < samples.count; i++) position[i] = i;
    const double loss = differentiate(0, samples.count, nullptr);
    for (size_t i = 0; i < order.size(); i++) out[i] = net.gradient()[order[i]];
    return loss;
  }

 private:
  void begin(const Job& job) {
    samples = Samples::of(plan, job);
    position.resize(samples.count);
    const double mean = job.scale[2 * F], std = job.scale[2 * F + 1];
    if (job.epochs) read(job, job.first, samples.targets);
    for (int r = 0; job.epochs && r < samples.targets; r++) y[r] = (float)((job.returns[job.first + r + 1] - mean) / std);
    adam.reset();
    if (job.continues) return;
    const uint64_t drawn = key(job.seed, stream_weights);
    const double bound = 1.0 / std::sqrt((double)plan.hidden);
    for (size_t i = 0; i < order.size(); i++)  // uniform on ±1/√H, as torch's layers
      net.weights()[order[i]] = job.resume ? job.weights[i] : first_weight(drawn, i, bound);
  }

  // x (n, F): n bars from `from` on, in standard deviations from the mean.
  void read(const Job& job, int64_t from, int n) {
    for (int r = 0; r < n; r++)
      for (int f = 0; f < F; f++)
        x[r * F + f] = (float)((job.rows[(from + r) * F + f] - job.scale[2 * f]) / job.scale[2 * f + 1]);
  }

  // False if the loss stopped being a number. Early stopping keeps the weights that did best on the last samples, which
  // a lookback separates from those trained on.
  bool train(Job& job) {
    const int held = samples.held, n = samples.training, batch = plan.batch ? std::min(plan.batch, n) : n;
    double least = INFINITY;
    uint64_t update = 0;
    for (int epoch = 0, waited = 0; epoch < job.epochs && waited < plan.patience; epoch++) {
      for (int i = 0; i < n; i++) position[i] = i;
      if (plan.batch) shuffle(key(key(job.seed, stream_order), epoch), n, position);
      double total = 0;
      for (int start = 0; start < n && !stop; start += batch) {
        const int size = std::min(batch, n - start);
        const uint64_t dropout = key(key(job.seed, stream_dropout), update++);
        total += differentiate(start, size, &dropout) * size;
        adam.step(net.weights(), net.gradient());
      }
      if (stop) return true;
      if (job.losses) job.losses[epoch] = (float)(total / n);
      if (!std::isfinite(total)) return false;
      if (!held) continue;
      const double loss = evaluate(samples.count - held, held);
      waited = loss < least ? 0 : waited + 1;
      if (loss < least) least = loss, std::memcpy(best, net.weights(), sizeof(float) * net.parameters());
    }
    if (least < INFINITY) std::memcpy(net.weights(), best, sizeof(float) * net.parameters());
    return true;
  }

  // The gradient of the mean loss of `size` samples from position `start` of this epoch's order on; returns the loss.
  double differentiate(int start, int size, const uint64_t* dropout) {
    net.prepare(x, samples.targets, dropout);
    double total = 0;
    for (int s0 = 0; s0 < size && !stop; s0 += net.block()) {
      const int n = choose(start + s0, std::min(net.block(), size - s0));
      net.forward(first.data(), n, net.burn + samples.stride);
      total += net.backward(first.data(), n, net.burn + samples.stride, y, 1.0f / (size * samples.stride));
    }
    net.finish_gradient();
    return total / (size * samples.stride);
  }

  // The mean loss of samples [start, start + size).
  double evaluate(int start, int size) {
    net.prepare(x, samples.targets, nullptr);
    for (int i = 0; i < size; i++) position[i] = start + i;
    double total = 0;
    for (int s0 = 0; s0 < size && !stop; s0 += net.block()) {
      const int n = choose(s0, std::min(net.block(), size - s0));
      net.forward(first.data(), n, net.burn + samples.stride);
      float out[2], unused[2];
      for (int s = 0; s < n; s++)
        for (int t = net.burn; t < net.burn + samples.stride; t++) {
          net.output(first.data(), s, t, out);
          total += loss_of(plan.loss, out, y[first[s] + t], unused);
        }
    }
    return total / (size * samples.stride);
  }

  // The first rows of n samples.
  int choose(int start, int n) {
    for (int s = 0; s < n; s++) first[s] = samples.first_row(plan, position[start + s]);
    return n;
  }

  // The forecasts at bars [split - 1, stop), each from its own lookback; false if one is not a number.
  bool forecast(Job& job) {
    const double mean = job.scale[2 * F], std = job.scale[2 * F + 1];
    const int most = plan.rows - net.burn, O = net.O;
    bool finite = true;
    for (int64_t from = job.split - 1; from < job.stop && !stop; from += most) {
      const int count = (int)std::min<int64_t>(most, job.stop - from);
      read(job, from - net.burn, count + net.burn);
      net.prepare(x, count + net.burn, nullptr);
      for (int s0 = 0; s0 < count && !stop; s0 += net.block()) {
        const int n = std::min(net.block(), count - s0);
        for (int s = 0; s < n; s++) first[s] = s0 + s;
        net.forward(first.data(), n, net.burn + 1);
        for (int s = 0; s < n; s++) {
          float out[2];
          net.output(first.data(), s, net.burn, out);
          double* target = job.forecast + (from - job.split + 1 + s0 + s) * O;
          target[0] = out[0] * std + mean;
          if (O == 2) target[1] = std::exp(0.5 * out[1]) * std;
          finite = finite && std::isfinite(target[0]);
        }
      }
    }
    return finite;
  }

  const Plan plan;
  const int F;
  const std::atomic<bool>& stop;
  Arena arena;
  Net<Cell> net;
  const std::vector<int> order;
  Adam adam;
  float *x, *y, *best;
  std::vector<int> first, position;
  Samples samples{};
};

}  // namespace rollcast
