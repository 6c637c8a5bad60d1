// What the threads of a block do together. Every function must be called by all of them.
#pragma once
#include "shape.h"

namespace rollcast {

// The sum of one number of every thread, the same for all; `scratch` has a number for each thread.
NOINLINE inline double block_sum(double value, double* scratch) {
  __syncthreads();  // whoever has used the scratch before is done with it
  scratch[threadIdx.x] = value;
  __syncthreads();
  // Halved from the power of two that holds all threads.
  int width = 1;
  while (width < threads) width *= 2;
  for (int half = width / 2; half; half /= 2) {
    const int other = threadIdx.x + half;
    if ((int)threadIdx.x < half && other < threads) scratch[threadIdx.x] += scratch[other];
    __syncthreads();
  }
  return scratch[0];
}

struct Draw {
  uint64_t number;
  uint32_t position, unused;

  INLINE bool after(const Draw& other) const {
    return number > other.number || (number == other.number && position > other.position);
  }
};

// Sorts `size` draws, a power of two (Batcher 1968, bitonic sort).
NOINLINE inline void block_sort(Draw* draws, int size) {
  for (int run = 2; run <= size; run *= 2)
    for (int apart = run / 2; apart; apart /= 2) {
      __syncthreads();
      for (int i = threadIdx.x; i < size; i += threads) {
        const int other = i ^ apart;
        if (other <= i) continue;
        const bool ascending = !(i & run);
        if (draws[i].after(draws[other]) == ascending) {
          const Draw kept = draws[i];
          draws[i] = draws[other], draws[other] = kept;
        }
      }
    }
  __syncthreads();
}

}  // namespace rollcast
