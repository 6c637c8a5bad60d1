// Trains windows on a GPU, each from its first weights to its forecasts in one block; a launch trains any number of them.
//
// Compiled at run time (gpu/compiled.py) with the macros of shape.h, and by the tests for a CPU.
#include "net.h"
#include "../adam_step.h"

namespace rollcast {

INLINE bool finite(double x) { return x - x == 0; }

class Training {
 public:
  INLINE Training(const Plan& plan, const Workspace& space, float* shared, const volatile int* stop)
      : net(plan, space, shared), plan(plan), space(space), stop(stop) {}

  // The loss of the full batch at the job's first weights, and its gradient in torch's order.
  INLINE void gradient(Job& job, double* loss, float* out) {
    begin(job);
    for (int i = threadIdx.x; i < samples.count; i += threads) space.order[i] = i;
    net.load_weights();
    const double total = differentiate(0, samples.count, Dropout{});
    for (int i = threadIdx.x; i < net.parameters(); i += threads) out[i] = space.g[i];
    if (!threadIdx.x) *loss = total / ((double)samples.count * samples.stride);
  }

  // Trains jobs until none is left; `next` is the position of the next one.
  NOINLINE void work(Job* jobs, int count, int* next, int* handed_out, int32_t* status) {
    for (;;) {
      __syncthreads();
      if (!threadIdx.x) *handed_out = atomicAdd(next, 1);
      __syncthreads();
      int job = *handed_out;
      if (job >= count) return;
      if (jobs[job].continues) continue;  // whoever has the head of a chain takes the whole chain
      do {
        run(jobs[job], status + job);
        if (stopped) return;
      } while (++job < count && jobs[job].continues);
    }
  }

 private:
  NOINLINE void run(Job& job, int32_t* status) {
    begin(job);
    bool diverged = !train(job);
    if (stopped) return;
    for (int i = threadIdx.x; i < net.parameters(); i += threads) job.weights[i] = space.p[i];
    if (!forecast(job)) diverged = true;
    __threadfence_system();
    __syncthreads();
    if (!threadIdx.x) *(volatile int32_t*)status = diverged ? status_diverged : status_done;
  }

  bool stopped = false;

  NOINLINE void begin(const Job& job) {
    samples = Samples::of(plan, job);
    if (job.epochs) read(job, job.first, samples.targets);
    const double mean = job.scale[2 * F], std = job.scale[2 * F + 1];
    for (int r = threadIdx.x; job.epochs && r < samples.targets; r += threads)
      space.y[r] = (float)((job.returns[job.first + r + 1] - mean) / std);
    const uint64_t drawn = key(job.seed, stream_weights);
    const double bound = 1.0 / sqrt((double)units);
    for (int i = threadIdx.x; i < net.parameters(); i += threads) {
      space.m[i] = space.v[i] = 0;
      if (!job.continues) space.p[i] = job.resume ? job.weights[i] : first_weight(drawn, i, bound);
    }
    power1 = power2 = 1;
  }

  // n bars from `from` on, in standard deviations from the mean.
  NOINLINE void read(const Job& job, int64_t from, int n) {
    for (int i = threadIdx.x; i < n * F; i += threads)
      space.x[i] = (float)((job.rows[from * F + i] - job.scale[2 * (i % F)]) / job.scale[2 * (i % F) + 1]);
    __syncthreads();
  }

  // False if the loss stopped being a number. Early stopping keeps the weights that did best on the samples held out.
  NOINLINE bool train(Job& job) {
    const int n = samples.training, batch = plan.batch && plan.batch < n ? plan.batch : n;
    const double most = 1e308;
    double least = most;
    uint64_t update = 0;
    net.load_weights();
    for (int epoch = 0, waited = 0; epoch < job.epochs && waited < plan.patience; epoch++) {
      if (told_to_stop()) return true;
      arrange(job, epoch, n);
      double total = 0;
      for (int start = 0; start < n; start += batch) {
        const int size = batch < n - start ? batch : n - start;
        const uint64_t dropout = key(key(job.seed, stream_dropout), update++);
        const bool on = plan.dropout > 0;
        total += differentiate(start, size, {dropout, (uint64_t)ceil(plan.dropout * 0x1p24), (float)(1 / (1 - plan.dropout)), on});
        step();
      }
      if (!threadIdx.x) job.losses[epoch] = (float)(total / ((double)n * samples.stride));
      if (!finite(total)) return false;
      if (!samples.held) continue;
      const double loss = evaluate(samples.count - samples.held, samples.held);
      waited = loss < least ? 0 : waited + 1;
      if (loss < least) least = loss, copy(space.p, space.best);
    }
    if (least < most) copy(space.best, space.p), net.load_weights();
    return true;
  }

