// Counter-based random numbers: a hash of key and position, as in random_numbers.py.
#pragma once
#include "portable.h"

namespace rollcast {

enum Stream : uint64_t { stream_weights, stream_order, stream_dropout };

// The finaliser of SplitMix64 (Steele, Lea & Flood 2014).
INLINE uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}
INLINE uint64_t key(uint64_t seed, uint64_t stream) { return mix(seed + (stream + 1) * 0xD1B54A32D192ED03u); }
INLINE uint64_t draw(uint64_t key, uint64_t i) { return mix(key + (i + 1) * 0x9E3779B97F4A7C15u); }

// In [0, 1), a multiple of 2^-24.
INLINE double uniform(uint64_t key, uint64_t i) { return (double)(draw(key, i) >> 40) * 0x1p-24; }

// The first weight at this position, uniform on ±bound.
INLINE float first_weight(uint64_t key, uint64_t i, double bound) { return (float)((2.0 * uniform(key, i) - 1.0) * bound); }

}  // namespace rollcast
