// Vectors of V floats, and the functions of them that a recurrent net needs, in GCC and Clang vector extensions.
#pragma once
#include "portable.h"
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace rollcast {

#if defined(__AVX512F__)
constexpr int V = 16;
#elif defined(__AVX__)
constexpr int V = 8;
#else
constexpr int V = 4;
#endif
// AVX-512 and 64-bit ARM have 32 vector registers, the others 16; tiles of a product are sized to fit.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr bool many_registers = true;
#else
constexpr bool many_registers = false;
#endif

typedef float vf __attribute__((vector_size(V * 4), may_alias));
typedef int32_t vi __attribute__((vector_size(V * 4)));

INLINE vf load(const float* p) { return *(const vf*)p; }
INLINE void store(float* p, vf v) { *(vf*)p = v; }
INLINE vf all(float x) { return x - vf{}; }

INLINE float sum(vf v) {
  float total = 0;
  for (int l = 0; l < V; l++) total += v[l];
  return total;
}

// e^x = 2^n e^r, n = round(x / ln 2), r in ±ln 2 / 2; e^r ≈ 1 + r + r² p(r), p minimax in relative error, which is 7e-8.
INLINE vf exponential_of_rest(vf r) {
  vf p = all(1.38145988e-3f);
  p = p * r + 8.36871658e-3f;
  p = p * r + 4.16683890e-2f;
  p = p * r + 1.66665211e-1f;
  p = p * r + 4.99999940e-1f;
  return p * (r * r) + r + 1.0f;
}

#if defined(__AVX512F__)
INLINE vf exponential(vf x) {
  x = (vf)_mm512_min_ps((__m512)all(87.0f), (__m512)x);  // infinity has no reciprocal below; a NaN stays
  const vf n = (vf)_mm512_roundscale_ps((__m512)(x * 1.44269504f), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return (vf)_mm512_scalef_ps((__m512)exponential_of_rest(x - n * 0.693147181f), (__m512)n);
}
// A 14-bit guess and one Newton step take a third of a division's time.
INLINE vf reciprocal(vf x) {
  const vf guess = (vf)_mm512_rcp14_ps((__m512)x);
  return guess * (2.0f - x * guess);
}
#else
// Adding 1.5 · 2^23 rounds to an integer and leaves it in the low bits, so this must never see -ffast-math. A NaN stays.
INLINE vf exponential(vf x) {
  const vf low = all(-87.0f), high = all(87.0f), magic = all(12582912.0f);
  x = high < x ? high : x;
  x = low > x ? low : x;
  const vf shifted = x * 1.44269504f + magic, n = shifted - magic;
  const vf y = exponential_of_rest(x - n * 0.693359375f + n * 2.12194440e-4f);
  return (vf)((vi)y + ((vi)shifted << 23));
}
INLINE vf reciprocal(vf x) { return 1.0f / x; }
#endif

INLINE vf sigmoid(vf x) { return reciprocal(1.0f + exponential(-x)); }              // σ(x) = 1 / (1 + e^-x)
INLINE vf hyperbolic(vf x) { return 1.0f - 2.0f * reciprocal(1.0f + exponential(x + x)); }  // tanh(x)

}  // namespace rollcast
