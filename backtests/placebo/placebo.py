"""The scores of the whole pipeline on placebo markets, and the p-values of the real market among them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .markets import SCORES, Pipeline, Progress, score
from .p_value import Chance, chance, decided, enough
from .surrogates import DEFAULT

FILES = ("placebo.json", "placebo.parquet")


@dataclass(frozen=True)
class Placebo:
    """The scores of the real market among those of surrogate ones.

    null:   the kind of surrogate, a name of `SURROGATES`.
    seed:   from which the seeds of the markets derive.
    table:  one row for each market, in the order drawn: `seed`, then `SCORES` as `score` defines them.
    real:   the same scores of the real market.
    limit:  the largest number of markets; the table has fewer where drawing stopped early.
    until:  the level at which drawing stops as `decided` says; None for no early stop.
    """

    null: str
    seed: int
    table: pd.DataFrame
    real: pd.Series
    limit: int
    until: float | None = None

    def chance(self, name: str) -> Chance:
        """The p-value of a score, a name of `SCORES`.

        A ruined account ranks lowest; a Sharpe ratio or correlation that is not defined counts as 0.
        """
        real, null = _ranked(self.real.to_frame().T, name)[0], _ranked(self.table, name)
        stopped = self.until and decided(real, null, enough(self.until, self.limit), self.limit)
        return stopped or chance(real, null)

    def metrics(self) -> dict[str, object]:
        """The content of placebo.json, which metrics.json has too, in JSON's types.

        Of each score: `real`, `p`, its interval `low` to `high`, `counted` (the number of markets for p), and `null`,
        the scores of the markets.
        """
        scores: dict[str, object] = {}
        for name in SCORES:
            chance = self.chance(name)
            scores[name] = {
                "real": _finite(self.real[name]),
                "p": chance.p,
                "low": chance.low,
                "high": chance.high,
                "counted": chance.markets,
                "null": [_finite(value) for value in self.table[name]],
            }
        settings = {"null": self.null, "markets": len(self.table), "limit": self.limit, "until": self.until}
        return settings | {"seed": self.seed} | scores

    def save(self, folder: Path) -> None:
        """Writes placebo.json and placebo.parquet into an existing folder."""
        metrics, table = (folder / name for name in FILES)
        metrics.write_text(json.dumps(self.metrics(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        self.table.to_parquet(table)


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

    markets:  how many surrogates.   seed: from which their seeds derive.
    null:     a name of `SURROGATES`.
    until:    a level of p. Drawing stops when no score can have p ≤ until any more, and the standard error of every p
              is about a third of p. No verdict at that level depends on it.
    at_once:  markets whose windows are trained together; None for as many as fit in memory. No result depends on it.
    progress: called with (refits done, refits in all).

    The look-ahead gate is not run here, but in the run of the real market. Raises what `score` raises, and ValueError
    for too few markets.
    """
    if markets < 1:
        raise ValueError(f"markets must be at least 1; got {markets}")
    if seed < 0:
        raise ValueError(f"the seed of the markets must be at least 0; got {seed}")
    hits = None if until is None else enough(until, markets)
    # Drawing cannot stop before `hits` markets.
    step = min(pipeline.at_once, at_once or hits or markets)
    seeds = [market_seed(seed, k) for k in range(markets)]
    real = score(pipeline, null, [None]).iloc[0]
    refits, table = pipeline.refits, pd.DataFrame(columns=["seed", *SCORES])
    for first in range(0, markets, step):
        batch = seeds[first : first + step]
        rows = score(pipeline, null, batch, _with_offset(progress, refits * first, refits * markets))
        rows.insert(0, "seed", batch)
        table = rows if table.empty else pd.concat([table, rows], ignore_index=True)
        if hits and (n := _sufficient(real, table, hits, markets)):
            return Placebo(null, seed, table.iloc[:n], real, markets, until)
    return Placebo(null, seed, table, real, markets, until)


def market_seed(seed: int, number: int) -> int:
    """The seed of a market, from `seed` and its number alone, so that more markets leave the first ones the same."""
    (state,) = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)
    return int(state >> np.uint64(1))  # fits a signed integer


def _sufficient(real: pd.Series, table: pd.DataFrame, hits: int, limit: int) -> int | None:
    """The number of markets after which every score is decided; None if these are too few."""
    counts = []
    for name in SCORES:
        chance = decided(_ranked(real.to_frame().T, name)[0], _ranked(table, name), hits, limit)
        if chance is None:
            return None
        counts.append(chance.markets)
    return max(counts)


def _ranked(table: pd.DataFrame, name: str) -> np.ndarray:
    """The values of a score for ranking, none of them NaN."""
    values = table[name].to_numpy(float)
    if name in ("sharpe", "excess"):
        values = np.where(table["cagr"].to_numpy(float) <= -1, -np.inf, values)
    return np.nan_to_num(values, nan=0.0, neginf=-np.inf, posinf=np.inf)


def _with_offset(progress: Progress | None, earlier: int, total: int) -> Progress | None:
    """A progress function for a batch, which adds the number of earlier refits and reports the total of all."""
    return None if progress is None else lambda count, _: progress(earlier + count, total)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
