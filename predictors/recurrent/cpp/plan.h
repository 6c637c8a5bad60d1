// What Python hands over: one plan for all trainings of a call, and one job for each. Mirrors kernel.py field by field.
#pragma once
#include "portable.h"

namespace rollcast {

enum CellKind : int32_t { cell_rnn, cell_gru, cell_lstm };
enum LossKind : int32_t { loss_mse, loss_huber, loss_gaussian };
enum Status : int32_t { status_waiting, status_done, status_diverged };

struct Plan {
  int32_t cell, features, hidden, layers, directions, attention;
  int32_t lookback;  // bars read for a forecast
  int32_t stride;    // bars between samples: 1 for one target a sample, more where a sample has several
  int32_t batch;     // samples per update, 0 for all
  int32_t loss, patience;
  int32_t rows;      // bars of input held at a time: no job trains on more
  double lr, clip, decay, dropout, validation;
};

struct Job {
  const double* rows;     // (bars, F) features, not scaled
  const double* returns;  // (bars,) log returns
  const double* scale;    // (F + 1, 2) mean and standard deviation of each feature, then of the target
  float* weights;         // (P,) in torch's order, or null: read where `resume`, written when done
  double* forecast;       // (stop - split + 1, O): the mean and, for two outputs, the standard deviation
  float* losses;          // (epochs,) mean loss of each epoch before its updates, or null
  uint64_t seed;
  int64_t first, split, stop;  // training bars [first, split), forecasts at bars [split - 1, stop)
  int32_t epochs;
  int32_t resume;     // start from `weights` rather than from drawn ones
  int32_t continues;  // start from where the job before this one ended, on the same thread
  int32_t status;
};

}  // namespace rollcast
