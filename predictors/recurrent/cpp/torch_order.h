// Where torch keeps the weights of one direction of one layer, counted from the layer's first.
#pragma once
#include "portable.h"

namespace rollcast {

// I inputs, H units, G = gates · H; j a row of all gates, k an input or a unit.
struct TorchOrder {
  int I, H, G;

  INLINE int input(int j, int k) const { return j * I + k; }
  INLINE int recurrent(int j, int k) const { return G * I + j * H + k; }
  INLINE int input_bias(int j) const { return G * (I + H) + j; }
  INLINE int recurrent_bias(int j) const { return G * (I + H + 1) + j; }
  INLINE int count() const { return G * (I + H + 2); }
};

}  // namespace rollcast
