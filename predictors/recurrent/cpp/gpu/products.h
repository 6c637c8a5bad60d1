// The three products of a step, on a tile in shared memory; every thread keeps its sums in registers.
#pragma once
#include "shape.h"

namespace rollcast {

// The first N of one unit's columns.
template <int N>
INLINE void load_columns(const float* p, float (&v)[N]) {
  if constexpr (C == 1) {
    v[0] = p[0];
  } else {
    const float4 q = *(const float4*)p;
    const float all[4] = {q.x, q.y, q.z, q.w};
#pragma unroll
    for (int c = 0; c < N; c++) v[c] = all[c];
  }
}

INLINE void store_columns(float* p, const float (&v)[C]) {
  if constexpr (C == 1) {
    p[0] = v[0];
  } else {
    float4 q;
    q.x = v[0], q.y = v[C > 1 ? 1 : 0], q.z = v[C > 2 ? 2 : 0], q.w = v[C > 3 ? 3 : 0];
    *(float4*)p = q;
  }
}

// z += rows [from, to) of the inputs times those of the weights, whose first N columns are not zero.
template <int N>
INLINE void add_product(const Place& place, const float* in, const float* w, int from, int to, float (&z)[SP][U][C]) {
#pragma unroll 1
  for (int k = from; k < to; k += 4) {
    float x[SP][4];
#pragma unroll
    for (int j = 0; j < SP; j++) {
      const float4 q = *(const float4*)(in + place.sample(j) * input_row + k);
      x[j][0] = q.x, x[j][1] = q.y, x[j][2] = q.z, x[j][3] = q.w;
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
      for (int u = 0; u < U; u++) {
        float row[N];
        load_columns(w + (k + i) * column_row + place.unit(u) * C, row);
#pragma unroll
        for (int j = 0; j < SP; j++)
#pragma unroll
          for (int c = 0; c < N; c++) z[j][u][c] += x[j][i] * row[c];
      }
  }
}

// The pre-activations of this thread's samples and units.
INLINE void preactivations(const Place& place, const float* in, const float* w, float (&z)[SP][U][C]) {
#pragma unroll
  for (int j = 0; j < SP; j++)
#pragma unroll
    for (int u = 0; u < U; u++)
#pragma unroll
      for (int c = 0; c < C; c++) z[j][u][c] = 0;
  add_product<R>(place, in, w, 0, H, z);
  add_product<C>(place, in, w, H, K, z);
}

// dh += dz · wᵀ, over the columns that have weights for h.
INLINE void add_state_gradient(const Place& place, const float* dz, const float* w, float (&dh)[SP][U]) {
#pragma unroll 2
  for (int v = 0; v < H; v++) {
    float row[U][R];
#pragma unroll
    for (int u = 0; u < U; u++) load_columns(w + place.unit(u) * column_row + v * C, row[u]);
#pragma unroll
    for (int j = 0; j < SP; j++) {
      float d[R];
      load_columns(dz + place.sample(j) * column_row + v * C, d);
#pragma unroll
      for (int u = 0; u < U; u++)
#pragma unroll
        for (int c = 0; c < R; c++) dh[j][u] += d[c] * row[u][c];
    }
  }
}

constexpr int samples_at_a_time = KP > 6 ? 1 : 2;  // more would spill registers

// dw += inᵀ · dz; the rows of h have R columns, the others C.
INLINE void add_weight_gradient(const Place& place, const float* in, const float* dz, float (&dw)[KP][U][C]) {
#pragma unroll samples_at_a_time
  for (int s = 0; s < S; s++) {
    float d[U][C];
#pragma unroll
    for (int u = 0; u < U; u++) load_columns(dz + s * column_row + place.unit(u) * C, d[u]);
#pragma unroll
    for (int r = 0; r < KP; r++) {
      const float x = in[s * input_row + place.row(r)];
#pragma unroll
      for (int u = 0; u < U; u++)
#pragma unroll
        for (int c = 0; c < C; c++)
          if (c < R || r >= H / groups) dw[r][u][c] += x * d[u][c];
    }
  }
}

}  // namespace rollcast