  NOINLINE bool told_to_stop() {
    __syncthreads();
    if (!threadIdx.x) net.scratch[0] = *stop;
    __syncthreads();
    stopped = net.scratch[0] != 0;
    __syncthreads();
    return stopped;
  }

  // The positions of the n training samples in the order of this epoch.
  NOINLINE void arrange(const Job& job, int epoch, int n) {
    if (plan.batch) {
      const uint64_t drawn = key(key(job.seed, stream_order), epoch);
      int size = 1;
      while (size < n) size *= 2;
      for (int i = threadIdx.x; i < size; i += threads)
        space.draws[i] = {i < n ? draw(drawn, i) : ~(uint64_t)0, (uint32_t)i, 0};
      block_sort(space.draws, size);
    }
    for (int i = threadIdx.x; i < n; i += threads) space.order[i] = plan.batch ? (int)space.draws[i].position : i;
    __syncthreads();
  }

  // The gradient of the mean loss of `size` samples from position `start` of the order on; returns the sum of the losses.
  NOINLINE double differentiate(int start, int size, const Dropout& dropout) {
    const int steps = net.burn + samples.stride;
    float unused[O];
    double total = 0;
    net.clear_gradient();
    for (int s0 = 0; s0 < size; s0 += S) {
      choose(start + s0, size - s0, true);
      total += net.forward(size - s0, steps, true, 1.0f / (size * samples.stride), dropout, unused);
      net.backward(steps, dropout);
    }
    net.finish_gradient();
    return block_sum(total, net.scratch);
  }

  // AdamW, with a clip of the gradient's norm (Pascanu, Mikolov & Bengio 2013).
  NOINLINE void step() {
    double squares = 0;
    for (int i = threadIdx.x; i < net.parameters(); i += threads) squares += (double)space.g[i] * space.g[i];
    const float norm = (float)sqrt(block_sum(squares, net.scratch)), clip = (float)plan.clip;
    // As min(1, …) does it on the CPU, a norm that is no number leaves the gradient as it is.
    const float shrunk = clip / (norm + 1e-6f), scale = shrunk < 1.0f ? shrunk : 1.0f;
    power1 *= adam_beta1, power2 *= adam_beta2;
    const AdamStep adam{(float)(plan.lr / (1.0 - power1)), 1.0f / (float)sqrt(1.0 - power2), (float)(1.0 - plan.lr * plan.decay)};
    for (int i = threadIdx.x; i < net.parameters(); i += threads)
      adam(space.g[i] * scale, space.p[i], space.m[i], space.v[i]);
    net.load_weights();
  }

  // The mean loss of samples [start, start + size).
  NOINLINE double evaluate(int start, int size) {
    float unused[O];
    double total = 0;
    for (int s0 = 0; s0 < size; s0 += S) {
      choose(start + s0, size - s0, false);
      total += net.forward(size - s0, net.burn + samples.stride, true, 0, Dropout{}, unused);
    }
    return block_sum(total, net.scratch) / ((double)size * samples.stride);
  }

  // The forecasts at bars [split - 1, stop), each from its own lookback; false if one is not a number.
  NOINLINE bool forecast(Job& job) {
    const double mean = job.scale[2 * F], std = job.scale[2 * F + 1];
    const int most = plan.rows - net.burn;
    double bad = 0;
    for (int64_t from = job.split - 1; from < job.stop; from += most) {
      const int count = (int)(most < job.stop - from ? most : job.stop - from);
      __syncthreads();
      read(job, from - net.burn, count + net.burn);
      for (int s0 = 0; s0 < count; s0 += S) {
        const int n = count - s0;
        __syncthreads();
        if (threadIdx.x < S) net.first[threadIdx.x] = s0 + ((int)threadIdx.x < n ? threadIdx.x : n - 1);
        __syncthreads();
        float out[O];
        net.forward(n, net.burn + 1, false, 0, Dropout{}, out);
        if (threadIdx.x >= S || (int)threadIdx.x >= n) continue;
        double* target = job.forecast + (from - job.split + 1 + s0 + threadIdx.x) * O;
        target[0] = out[0] * std + mean;
        if (O == 2) target[1] = exp(0.5 * out[O - 1]) * std;
        if (!finite(target[0])) bad = 1;
      }
    }
    return block_sum(bad, net.scratch) == 0;
  }

