// CUDA's words for a C++ compiler: a block's threads are fibres that take turns between barriers, in any order, or, with
// EMULATE_THREADS, threads of the system. What is not shown: races within a warp, the memory model, speed.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "portable.h"

#define __global__
#define __launch_bounds__(threads, blocks)
#if defined(EMULATE_THREADS)
#define __shared__
#else
#define __shared__ thread_local
#endif

struct __attribute__((may_alias, aligned(16))) float4 {
  float x, y, z, w;
};

namespace emulation {
struct Index {
  int x;
};
Index thread();
Index block();
// The line is that of the barrier, which must be the same for all threads.
void barrier(const char* file, int line);
}  // namespace emulation

#define threadIdx (emulation::thread())
#define blockIdx (emulation::block())
#define __syncthreads() emulation::barrier(__FILE__, __LINE__)
inline void __threadfence_system() {}
inline int atomicAdd(int* address, int by) { return __atomic_fetch_add(address, by, __ATOMIC_RELAXED); }

namespace rollcast {
INLINE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
INLINE float hyperbolic(float x) { return 1.0f - 2.0f / (1.0f + expf(x + x)); }
}  // namespace rollcast
