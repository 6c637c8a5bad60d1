// One window's net in a block: its weights, and the passes of a tile of samples forward and back.
//
// A pass forward leaves the states before every step in global memory, each thread those of its own samples and units; the
// pass back computes the gates again from them. Weights and gradient in torch's order have P numbers.
#pragma once
#include "../loss.h"
#include "../random_numbers.h"
#include "../samples.h"
#include "../torch_order.h"
#include "block.h"
#include "products.h"

namespace rollcast {

// What a block keeps in global memory.
struct Workspace {
  float *x, *y;                 // (rows, F) and (rows): the scaled features and targets of the bars at hand
  float *p, *m, *v, *g, *best;  // (P) each
  float* history;               // (steps, 2, SP, U, threads): h and c before every step
  float* d_out;                 // (stride, S, O): the loss's derivative by the outputs
  float* sums;                  // (thread_sums, threads): every thread's part of an update's gradient
  float* weights;               // (K, column_row), where shared memory is too small for them
  Draw* draws;                  // (a power of two)
  int* order;                   // (samples)
};

struct Dropout {
  uint64_t key, lowest;  // a number's upper 24 bits from `lowest` on keep an input
  float factor;          // of what is kept
  bool on;
};

struct Head {
  float* w;  // (O, H)
  float* b;  // (O)
};

// Of a thread: the rows and units of the weights' gradient, the head's weights of its units, and the head's biases.
constexpr int thread_sums = KP * U * C + U * O + O;

class Net {
 public:
  INLINE static TorchOrder torch() { return {F, units, Q * units}; }
  INLINE static int parameters() { return torch().count() + O * (units + 1); }

  INLINE Net(const Plan& plan, const Workspace& space, float* shared)
      : plan(plan), space(space), place(Place::of(threadIdx.x)), burn(plan.lookback - 1) {
    w = ROLLCAST_SHARED_WEIGHTS ? shared : space.weights;
    shared += ROLLCAST_SHARED_WEIGHTS ? weight_floats : 0;
    inputs = shared, dz = inputs + 2 * input_floats, head.w = dz + S * column_row;
    head.b = head.w + O * H, first = (int*)(head.w + head_floats), scratch = (double*)dz;
    for (int i = threadIdx.x; i < 2 * input_floats; i += threads) inputs[i] = i % input_row == H + F;  // the biases' one
  }

  // Reads the weights of torch's order into the matrix that the products read.
  NOINLINE void load_weights() const {
    __syncthreads();
    for (int i = threadIdx.x; i < K * H * C; i += threads) {
      const int r = i / (H * C), u = i / C % H, c = i % C;
      int second;
      const int at = index(r, u, c, second);
      w[r * column_row + u * C + c] = at < 0 ? 0.0f : space.p[at] + (second < 0 ? 0.0f : space.p[second]);
    }
    const float* from = space.p + torch().count();
    for (int i = threadIdx.x; i < O * H; i += threads) head.w[i] = i % H < units ? from[i / H * units + i % H] : 0.0f;
    for (int o = threadIdx.x; o < O; o += threads) head.b[o] = from[O * units + o];
  }

  // Clears the threads' parts of the gradient.
  INLINE void clear_gradient() const {
    for (int i = 0; i < thread_sums; i++) space.sums[i * threads + threadIdx.x] = 0;
  }

  // Runs a tile's n samples from their rows first[s] on, once all threads have written what it reads; what is behind n
  // repeats the last. The loss of a target has `weight`; with none, nothing is left for a pass back. Returns the losses of
  // sample threadIdx.x, and in `out` its last outputs. In a function of its own, like the pass back: each has all registers.
  NOINLINE double forward(int n, int steps, bool losses, float weight, const Dropout& dropout, float (&out)[O]) const {
    const Net net = *this;
    return net.run_forward(n, steps, losses, weight, dropout, out);
  }

  // Adds to the gradient what the tile of the last pass forward gives.
  NOINLINE void backward(int steps, const Dropout& dropout) const {
    const Net net = *this;
    net.run_backward(steps, dropout);
  }

  // Adds up the threads' parts of the gradient, in torch's order in space.g.
  NOINLINE void finish_gradient() const {
    __syncthreads();
    for (int i = 0; i < KP * U * C; i++) {
      int second;
      const int at = index(place.row(i / (U * C)), place.unit(i / C % U), i % C, second);
      if (at >= 0) space.g[at] = sum_at(i);
      if (second >= 0) space.g[second] = sum_at(i);
    }
    float *by_group = dz, *by_sample = dz + groups * O * H;  // (groups, O, H) and (O, S)
    for (int o = 0; o < O; o++) {
      for (int u = 0; u < U; u++) by_group[(place.group * O + o) * H + place.unit(u)] = sum_at(KP * U * C + u * O + o);
      if (threadIdx.x < S) by_sample[o * S + threadIdx.x] = sum_at(KP * U * C + U * O + o);
    }
    __syncthreads();
    float* to = space.g + torch().count();
    for (int i = threadIdx.x; i < O * units; i += threads) {
      to[i] = 0;
      for (int k = 0; k < groups; k++) to[i] += by_group[(k * O + i / units) * H + i % units];
    }
    for (int o = threadIdx.x; o < O; o += threads) {
      to[O * units + o] = 0;
      for (int s = 0; s < S; s++) to[O * units + o] += by_sample[o * S + s];
    }
  }

