// The cells: one step forward, and its derivative, for one unit or a vector of them (R: float or vf), whose functions
// sigmoid(R) and hyperbolic(R) are declared before this header is included.
//
// Notation: z pre-activations by gate, x their input part where a cell keeps it apart, h hidden state, c cell state;
// dv is the derivative of the loss by v. `saved` is what a step leaves for its backward: the gates, and `extra`.
#pragma once
#include "portable.h"

namespace rollcast {

template <class R>
struct Derivatives {
  R h, c;  // in: by this step's states; out: by the step before, not counting what flows through z
};

// h = tanh(W_h h₋ + W_x x + b)
struct Rnn {
  static constexpr int gates = 1, apart = -1;
  static constexpr bool remembers = false, carries = false;

  template <class R>
  static INLINE R forward(R (&z)[1], R, R, R, R&, R&) { return z[0] = hyperbolic(z[0]); }

  template <class R>
  static INLINE void backward(const R (&saved)[1], R, R, R, Derivatives<R>& d, R (&dz)[1], R&) {
    dz[0] = d.h * (1.0f - saved[0] * saved[0]);
  }
};

// r = σ(…), u = σ(…), n = tanh(W_nx x + b_nx + r ∗ (W_nh h₋ + b_nh)), h = (1 - u) ∗ n + u ∗ h₋
struct Gru {
  static constexpr int gates = 3, apart = 2;
  static constexpr bool remembers = false, carries = true;

  template <class R>
  static INLINE R forward(R (&z)[3], R x, R h_before, R, R&, R& extra) {
    const R r = sigmoid(z[0]), u = sigmoid(z[1]), n = hyperbolic(x + r * z[2]);
    extra = z[2];
    z[0] = r, z[1] = u, z[2] = n;
    return n + u * (h_before - n);
  }

  template <class R>
  static INLINE void backward(const R (&saved)[3], R h_before, R, R extra, Derivatives<R>& d, R (&dz)[3], R& dx) {
    const R r = saved[0], u = saved[1], n = saved[2];
    dx = d.h * (1.0f - u) * (1.0f - n * n);
    dz[0] = dx * extra * r * (1.0f - r);
    dz[1] = d.h * (h_before - n) * u * (1.0f - u);
    dz[2] = dx * r;
    d.h *= u;
  }
};

// i, f, o = σ(…), g = tanh(…), c = f ∗ c₋ + i ∗ g, h = o ∗ tanh(c)
struct Lstm {
  static constexpr int gates = 4, apart = -1;
  static constexpr bool remembers = true, carries = false;

  template <class R>
  static INLINE R forward(R (&z)[4], R, R, R c_before, R& c, R& extra) {
    z[0] = sigmoid(z[0]), z[1] = sigmoid(z[1]), z[2] = hyperbolic(z[2]), z[3] = sigmoid(z[3]);
    c = z[1] * c_before + z[0] * z[2];
    extra = hyperbolic(c);
    return z[3] * extra;
  }

  template <class R>
  static INLINE void backward(const R (&saved)[4], R, R c_before, R extra, Derivatives<R>& d, R (&dz)[4], R&) {
    const R i = saved[0], f = saved[1], g = saved[2], o = saved[3];
    const R dc = d.c + d.h * o * (1.0f - extra * extra);
    dz[0] = dc * g * i * (1.0f - i);
    dz[1] = dc * c_before * f * (1.0f - f);
    dz[2] = dc * i * (1.0f - g * g);
    dz[3] = d.h * extra * o * (1.0f - o);
    d.c = dc * f;
  }
};

}  // namespace rollcast
