"""Placebo markets: how long they take, how much of it is training, and whether their p-values are honest.

    python -m benchmarks.placebo_speed [--symbol SPY] [--markets 100] [--lstm 5] [--calibrate 1000] [--power 200]
                                      [--only flipped]

--lstm is the number of markets on which the share of time inside the trainer is measured, --calibrate that of real
markets without an edge whose p-values are held against the uniform law, --power that of those with a planted one.
0 leaves a part out, and --only all other nulls.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from rollcast import SMA, OLSFeatures, Request, WalkForward
from rollcast.backtests.placebo import SCORES, SURROGATES, Pipeline, placebo
from rollcast.backtests.placebo.surrogates import DEFAULT
from rollcast.predictors.recurrent import trainer
from tests.placebo.calibration import p_values, uniform

MOMENTUM = (0.0, 0.05, 0.1, 0.2, 0.3)


class Stopwatch:
    """Seconds spent waiting for the trainer, in place of `trainer.train`."""

    def __init__(self, train: Callable[..., Iterator[Any]]) -> None:
        self.train, self.seconds = train, 0.0

    def __call__(self, *arguments: Any) -> Iterator[Any]:
        start = time.perf_counter()
        trainings = iter(self.train(*arguments))
        while True:
            trained = next(trainings, None)
            self.seconds += time.perf_counter() - start
            if trained is None:
                return
            yield trained
            start = time.perf_counter()


def speed(symbol: str, markets: int, nulls: Sequence[str]) -> None:
    trial = Pipeline.of(Request("sma", symbol=symbol))
    for null in nulls:
        start = time.perf_counter()
        placebo(trial, markets=markets, null=null)
        print(f"sma on {symbol}, {markets} {null} markets: {time.perf_counter() - start:.1f} s", flush=True)


def share(symbol: str, markets: int) -> None:
    watch = Stopwatch(trainer.train)
    trainer.train = watch  # type: ignore[assignment]
    try:
        start = time.perf_counter()
        placebo(Pipeline.of(Request("lstm", symbol=symbol)), markets=markets)
        seconds = time.perf_counter() - start
    finally:
        trainer.train = watch.train
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"lstm on {symbol}, {markets} markets and the real: {seconds:.1f} s, {watch.seconds / seconds:.1%} in the "
          f"trainer, {memory:.0f} MB at most", flush=True)  # fmt: skip


def calibrate(count: int, nulls: Sequence[str]) -> None:
    for null in nulls:
        p_by_score = p_values(SMA(window=10), null, count)
        for name in SCORES:
            p = p_by_score[name]
            print(f"{null}, {name}: {count} markets without an edge, p ≤ 0.05 in {np.mean(p <= 0.05 + 1e-9):.3f} and "
                  f"≤ 0.1 in {np.mean(p <= 0.1 + 1e-9):.3f}, mean {p.mean():.3f}, uniform with p = {uniform(p):.3f}",
                  flush=True)  # fmt: skip


def power(count: int) -> None:
    predictor = WalkForward(OLSFeatures(lags=1, features=("return",)), train=200, every=50)
    for momentum in MOMENTUM:
        p_by_score = p_values(predictor, DEFAULT, count, momentum=momentum)
        shares = ", ".join(f"{name} {np.mean(p_by_score[name] <= 0.05 + 1e-9):.2f}" for name in SCORES)
        print(f"{DEFAULT}, r[t] = {momentum} r[t-1] + …, {count} markets: p ≤ 0.05 of {shares}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--symbol", default="SPY")
    for name, default in (("markets", 100), ("lstm", 5), ("calibrate", 1000), ("power", 200)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", action="append", choices=SURROGATES)
    options = parser.parse_args()
    nulls = options.only or list(SURROGATES)
    if options.markets:
        speed(options.symbol, options.markets, nulls)
    if options.lstm:
        share(options.symbol, options.lstm)
    if options.calibrate:
        calibrate(options.calibrate, nulls)
    if options.power:
        power(options.power)


if __name__ == "__main__":
    main()
