"""Markets for look-ahead tests, and the perturbations of their later bars.

Notation: cut, the number of bars that stay as they are; all bars after them are perturbed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd

from ..bars import COLUMNS, random_walk

PRICES, VOLUME = COLUMNS[:4], COLUMNS[4:]
RECURRING = 10  # bars after which the events of a provoking market recur


def eventful_market(n: int, seed: int = 0) -> pd.DataFrame:
    """A random walk of `n` bars with jumps, bars of high and low volume, missing days and a turn of the year.

    A leak may show at such events only. The turn of the year lies within the last ten bars.
    """
    rng = np.random.default_rng([seed, n])
    bars = random_walk(n, seed)
    jumps = np.exp(np.cumsum(np.where(rng.random(n) < 0.1, rng.normal(0, 0.05, n), 0.0)))
    bars[list(PRICES)] = bars[list(PRICES)].mul(jumps, axis=0)
    bars["volume"] = np.round(bars["volume"] * rng.choice([0.1, 1.0, 8.0], n, p=[0.1, 0.8, 0.1]))
    days = pd.bdate_range(end="2004-01-09", periods=n + n // 8, name="date")
    return bars.set_index(days[np.sort(rng.permutation(len(days))[:n])])


def provoking_market(n: int, kind: Literal["by day", "by second"]) -> pd.DataFrame:
    """A market of `n` bars with what real data have: ten bars that recur, up to the last, in calm and stormy phases.

    Two idle bars, whose volume is zero; a close that is taken back one bar later; a limit move, all four prices equal;
    a close that stands still; a gap in prices and in time. The end of a month lies within the last ten bars. By day,
    prices lie near 100 and are rounded to halves; by second, near 0.05, in steps of 0.0001.
    """
    rng = np.random.default_rng([n, kind == "by day"])
    place = np.arange(n)[::-1] % RECURRING  # bars to the end of the ten
    sign = np.where(np.arange(n)[::-1] // RECURRING % 2, 1.0, -1.0)
    at = {name: place == k for k, name in ((5, "spike"), (4, "back"), (3, "limit"), (2, "stale"), (1, "gap"))}
    idle = place >= 8
    returns = rng.normal(0, np.where(np.arange(n) // 7 % 2, 0.03, 0.005))
    returns += sign * (0.3 * at["spike"] - 0.3 * at["back"] + 0.1 * at["limit"] + 0.08 * at["gap"])
    returns[idle | at["stale"]] = 0.0
    price, tick = (100.0, 0.5) if kind == "by day" else (0.05, 0.0001)
    close = price * np.exp(np.cumsum(returns))
    before = np.r_[price, close[:-1]]
    opening = before * np.exp(sign * 0.08 * at["gap"] + rng.normal(0, 0.002, n))
    around = np.exp(np.abs(rng.normal(0, 0.005, (2, n))))
    prices = np.array([opening, np.maximum(opening, close) * around[0], np.minimum(opening, close) / around[1], close])
    prices = np.where(idle | at["limit"], close, prices)
    volume = np.where(idle, 0.0, np.round(1e6 * np.exp(rng.normal(0, 0.5, n))))
    columns = [*np.maximum(np.round(prices / tick) * tick, tick), volume]
    steps = (pd.offsets.BDay(), "2004-03-03") if kind == "by day" else (pd.Timedelta(seconds=1), "2004-03-01 00:00:03")
    dates = pd.date_range(end=steps[1], periods=n + n // RECURRING + 1, freq=steps[0], name="date")
    later = np.cumsum(at["gap"][::-1])[::-1] + np.arange(n)[::-1]  # steps from each bar to the last
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)), index=dates[len(dates) - 1 - later])


def calm_and_wild_market(n: int) -> pd.DataFrame:
    """A random walk of `n` bars, calm and wild for fifty bars in turn: 0.4 % and 2 % a bar."""
    return random_walk(n, volatility=np.where(np.arange(n) // 50 % 2, 0.02, 0.004))


def truncated(bars: pd.DataFrame, cut: int) -> pd.DataFrame:
    """The first `cut` bars."""
    return bars.iloc[:cut].copy()


def changed(bars: pd.DataFrame, cut: int, columns: Sequence[str]) -> pd.DataFrame:
    """Later values of these columns are multiplied by random factors around 1.

    Where all four prices are among the columns, high and low remain the extremes of the bar.
    """

    def change(later: np.ndarray) -> np.ndarray:
        spread = [0.5 if column in VOLUME else 0.1 for column in columns]
        values = later * np.exp(np.random.default_rng(cut).normal(0, spread, later.shape))
        if tuple(columns[:4]) == PRICES:
            values[:, 1], values[:, 2] = values[:, :4].max(axis=1), values[:, :4].min(axis=1)
        return values

    return _replaced(bars, cut, columns, change)


def shuffled(bars: pd.DataFrame, cut: int, columns: Sequence[str]) -> pd.DataFrame:
    """Later rows of these columns are in random order."""
    order = np.random.default_rng(cut).permutation(len(bars) - cut)
    return _replaced(bars, cut, columns, lambda later: later[order])


def erased(bars: pd.DataFrame, cut: int, columns: Sequence[str]) -> pd.DataFrame:
    """Later values of these columns are NaN."""
    return _replaced(bars, cut, columns, lambda later: np.full_like(later, np.nan))


# Each by its name in reports: "… when the bars after the first 5 were cut off".
PERTURBATIONS: dict[str, Callable[[pd.DataFrame, int], pd.DataFrame]] = {
    "cut off": truncated,
    "given other prices": partial(changed, columns=PRICES),
    "given other volume": partial(changed, columns=VOLUME),
    "given shuffled prices": partial(shuffled, columns=PRICES),
    "given shuffled volume": partial(shuffled, columns=VOLUME),
    "given NaN prices": partial(erased, columns=PRICES),
    "given NaN volume": partial(erased, columns=VOLUME),
}


def _replaced(
    bars: pd.DataFrame, cut: int, columns: Sequence[str], function: Callable[[np.ndarray], np.ndarray]
) -> pd.DataFrame:
    """The bars with `function` applied to the later rows of these columns, an array (bars - cut, columns)."""
    values = bars.to_numpy(float, copy=True)
    positions = [bars.columns.get_loc(column) for column in columns]
    values[cut:, positions] = function(values[cut:, positions])
    return pd.DataFrame(values, index=bars.index, columns=bars.columns)
