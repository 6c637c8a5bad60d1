// Counter-based random numbers: a hash of key and position, as in random_numbers.py.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace rollcast {

enum Stream : uint64_t { stream_weights, stream_order, stream_dropout };

// The finaliser of SplitMix64 (Steele, Lea & Flood 2014).
inline uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}
inline uint64_t key(uint64_t seed, uint64_t stream) { return mix(seed + (stream + 1) * 0xD1B54A32D192ED03u); }
inline uint64_t draw(uint64_t key, uint64_t i) { return mix(key + (i + 1) * 0x9E3779B97F4A7C15u); }

// In [0, 1), a multiple of 2^-24.
inline double uniform(uint64_t key, uint64_t i) { return (double)(draw(key, i) >> 40) * 0x1p-24; }

// The first n entries of `order`, sorted by a draw for each position.
inline void shuffle(uint64_t key, int n, std::vector<int>& order) {
  std::vector<std::pair<uint64_t, int>> draws(n);
  for (int i = 0; i < n; i++) draws[i] = {draw(key, i), order[i]};
  std::sort(draws.begin(), draws.end());
  for (int i = 0; i < n; i++) order[i] = draws[i].second;
}

}  // namespace rollcast
