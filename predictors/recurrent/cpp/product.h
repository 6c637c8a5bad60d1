// The two matrix products of backpropagation, tiled so that a tile's sums stay in registers.
//
// Notation: n rows (samples, or bars), K inner and M outer columns, M a multiple of the vector width V.
#pragma once
#include <type_traits>

#include "vec.h"

namespace rollcast {

// Calls f(size, begin) for consecutive pieces of [begin, end): as many of `Size` as fit, then halves, down to 1.
template <int Size, class F>
INLINE void pieces(int begin, int end, F&& f) {
  for (; begin + Size <= end; begin += Size) f(std::integral_constant<int, Size>{}, begin);
  if constexpr (Size > 1) {
    if (begin < end) pieces<Size / 2>(begin, end, f);
  }
}

// Rows of a tile whose rows hold C vectors of sums.
constexpr int tile_rows(int C) {
  if (many_registers) return C == 1 ? 12 : C == 2 ? 8 : C == 3 ? 8 : 6;
  return C == 1 ? 8 : C == 2 ? 6 : 3;
}

enum class Start { zero, row, add };

// S rows and C vectors of `out`: its own values, or zero, or the row `first`, plus a (S, K) · b (K, M).
template <Start start, int S, int C>
INLINE void multiply_tile(const float* a, int a_stride, int K, const float* b, int M, const float* first, float* out) {
  vf sums[S][C];
  for (int s = 0; s < S; s++)
    for (int c = 0; c < C; c++)
      sums[s][c] = start == Start::zero ? vf{} : load(start == Start::row ? first + c * V : out + s * M + c * V);
  for (int k = 0; k < K; k++, b += M) {
    vf row[C];
    for (int c = 0; c < C; c++) row[c] = load(b + c * V);
#pragma GCC unroll 16
    for (int s = 0; s < S; s++)
#pragma GCC unroll 4
      for (int c = 0; c < C; c++) sums[s][c] += a[s * a_stride + k] * row[c];
  }
  for (int s = 0; s < S; s++)
    for (int c = 0; c < C; c++) store(out + s * M + c * V, sums[s][c]);
}

// out (n, M) = start + a (n, K) · b (K, M)
template <Start start>
void multiply(const float* a, int a_stride, int n, int K, const float* b, int M, const float* first, float* out) {
  pieces<4>(0, M / V, [&](auto C, int c) {
    pieces<tile_rows(C)>(0, n, [&](auto S, int s) {
      multiply_tile<start, S, C>(a + s * a_stride, a_stride, K, b + c * V, M, first + c * V, out + s * M + c * V);
    });
  });
}

// R rows and C vectors of `out` (K, M), plus those of aᵀ (K, n) · z (n, M).
template <int R, int C>
INLINE void outer_tile(const float* a, int a_stride, int n, const float* z, int M, float* out) {
  vf sums[R][C];
  for (int r = 0; r < R; r++)
    for (int c = 0; c < C; c++) sums[r][c] = load(out + r * M + c * V);
  for (int s = 0; s < n; s++, a += a_stride, z += M) {
    vf row[C];
    for (int c = 0; c < C; c++) row[c] = load(z + c * V);
#pragma GCC unroll 4
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
      for (int c = 0; c < C; c++) sums[r][c] += a[r] * row[c];
  }
  for (int r = 0; r < R; r++)
    for (int c = 0; c < C; c++) store(out + r * M + c * V, sums[r][c]);
}

// out (K, M) += aᵀ (K, n) · z (n, M)
inline void add_outer(const float* a, int a_stride, int n, int K, const float* z, int M, float* out) {
  pieces<many_registers ? 4 : 2>(0, M / V, [&](auto C, int c) {
    pieces<4>(0, K, [&](auto R, int k) {
      outer_tile<R, C>(a + k, a_stride, n, z + c * V, M, out + k * M + c * V);
    });
  });
}

}  // namespace rollcast