  const Plan plan;
  const Workspace space;
  const Place place;
  const int burn;
  int* first;       // (S) the rows at which a tile's samples begin
  double* scratch;  // (threads), where dz is during the passes

 private:
  INLINE double run_forward(int n, int steps, bool losses, float weight, const Dropout& dropout, float (&out)[O]) const {
    float h[SP][U] = {}, c[SP][U] = {}, d_bias[O] = {};
    double total = 0;
    store_states(h, in(0));
    load_inputs(0, in(0));
    __syncthreads();
    for (int t = 0; t < steps; t++) {
      float z[SP][U][C], *next = in(t + 1);
      preactivations(place, in(t), w, z);
#pragma unroll
      for (int j = 0; j < SP; j++)
#pragma unroll
        for (int u = 0; u < U; u++) {
          if (weight) remember(t, j, u, h[j][u], c[j][u]);
          float gates[Q], extra;
          h[j][u] = activate(z[j][u], h[j][u], c[j][u], gates, extra);
        }
      store_states(h, next);
      if (t + 1 < steps) load_inputs(t + 1, next);
      __syncthreads();
      if (t >= burn && threadIdx.x < S) total += output(t, n, next, losses, weight, dropout, out, d_bias);
    }
#pragma unroll
    for (int o = 0; o < O; o++)
      if (weight) sum_at(KP * U * C + U * O + o) += d_bias[o];
    return total;
  }

  INLINE void run_backward(int steps, const Dropout& dropout) const {
    float dh[SP][U] = {}, dc[SP][U] = {}, c[SP][U], dw[KP][U][C] = {}, d_head[U][O] = {};
    recall_cells(steps - 1, c);
    for (int t = steps - 1; t >= 0; t--) {  // what step `steps - 1` has read is there still, the others are read again
      __syncthreads();
      step_back(t, in(t), c, dh, dc, d_head, dropout);
      __syncthreads();
      add_weight_gradient(place, in(t), dz, dw);
      if (!t) break;
      add_state_gradient(place, dz, w, dh);
      recall_states(t - 1, in(t - 1));
      recall_cells(t - 1, c);
      load_inputs(t - 1, in(t - 1));
    }
#pragma unroll
    for (int r = 0; r < KP; r++)
#pragma unroll
      for (int u = 0; u < U; u++)
#pragma unroll
        for (int c = 0; c < C; c++) sum_at((r * U + u) * C + c) += dw[r][u][c];
#pragma unroll
    for (int u = 0; u < U; u++)
#pragma unroll
      for (int o = 0; o < O; o++) sum_at(KP * U * C + u * O + o) += d_head[u][o];
  }

  INLINE float& sum_at(int i) const { return space.sums[i * threads + threadIdx.x]; }

  // Where torch keeps the weight of row r and column c of a unit, or -1; the second place is a bias's other one.
  INLINE static int index(int r, int unit, int c, int& second) {
    second = -1;
    const bool one = r == H + F, of_h = r < H;
    if (unit >= units || r > H + F || (of_h && (r >= units || c >= R))) return -1;
    if (apart && !one && !of_h && c == Cell::apart) return -1;  // x goes to the column after it
    const int j = (c < Q ? c : Q - 1) * units + unit;
    if (of_h) return torch().recurrent(j, r);
    if (!one) return torch().input(j, r - H);
    if (apart && c == Cell::apart) return torch().recurrent_bias(j);
    if (!apart || c < Cell::apart) second = torch().recurrent_bias(j);
    return torch().input_bias(j);
  }

  INLINE static float activate(const float (&z)[C], float h, float& c, float (&gates)[Q], float& extra) {
#pragma unroll
    for (int q = 0; q < Q; q++) gates[q] = z[q];
    const float before = c;
    extra = 0;
    return Cell::forward(gates, apart ? z[C - 1] : 0.0f, h, before, c, extra);
  }

  INLINE void store_states(const float (&h)[SP][U], float* to) const {
#pragma unroll
    for (int j = 0; j < SP; j++)
#pragma unroll
      for (int u = 0; u < U; u++) to[place.sample(j) * input_row + place.unit(u)] = h[j][u];
  }

  INLINE void load_inputs(int t, float* to) const {
    for (int i = threadIdx.x; i < S * F; i += threads)
      to[i / F * input_row + H + i % F] = space.x[(size_t)(first[i / F] + t) * F + i % F];
  }

