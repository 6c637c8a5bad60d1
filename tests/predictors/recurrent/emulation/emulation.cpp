// The GPU's kernel as a library for the CPU, launched by name with the arguments that cuLaunchKernel takes.
#include "emulated_cuda.h"
//
#include "gpu/training.cu"

#include <pthread.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

constexpr size_t most_shared = 228 << 10;  // of a streaming multiprocessor of an H100
#if defined(EMULATE_THREADS)
alignas(128) float4 shared_memory[most_shared / 16];
#else
alignas(128) thread_local float4 shared_memory[most_shared / 16];
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)
#define ASAN_UNPOISON_MEMORY_REGION(address, size)
#endif

namespace emulation {

#if defined(EMULATE_THREADS)
int block_at;
#else
thread_local int block_at;
#endif
thread_local int thread_at;
Index thread() { return {thread_at}; }
Index block() { return {block_at}; }

[[noreturn]] void fail(const char* what, const char* file, int line) {
  std::fprintf(stderr, "emulated kernel: %s at %s:%d\n", what, file, line);
  std::abort();
}

#if defined(EMULATE_THREADS)

pthread_barrier_t meeting;
void barrier(const char*, int) { pthread_barrier_wait(&meeting); }

void run_block(int count, const std::function<void()>& kernel, uint64_t) {
  pthread_barrier_init(&meeting, nullptr, count);
  std::vector<std::thread> threads;
  for (int i = 0; i < count; i++) threads.emplace_back([&, i] { thread_at = i, kernel(); });
  for (auto& thread : threads) thread.join();
  pthread_barrier_destroy(&meeting);
}

#else

constexpr size_t stack_size = 256 << 10;
struct Fibre {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[stack_size]};
  const char* file;
  int line;
  bool ended;
};
// Every launch has a thread of its own.
thread_local ucontext_t scheduler;
thread_local std::vector<Fibre> fibres;
thread_local const std::function<void()>* running;

void enter() {
  (*running)();
  fibres[thread_at].ended = true;
  swapcontext(&fibres[thread_at].context, &scheduler);
}

void barrier(const char* file, int line) {
  Fibre& fibre = fibres[thread_at];
  fibre.file = file, fibre.line = line;
  swapcontext(&fibre.context, &scheduler);
}

// Lets every thread run to its next barrier, in the order of their numbers or, with a seed, shuffled anew each time.
void run_block(int count, const std::function<void()>& kernel, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<int> order(count);
  std::iota(order.begin(), order.end(), 0);
  fibres.resize(count), running = &kernel;
  for (Fibre& fibre : fibres) {
    getcontext(&fibre.context);
    fibre.context.uc_stack.ss_sp = fibre.stack.get(), fibre.context.uc_stack.ss_size = stack_size;
    fibre.ended = false;
    makecontext(&fibre.context, enter, 0);
  }
  do {
    if (seed) std::shuffle(order.begin(), order.end(), random);
    for (int i : order) thread_at = i, swapcontext(&scheduler, &fibres[i].context);
    for (const Fibre& fibre : fibres)
      if (fibre.ended != fibres[0].ended || (!fibre.ended && (fibre.line != fibres[0].line || strcmp(fibre.file, fibres[0].file))))
        fail("threads of a block stand at different barriers", fibre.file, fibre.line);
  } while (!fibres[0].ended);
}

#endif

}  // namespace emulation

template <class T>
T& argument(void** arguments, int i) {
  return *(T*)arguments[i];
}

// Returns 0, or 1 for a name that is no kernel's.
extern "C" __attribute__((visibility("default"))) int emulated_launch(const char* name, int blocks, int threads, int shared_bytes,
                                                                      void** arguments, uint64_t seed) {
  using namespace rollcast;
  const std::string kernel = name;
  std::function<void()> run;
#if !defined(ROLLCAST_GRADIENT)
  if (kernel == "rollcast_train")
    run = [=] {
      rollcast_train(argument<Plan>(arguments, 0), argument<Job*>(arguments, 1), argument<int>(arguments, 2),
                     argument<int*>(arguments, 3), argument<char*>(arguments, 4), argument<uint64_t>(arguments, 5),
                     argument<int32_t*>(arguments, 6), argument<const int*>(arguments, 7));
    };
#else
  if (kernel == "rollcast_gradient")
    run = [=] {
      rollcast_gradient(argument<Plan>(arguments, 0), argument<Job*>(arguments, 1), argument<char*>(arguments, 2),
                        argument<double*>(arguments, 3), argument<float*>(arguments, 4));
    };
#endif
  if (kernel == "rollcast_sizes")
    run = [=] { rollcast_sizes(argument<Plan>(arguments, 0), argument<uint64_t*>(arguments, 1)); };
  if (!run) return 1;
  for (emulation::block_at = 0; emulation::block_at < blocks; emulation::block_at++) {
    memset((void*)shared_memory, 0xff, shared_bytes);  // no number, for a block finds nothing that it could read
    ASAN_POISON_MEMORY_REGION((char*)shared_memory + shared_bytes, most_shared - shared_bytes);
    emulation::run_block(threads, run, seed);
    ASAN_UNPOISON_MEMORY_REGION((char*)shared_memory, most_shared);
  }
  return 0;
}
