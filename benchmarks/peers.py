"""The other libraries' side of training_peers.py: it runs in an environment that has them, and not rollcast.

    python benchmarks/peers.py LIBRARY ROWS.npy WINDOWS

Every line it reads is a batch size. The first answer to one counts the work of a window, every later one times a call:
a line of JSON.

H units, T lookback, N samples, F features, E epochs.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

H, T, N, E, EVERY = 32, 20, 504, 30, 21
BATCHES = (N, 64)
Call = Callable[[], object]


def darts_call(rows: np.ndarray, batch: int, windows: int) -> Call:
    from darts import TimeSeries
    from darts.models import BlockRNNModel

    series, covariates = TimeSeries.from_values(rows[:, :1]), TimeSeries.from_values(rows[:, 1:])
    last = N + T + EVERY * (windows - 1)

    def call() -> object:
        model = BlockRNNModel(
            input_chunk_length=T, output_chunk_length=1, model="LSTM", hidden_dim=H, n_rnn_layers=1, dropout=0.0,
            batch_size=batch, n_epochs=E, optimizer_kwargs={"lr": 0.01}, random_state=0, pl_trainer_kwargs=trainer(),
        )  # fmt: skip
        forecast = model.historical_forecasts(
            series[: last + 1], past_covariates=covariates[: last + 1], start=N + T, train_length=N + T, stride=EVERY,
            forecast_horizon=1, retrain=True, verbose=False,
        )  # fmt: skip
        assert len(forecast) == windows
        return forecast

    return call


def neuralforecast_call(rows: np.ndarray, batch: int, windows: int) -> Call:
    import pandas as pd
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MSE
    from neuralforecast.models import LSTM

    last = N + T + EVERY * (windows - 1)
    frame = pd.DataFrame(rows[: last + 1], columns=["y", "range", "gap", "volume"])
    frame = frame.assign(unique_id="SPY", ds=np.arange(len(frame)))

    def call() -> object:
        model = LSTM(
            h=1, input_size=T, encoder_n_layers=1, encoder_hidden_size=H, decoder_layers=1, loss=MSE(),
            hist_exog_list=["range", "gap", "volume"], max_steps=E * -(-N // batch), learning_rate=0.01,
            windows_batch_size=batch, scaler_type="identity", val_check_steps=10**6, **trainer(),
        )  # fmt: skip
        found = NeuralForecast(models=[model], freq=1).cross_validation(
            frame, n_windows=windows, step_size=EVERY, refit=True
        )
        assert len(found) == windows
        return found

    return call


PEERS = {"darts": darts_call, "neuralforecast": neuralforecast_call}


def trainer() -> dict[str, Any]:
    """What both peers hand to Lightning: a plain CPU, no files, no bars."""
    return {
        "accelerator": "cpu", "devices": 1, "logger": False, "enable_checkpointing": False,
        "enable_progress_bar": False, "enable_model_summary": False, "gradient_clip_val": 1.0,
    }  # fmt: skip


@contextmanager
def watched(counts: Counter[str]) -> Iterator[None]:
    """Counts fits, optimiser steps, and the sample-steps that layers of nn.LSTM read while training."""
    import pytorch_lightning
    import torch
    from torch.nn.modules.module import register_module_forward_hook
    from torch.optim.optimizer import register_optimizer_step_post_hook

    def read(module: object, inputs: tuple[Any, ...], _output: object) -> None:
        if isinstance(module, torch.nn.LSTM) and module.training:
            counts["sample-steps"] += inputs[0].shape[0] * inputs[0].shape[1]

    def stepped(*_: object) -> None:
        counts["steps"] += 1

    def fit(self: object, *arguments: Any, **keywords: Any) -> object:
        counts["fits"] += 1
        return fitted(self, *arguments, **keywords)

    fitted = pytorch_lightning.Trainer.fit
    hooks = register_module_forward_hook(read), register_optimizer_step_post_hook(stepped)
    pytorch_lightning.Trainer.fit = fit
    try:
        yield
    finally:
        pytorch_lightning.Trainer.fit = fitted
        for hook in hooks:
            hook.remove()


def timed(call: Call) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def serve(name: str, data: Path, windows: int) -> None:
    """A peer's process: counts at the first request for a batch size, and times at every one after it."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    calls = {batch: PEERS[name](np.load(data), batch, windows) for batch in BATCHES}
    seen: set[int] = set()
    for line in sys.stdin:
        batch, counts = int(line), Counter[str]()
        if batch in seen:
            answer: dict[str, float] = timed(calls[batch])
        else:
            with watched(counts):
                calls[batch]()
            answer = {key: count / windows for key, count in counts.items()}
        seen.add(batch)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