  // The first rows of a tile's n samples, by their position or by that of the order.
  NOINLINE void choose(int start, int n, bool ordered) {
    __syncthreads();
    if (threadIdx.x < S) {
      const int i = start + ((int)threadIdx.x < n ? threadIdx.x : n - 1);
      net.first[threadIdx.x] = samples.first_row(plan, ordered ? space.order[i] : i);
    }
    __syncthreads();
  }

  INLINE void copy(const float* from, float* to) {
    for (int i = threadIdx.x; i < net.parameters(); i += threads) to[i] = from[i];
    __syncthreads();
  }

  Net net;
  const Plan plan;
  const Workspace space;
  const volatile int* const stop;
  Samples samples{};
  double power1 = 1, power2 = 1;
};

// Cuts a block's memory into its parts; each is filled up to 16 bytes. Returns the bytes of all.
INLINE size_t workspace_of(const Plan& plan, char* memory, Workspace& space) {
  const int steps = plan.lookback - 1 + plan.stride, P = Net::parameters();
  size_t used = 0;
  const auto take = [&](size_t bytes) { return memory + (used += (bytes + 15) / 16 * 16) - (bytes + 15) / 16 * 16; };
  const auto floats = [&](size_t n) { return (float*)take(4 * n); };
  space.x = floats((size_t)plan.rows * F), space.y = floats(plan.rows);
  space.p = floats(P), space.m = floats(P), space.v = floats(P), space.g = floats(P), space.best = floats(P);
  space.history = floats((size_t)steps * 2 * SP * U * threads);
  space.d_out = floats((size_t)plan.stride * S * O), space.sums = floats((size_t)thread_sums * threads);
  space.weights = floats(ROLLCAST_SHARED_WEIGHTS ? 0 : weight_floats);
  int size = 1;
  while (size < plan.rows) size *= 2;
  space.draws = (Draw*)take(sizeof(Draw) * (plan.batch ? size : 0));
  space.order = (int*)take(4 * (size_t)plan.rows);
  return used;
}

}  // namespace rollcast

extern __shared__ float4 shared_memory[];

// The numbers the host needs: threads of a block, bytes of shared memory, and of global memory for each block.
extern "C" __global__ void rollcast_sizes(rollcast::Plan plan, uint64_t* sizes) {
  rollcast::Workspace space;
  sizes[0] = rollcast::threads, sizes[1] = 4 * rollcast::shared_floats;
  sizes[2] = rollcast::workspace_of(plan, nullptr, space);
}

#if defined(ROLLCAST_GRADIENT)
// The loss of the full batch of one job at its first weights, and its gradient in torch's order.
extern "C" __global__ void __launch_bounds__(rollcast::threads, rollcast::blocks)
rollcast_gradient(rollcast::Plan plan, rollcast::Job* job, char* memory, double* loss, float* out) {
  rollcast::Workspace space;
  rollcast::workspace_of(plan, memory, space);
  rollcast::Training training(plan, space, (float*)shared_memory, nullptr);
  training.gradient(*job, loss, out);
}
#else
// plan and jobs: as for the CPU's kernel, with the device's pointers. next: the position of the next job, 0 at first.
// memory: `size` bytes for each block. status: of every job, once it has ended. stop: becomes 1 where the host wants no more.
extern "C" __global__ void __launch_bounds__(rollcast::threads, rollcast::blocks)
rollcast_train(rollcast::Plan plan, rollcast::Job* jobs, int count, int* next, char* memory, uint64_t size, int32_t* status,
               const int* stop) {
  rollcast::Workspace space;
  rollcast::workspace_of(plan, memory + blockIdx.x * size, space);
  float* shared = (float*)shared_memory;
  int* handed_out = (int*)(shared + rollcast::shared_floats - 4);
  rollcast::Training training(plan, space, shared, stop);
  training.work(jobs, count, next, handed_out, status);
}
#endif
