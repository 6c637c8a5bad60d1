"""How often the look-ahead checks accuse honest predictors, on seeded synthetic markets of four kinds.

    python -m benchmarks.false_alarms [--markets 200] [--only lstm --only ema] [--seconds 480] [--write]

Each market is examined as the suite examines its own: every bar of the probed range, every trick. The expected number
of false alarms is 0.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from rollcast import Learner, Predictor
from rollcast.predictors.bars import random_walk
from rollcast.predictors.checks.lookahead import find_leak
from rollcast.predictors.checks.perturbations import eventful_market
from rollcast.predictors.checks.suite import Subject
from tests.zoo.honest import honest, missing

RESULTS = Path(__file__).parent / "results" / "false_alarms.json"


def with_volatility(bars: pd.DataFrame, sigma: np.ndarray) -> pd.DataFrame:
    """The same bars with every log move from the last close times `sigma`, which leaves them bars."""
    prices = np.log(bars[["open", "high", "low", "close"]].to_numpy())
    before = np.r_[np.log(100.0), prices[:-1, 3]]
    moves = (prices - before[:, None]) * sigma[:, None]
    starts = np.r_[0.0, np.cumsum(moves[:-1, 3])] + np.log(100.0)
    return bars.assign(**dict(zip(["open", "high", "low", "close"], np.exp(moves + starts[:, None]).T, strict=True)))


def garch(n: int, seed: int) -> pd.DataFrame:
    """Clustered volatility: σ²[t+1] = 0.05 + 0.1 r²[t] + 0.85 σ²[t], in units of the plain walk's."""
    bars = random_walk(n, seed)
    shocks = np.diff(np.log(bars["close"].to_numpy()), prepend=np.log(100.0)) / 0.01
    variance = np.ones(n)
    for t in range(n - 1):
        variance[t + 1] = 0.05 + (0.1 * shocks[t] ** 2 + 0.85) * variance[t]
    return with_volatility(bars, np.sqrt(variance))


def jumps(n: int, seed: int) -> pd.DataFrame:
    """One move in twenty is eight times as large."""
    return with_volatility(random_walk(n, seed), np.where(np.random.default_rng(seed).random(n) < 0.05, 8.0, 1.0))


def gaps(n: int, seed: int) -> pd.DataFrame:
    """A fifth of the days missing, a tenth of the bars without volume, and one in twenty that did not move."""
    rng = np.random.default_rng(seed)
    bars = random_walk(n + n // 4, seed)
    bars = bars.iloc[np.sort(rng.permutation(len(bars))[:n])]
    bars = with_volatility(bars, np.where(rng.random(n) < 0.05, 0.0, 1.0))
    return bars.assign(volume=bars["volume"].where(rng.random(n) > 0.1, 0.0))


KINDS: dict[str, Callable[[int, int], pd.DataFrame]] = {
    "random walks": random_walk,
    "GARCH": garch,
    "jumps": jumps,
    "missing days and idle bars": gaps,
    "the suite's own kind": eventful_market,
}


def alarms(model: Predictor | Learner, markets: int, until: float) -> tuple[int, int, list[str]]:
    """(markets examined, false alarms, what they said); stops early when the clock passes `until`."""
    subject = Subject(model)
    probe = subject.probes[0]
    found = []
    for k in range(markets):
        if time.perf_counter() > until:
            return k, len(found), found
        make = list(KINDS.values())[k % len(KINDS)]
        if leak := find_leak(probe.predict, make(len(probe.market), 1000 + k), probe.cuts):
            found.append(f"{make.__name__} {1000 + k}: {leak}")
    return markets, len(found), found


def main() -> None:
    """Prints one line for each honest predictor; --write keeps the figures for docs/look-ahead.md."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--markets", type=int, default=200)
    parser.add_argument("--only", action="append", help="a predictor of the zoo; may be repeated")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="in all, shared out evenly")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    chosen = [(n, m) for n, m in honest() if not missing(m) and (not options.only or n in options.only)]
    end = time.perf_counter() + options.seconds
    counts, examined = {}, {}
    for k, (name, model) in enumerate(chosen):
        began = time.perf_counter()
        share = (end - began) / (len(chosen) - k)
        examined[name], counts[name], said = alarms(model, options.markets, began + share)
        seconds = time.perf_counter() - began
        print(f"{name:20s} {examined[name]:4d} markets {counts[name]:3d} false alarms {seconds:6.1f} s", flush=True)
        for line in said:
            print("   ", line)
    print(f"{sum(counts.values())} false alarms in {sum(examined.values())} examinations of {len(chosen)} predictors")
    if options.write:
        RESULTS.parent.mkdir(exist_ok=True)
        figures = {"kinds": list(KINDS), "examined": examined, "alarms": counts}
        RESULTS.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