  INLINE float* kept(int t, int j, int u) const {
    return space.history + (((size_t)t * 2 * SP + j) * U + u) * threads + threadIdx.x;
  }
  INLINE void remember(int t, int j, int u, float h, float c) const {
    float* to = kept(t, j, u);
    to[0] = h;
    if (Cell::remembers) to[SP * U * threads] = c;
  }
  INLINE void recall_states(int t, float* to) const {
#pragma unroll
    for (int j = 0; j < SP; j++)
#pragma unroll
      for (int u = 0; u < U; u++) to[place.sample(j) * input_row + place.unit(u)] = *kept(t, j, u);
  }
  INLINE void recall_cells(int t, float (&c)[SP][U]) const {
#pragma unroll
    for (int j = 0; j < SP; j++)
#pragma unroll
      for (int u = 0; u < U; u++) c[j][u] = Cell::remembers ? kept(t, j, u)[SP * U * threads] : 0.0f;
  }

  // What dropout makes of the head's input from a unit at step t of the sample that begins at this row.
  INLINE float mask(const Dropout& dropout, int row, int t, int unit) const {
    if (!dropout.on) return 1.0f;
    const uint64_t sample = (uint64_t)row * (burn + plan.stride) + t;
    const uint64_t number = draw(dropout.key, ((uint64_t)1 << 40) + sample * units + unit);
    return number >> 40 < dropout.lowest ? 0.0f : dropout.factor;
  }

  // The outputs after step t of the sample threadIdx.x; returns its loss, and adds up the loss's derivative by them.
  INLINE double output(int t, int n, const float* states, bool losses, float weight, const Dropout& dropout, float (&out)[O],
                       float (&d_bias)[O]) const {
    const int s = threadIdx.x, row = first[s];
#pragma unroll
    for (int o = 0; o < O; o++) out[o] = 0;
#pragma unroll 4
    for (int u = 0; u < units; u++) {
      const float h = states[s * input_row + u] * mask(dropout, row, t, u);
      out[0] += head.w[u] * h;
      if (O == 2) out[O - 1] += head.w[(O - 1) * H + u] * h;
    }
#pragma unroll
    for (int o = 0; o < O; o++) out[o] += head.b[o];
    if (!losses) return 0;
    float both[2] = {out[0], out[O - 1]}, d[2] = {};
    const double loss = loss_of(plan.loss, both, space.y[row + t], d);
    if (!weight) return s < n ? loss : 0;
#pragma unroll
    for (int o = 0; o < O; o++) {
      d[o] = s < n ? d[o] * weight : 0.0f;
      d_bias[o] += d[o];
      space.d_out[((t - burn) * S + s) * O + o] = d[o];
    }
    return s < n ? loss : 0;
  }

  // From the states before step t and the derivatives by those after it: dz, and the derivatives by those before it but
  // for what flows through dz.
  INLINE void step_back(int t, const float* read, const float (&c)[SP][U], float (&dh)[SP][U], float (&dc)[SP][U], float (&d_head)[U][O], const Dropout& dropout) const {
    float z[SP][U][C];
    preactivations(place, read, w, z);
#pragma unroll
    for (int j = 0; j < SP; j++) {
      const int s = place.sample(j);
#pragma unroll
      for (int u = 0; u < U; u++) {
        float gates[Q], extra, after = c[j][u], dq[Q], dx = 0, columns[C] = {};
        const float before = read[s * input_row + place.unit(u)];
        const float state = activate(z[j][u], before, after, gates, extra);
        if (t >= burn) dh[j][u] += head_back(t, s, u, state, d_head[u], dropout);
        Derivatives<float> d{dh[j][u], dc[j][u]};
        Cell::backward(gates, before, c[j][u], extra, d, dq, dx);
        dc[j][u] = d.c;
        dh[j][u] = Cell::carries ? d.h : 0.0f;
#pragma unroll
        for (int q = 0; q < Q; q++) columns[q] = dq[q];
        if (apart) columns[C - 1] = dx;
        store_columns(dz + s * column_row + place.unit(u) * C, columns);
      }
    }
  }

  // The head's derivative by a unit's state after step t; adds to that by the head's weights.
  INLINE float head_back(int t, int s, int u, float state, float (&d_head)[O], const Dropout& dropout) const {
    const int unit = place.unit(u);
    const float factor = mask(dropout, first[s], t, unit);
    const float* d = space.d_out + ((t - burn) * S + s) * O;
    float by_state = d[0] * head.w[unit];
    d_head[0] += d[0] * (state * factor);
    if (O == 2) by_state += d[1] * head.w[(O - 1) * H + unit], d_head[O - 1] += d[1] * (state * factor);
    return by_state * factor;
  }

  // What step t reads, (S, input_row); two steps in turn have one place.
  INLINE float* in(int t) const { return inputs + t % 2 * input_floats; }

  float *w, *inputs, *dz;  // the weights (K, column_row), two tiles of inputs (S, input_row), one of dz (S, column_row)
  Head head;
};

}  // namespace rollcast
