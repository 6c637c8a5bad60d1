"""The gate of pooled learners: some refits again, with the bars of every symbol after a date gone or changed.

Notation: D refit date, c cut: the last date that is left untouched, in every symbol.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ...predictors.bars import COLUMNS
from ...predictors.checks.lookahead import SHORTENED, Leak, size_of, tolerance
from ...predictors.checks.perturbations import changed, truncated
from ...predictors.pooled import Pool, Pooled
from ...predictors.window import Window
from .verdict import Verdict

SHARE = 0.09  # of the refits that are made again, as `gate.windows.SHARE`
PROBES = 5  # a refit is made again as it was, and cut off and changed at its date and in the middle of its block
MOST = 10

Blocks = Mapping[str, pd.Series]


def examine_pools(pooled: Pooled, frames: Mapping[str, pd.DataFrame], series: Blocks) -> Verdict:
    """Refits a few times again, on bars that are perturbed after a date, and compares what was forecast before it."""
    pools = pooled.pools(frames)
    chosen = [pools[k] for k in np.linspace(0, len(pools) - 1, _count(len(pools))).astype(int)]
    noise = max(_apart(pooled.forecast(pool), series, None)[0] for pool in chosen)
    size = size_of(np.concatenate([one.to_numpy(float) for one in series.values()]))
    limit = tolerance(np.array([size]), noise)
    fresh = copy.deepcopy(pooled)
    probes, probed = 0, set()
    for pool in chosen:
        for cut in _cuts(pool):
            probed |= {(name, cut) for name, one in series.items() if np.isfinite(one.get(cut, np.nan))}
            for perturbation in ("cut off", "given other values"):
                probes += 1
                moved, date = _apart(fresh.forecast(_perturbed(pool, cut, perturbation)), series, cut)
                if moved > (max(limit, SHORTENED * size) if perturbation == "cut off" else limit):
                    leak = _leak(frames, date, cut, moved, noise, perturbation)
                    return Verdict(probes, leak, noise / (size or 1.0))
    known = sum(int(one.notna().sum()) for one in series.values())
    share = noise / (size or 1.0), len(probed), known, limit / (size or 1.0)
    return Verdict(probes, None, *share, len(chosen), len(pools))


def _count(pools: int) -> int:
    return int(np.clip(SHARE * pools / PROBES, 1, MOST))


def _cuts(pool: Pool) -> list[pd.Timestamp]:
    """The date of the fit, and the middle of the block."""
    dates = sorted({d for w in pool.windows.values() for d in w.model_bars.index[-w.block :] if d >= pool.date})
    return sorted({pool.date, dates[len(dates) // 2]}) if dates else [pool.date]


def _perturbed(pool: Pool, cut: pd.Timestamp, perturbation: str) -> Pool:
    """The refit on bars that are perturbed after `cut`."""
    windows = {}
    for symbol, w in pool.windows.items():
        kept = max(int(w.bars.index.searchsorted(cut, side="right")), w.split)
        if perturbation == "cut off":
            windows[symbol] = Window(truncated(w.bars, kept), w.start, w.split, min(w.stop, kept))
        else:
            other = changed(w.bars, kept, COLUMNS) if kept < len(w.bars) else w.bars
            windows[symbol] = Window(other, w.start, w.split, w.stop)
    return Pool(pool.date, windows)


def _apart(blocks: Blocks, series: Blocks, cut: pd.Timestamp | None) -> tuple[float, pd.Timestamp]:
    """How far the forecasts up to `cut` are from the run's, and on which date most."""
    worst, when = 0.0, pd.Timestamp(0)
    for symbol, block in blocks.items():
        kept = block if cut is None else block[block.index <= cut]
        gap = (kept - series[symbol].reindex(kept.index)).abs().fillna(np.inf)
        if len(gap) and gap.max() > worst:
            worst, when = float(gap.max()), gap.idxmax()
    return worst, when


def _leak(
    frames: Mapping[str, pd.DataFrame],
    date: pd.Timestamp,
    cut: pd.Timestamp,
    moved: float,
    noise: float,
    perturbation: str,
) -> Leak:
    """The leak in the words of `predictors.checks.lookahead`, its bars counted on the panel's calendar."""
    calendar = pd.DatetimeIndex(sorted(set().union(*(bars.index for bars in frames.values()))))
    after = int(calendar.searchsorted(cut, side="right"))
    columns = () if perturbation == "cut off" else COLUMNS
    return Leak(date, after, after - int(calendar.get_loc(date)), columns, moved, noise, perturbation)
