"""Several predictors on the same bars, with the same strategy, costs and evaluation window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.evidence.confidence_set import confidence_set, pairwise
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result
from rollcast.predictors import Learner
from rollcast.predictors.registry import PREDICTORS

SCORES = {
    "strategy": ("cagr", "volatility", "sharpe", "max_drawdown", "turnover", "time_in_market", "cost_bps"),
    "forecast": ("r2", "ic", "hit_rate"),
    "luck": ("psr", "dsr"),
}


@dataclass(frozen=True)
class Entrant:
    """One predictor with its parameters: a run for each seed, and where each was saved.

    name: as it was asked for, `lstm,hidden=32`.
    """

    name: str
    requests: tuple[Request, ...]
    results: tuple[Result, ...] = ()
    folders: tuple[Path, ...] = ()

    def losses(self) -> pd.DataFrame:
        """Squared error of the forecast of every bar's next log return, the mean over seeds: bars × names."""
        outcome = _outcomes(self.results[0])
        return sum((outcome - one.forecasts) ** 2 for one in self.results) / len(self.results)


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    scores:   a row each entrant, columns (score, "mean" or "sd" over its seeds), the sd NaN for one seed. Of a panel,
              `rank_ic` too, the mean over its dates.
    losses:   squared forecast errors, bars × entrants and the naive forecast of zero; of a panel, means over its names.
    pairs:    Diebold-Mariano between all pairs, as `pairwise` returns them.
    survival: model confidence set p-value of each; below 0.1 it is not among the best at 90 %.
    """

    entrants: tuple[Entrant, ...]
    scores: pd.DataFrame
    losses: pd.DataFrame
    pairs: pd.DataFrame
    survival: pd.Series


def entrants_of(names: Sequence[str], base: Request, seeds: int = 1) -> list[Entrant]:
    """The entrants `NAME[,PARAMETER=VALUE…]` asks for; a random predictor has `seeds` runs, from the base's seed on.

    Raises ValueError for a name that is given twice or cannot be read, and what the registry raises.
    """
    if len(names) < 2:
        raise ValueError(f"a comparison needs at least two predictors; got {len(names)}")
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1; got {seeds}")
    entrants = []
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name} is given twice")
        predictor, *texts = name.split(",")
        pairs = dict(text.partition("=")[::2] for text in texts)
        if not predictor or not all(pairs.values()):
            raise ValueError(f"expected NAME or NAME,PARAMETER=VALUE,…; got {name!r}")
        cls = PREDICTORS.find(predictor)
        schedule: Any = (
            {} if issubclass(cls, Learner) else {"train": None, "every": None}
        )  # for the learners among them
        random = "seed" in {parameter.name for parameter in PREDICTORS.parameters(cls)} and "seed" not in pairs
        first = base.seed or 0
        each = range(first, first + seeds) if random and (seeds > 1 or base.seed is not None) else [None]
        requests = tuple(replace(base, predictor=predictor, params=pairs, seed=seed, **schedule) for seed in each)
        for request in requests:
            request.model()  # a parameter that does not fit is found out before anything is trained
        entrants.append(Entrant(name, requests))
    return entrants


def summarise(entrants: Sequence[Entrant]) -> Comparison:
    """The tables of a comparison."""
    scores = pd.DataFrame({entrant.name: _scores(entrant.results) for entrant in entrants}).T
    errors = {entrant.name: entrant.losses() for entrant in entrants}
    errors["no forecast"] = _outcomes(entrants[0].results[0]) ** 2
    # Of a panel, the mean over the names for which all have a forecast.
    known = np.logical_and.reduce([each.notna() for each in errors.values()])
    losses = pd.DataFrame({name: each.where(known).mean(axis=1) for name, each in errors.items()}).dropna()
    return Comparison(tuple(entrants), scores, losses, pairwise(losses), confidence_set(losses)["p"])


def _outcomes(result: Result) -> pd.DataFrame:
    """The log return from each bar of the window to the name's own next one, bars × names."""
    closes = {symbol: bars["close"] for symbol, bars in result.market.model_panel.bars.items()}
    index = result.forecasts.index
    return pd.DataFrame({name: np.log(close).diff().shift(-1).reindex(index) for name, close in closes.items()})


def _scores(results: Sequence[Result]) -> pd.Series:
    found: dict[str, list[Any]] = {}
    for part, names in SCORES.items():
        found |= {name: [result.metrics[part][name] for result in results] for name in names}
    if results[0].market.portfolio:
        found["rank_ic"] = [result.metrics["panel"]["rank_ic"]["mean"] for result in results]
    values: dict[tuple[str, str], Any] = {}
    for name, each in found.items():
        numbers = pd.Series(each, dtype=float)
        values[name, "mean"], values[name, "sd"] = numbers.mean(), numbers.std(ddof=1)
    return pd.Series(values)
