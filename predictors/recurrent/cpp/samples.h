// The samples of a window, by position; jobs.py, Samples, has the same formulas.
#pragma once
#include "plan.h"

namespace rollcast {

// A sample reads lookback - 1 + stride bars from its first row on; row 0 is the job's first bar. Its targets are after its
// last `stride` bars. The last sample's last bar is the last with a target.
struct Samples {
  int targets;   // bars that have a target
  int stride;    // targets of a sample
  int count;     // samples
  int held;      // the latest of them, held out for validation
  int training;  // the earliest of them; a lookback separates them from those held out

  INLINE static Samples of(const Plan& plan, const Job& job) {
    Samples s;
    const int burn = plan.lookback - 1;
    s.targets = (int)(job.split - 1 - job.first);
    const int most = s.targets - burn > 1 ? s.targets - burn : 1;
    s.stride = plan.stride < most ? plan.stride : most;
    s.count = s.targets > burn ? (s.targets - burn) / s.stride : 0;
    s.held = (int)(plan.validation * s.count);
    s.training = s.count - s.held - (s.held ? (plan.lookback + s.stride - 1) / s.stride : 0);
    return s;
  }

  INLINE int first_row(const Plan& plan, int position) const {
    return targets - (plan.lookback - 1) - (count - position) * stride;
  }
};

}  // namespace rollcast
