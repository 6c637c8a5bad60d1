// What is known when the GPU's kernel is compiled: cell, units, features and outputs, and the sizes that follow.
//
// A block of threads trains one window, a tile of S samples at a time. The state h, the inputs x and a one for the biases
// are one row of K numbers for each sample; all weights of the recurrent layer are one matrix of K rows, in which every
// unit has C columns side by side. Every thread has SP samples and U units, and of the weights' gradient KP rows and U units.
#pragma once
#include "../portable.h"

#if defined(__CUDACC__)
namespace rollcast {
// Errors of a few units in the last place; where 1 + e^x overflows, the quotient is 0 as it should be.
INLINE float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }
INLINE float hyperbolic(float x) { return 1.0f - 2.0f * __fdividef(1.0f, 1.0f + __expf(x + x)); }
}  // namespace rollcast
#else
#include "emulated_cuda.h"  // of the tests, which compile the kernel for a CPU
#endif

#include "../cells.h"

namespace rollcast {

using Cell = ROLLCAST_CELL;
constexpr int units = ROLLCAST_HIDDEN, F = ROLLCAST_FEATURES, O = ROLLCAST_OUTPUTS;
constexpr int H = (units + 7) / 8 * 8;  // units, filled up with some whose weights are zero and stay so

constexpr bool apart = Cell::apart >= 0;    // a GRU's candidate keeps the products of h and of x in two columns
constexpr int Q = Cell::gates, R = Q;       // R columns have weights for h
constexpr int C = Q == 1 ? 1 : 4;
constexpr int K = (H + F + 1 + 7) / 8 * 8;

constexpr int groups = 8, U = 2, pairs = H / U, threads = pairs * groups;
constexpr int S = 32, SP = S / groups, KP = K / groups;

constexpr int blocks = 256 / threads;  // on a multiprocessor, at least: with more, the passes' registers would spill

// Rows begin four numbers further than they need, so that the lanes of a warp read from different banks.
constexpr int input_row = K + 4, column_row = H * C + 4;

// Floats of shared memory. Where it is too small for the weights they lie in global memory, and in the L1 cache.
constexpr int weight_floats = K * column_row, head_floats = O * H + 4, input_floats = S * input_row;
constexpr int shared_floats =
    (ROLLCAST_SHARED_WEIGHTS ? weight_floats : 0) + 2 * input_floats + S * column_row + head_floats + S + 4;

// This thread's place: which pair of units, and which group of samples or of the gradient's rows. Eight pairs and four
// groups are a warp, where H allows it, so that a product reads few different addresses at a time.
struct Place {
  int pair, group;

  INLINE static Place of(int thread) {
    if constexpr (pairs % 8 != 0) return {thread % pairs, thread / pairs};
    const int lane = thread % 32, warp = thread / 32, across = pairs < 8 ? 1 : pairs / 8;
    return {warp % across * 8 + lane % 8, warp / across * 4 + lane / 8};
  }
  INLINE int unit(int u) const { return pair + u * pairs; }
  INLINE int sample(int j) const { return group + j * groups; }
  INLINE int row(int c) const { return group + c * groups; }
};

}  // namespace rollcast
