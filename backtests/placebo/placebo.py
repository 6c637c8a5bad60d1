"""Placebo markets: what the whole pipeline earns where there is nothing to find, and where the real run stands."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.placebo.markets import SCORES, Pipeline, Progress, score
from rollcast.backtests.placebo.p_value import Chance, chance, decided, enough
from rollcast.backtests.placebo.surrogates import DEFAULT

FILES = ("placebo.json", "placebo.parquet")


@dataclass(frozen=True)
class Placebo:
    """The scores of the real market among those of surrogate ones.

    null:   how the markets were made, a name of `SURROGATES`.
    seed:   from which the seeds in the table come.
    table:  a row each market, in the order drawn: `seed`, then `SCORES`, as `score` has them.
    real:   the same scores of the real market.
    limit:  markets asked for; there are fewer in the table where `until`, a level of p, was decided before.
    """

    null: str
    seed: int
    table: pd.DataFrame
    real: pd.Series
    limit: int
    until: float | None = None

    def chance(self, name: str) -> Chance:
        """How likely a market without an edge scores at least as well.

        An account that never traded counts as a Sharpe ratio of 0, a wiped-out one as the lowest, a forecast without a
        view as a correlation of 0.
        """
        real, null = _ranked(self.real.to_frame().T, name)[0], _ranked(self.table, name)
        stopped = self.until and decided(real, null, enough(self.until, self.limit), self.limit)
        return stopped or chance(real, null)

    def metrics(self) -> dict[str, Any]:
        """What metrics.json and placebo.json hold, in JSON's types.

        Of each score: `real`, `p`, its interval `low` to `high`, `counted` (markets p is of), and `null`, the scores.
        """
        scores = {}
        for name in SCORES:
            found = self.chance(name)
            scores[name] = {
                "real": _plain(self.real[name]),
                "p": found.p,
                "low": found.low,
                "high": found.high,
                "counted": found.markets,
                "null": [_plain(value) for value in self.table[name]],
            }
        asked = {"null": self.null, "markets": len(self.table), "limit": self.limit, "until": self.until}
        return asked | {"seed": self.seed} | scores

    def save(self, folder: Path) -> None:
        """Writes placebo.json and placebo.parquet into an existing folder."""
        said, rows = (folder / name for name in FILES)
        said.write_text(json.dumps(self.metrics(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        self.table.to_parquet(rows)


def placebo(
    pipeline: Pipeline,
    *,
    markets: int = 100,
    null: str = DEFAULT,
    seed: int = 0,
    until: float | None = None,
    at_once: int | None = None,
    progress: Progress | None = None,
) -> Placebo:
    """Runs the pipeline on the real market and on surrogate ones.

    null:     a name of `SURROGATES`.
    until:    stop when no score can come to p ≤ until any more, which changes no verdict at that level, and every p is
              known to about a third.
    at_once:  markets whose windows are trained together; None for as many as fit in memory. It changes no number.
    progress: called with (refits done, refits in all).

    No look-ahead gate: that is for the real market. Raises as `score` does, and ValueError for too few markets.
    """
    if markets < 1:
        raise ValueError(f"markets must be at least 1; got {markets}")
    needed = None if until is None else enough(until, markets)
    # Nothing is decided before so many.
    step = min(pipeline.at_once, at_once or needed or markets)
    seeds = [market_seed(seed, k) for k in range(markets)]
    real = score(pipeline, null, [None]).iloc[0]
    report, drawn = _counted(progress, pipeline.refits * markets), pd.DataFrame(columns=["seed", *SCORES])
    for first in range(0, markets, step):
        some = seeds[first : first + step]
        rows = score(pipeline, null, some, report(pipeline.refits * first))
        rows.insert(0, "seed", some)
        drawn = rows if drawn.empty else pd.concat([drawn, rows], ignore_index=True)
        if needed and (n := _needed(real, drawn, needed, markets)):
            return Placebo(null, seed, drawn.iloc[:n], real, markets, until)
    return Placebo(null, seed, drawn, real, markets, until)


def market_seed(seed: int, number: int) -> int:
    """The seed of a market, of the first seed and its number alone, so that more markets are the same and more."""
    (made,) = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)
    return int(made >> np.uint64(1))  # fits a signed integer


def _needed(real: pd.Series, drawn: pd.DataFrame, hits: int, limit: int) -> int | None:
    """How many markets decide every score; None if these do not."""
    each = []
    for name in SCORES:
        found = decided(_ranked(real.to_frame().T, name)[0], _ranked(drawn, name), hits, limit)
        if found is None:
            return None
        each.append(found.markets)
    return max(each)


def _ranked(table: pd.DataFrame, name: str) -> np.ndarray:
    """The scores as they are ranked, none of them NaN."""
    values = table[name].to_numpy(float)
    if name in ("sharpe", "excess"):
        values = np.where(table["cagr"].to_numpy(float) <= -1, -np.inf, values)
    return np.nan_to_num(values, nan=0.0, neginf=-np.inf, posinf=np.inf)


def _counted(progress: Progress | None, total: int) -> Callable[[int], Progress | None]:
    """Reports of a part of the refits as reports of all of them, given how many went before."""

    def report(before: int) -> Progress | None:
        return None if progress is None else lambda done, _: progress(before + done, total)

    return report


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
