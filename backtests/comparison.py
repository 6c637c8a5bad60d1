"""Several predictors on the same bars, with the same strategy, costs and evaluation window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..predictors import Learner
from ..predictors.registry import PREDICTORS
from .evidence.confidence_set import confidence_set, pairwise
from .pipeline.request import Request
from .pipeline.result import Result

SCORES = {
    "strategy": ("cagr", "volatility", "sharpe", "max_drawdown", "turnover", "time_in_market", "cost_bps"),
    "forecast": ("r2", "ic", "hit_rate"),
    "luck": ("psr", "dsr"),
    "excess": ("p_best",),
}


@dataclass(frozen=True)
class Entrant:
    """One predictor of a comparison, with its parameters.

    name:     as on the command line, such as `lstm,hidden=32`.
    requests, results, folders: the run of every seed; results and folders are empty before the runs.
    """

    name: str
    requests: tuple[Request, ...]
    results: tuple[Result, ...] = ()
    folders: tuple[Path, ...] = ()

    def losses(self) -> pd.DataFrame:
        """Squared errors of the forecasts of the next log return, the mean over seeds: bars × symbols."""
        outcome = _outcomes(self.results[0])
        return sum((outcome - one.forecasts) ** 2 for one in self.results) / len(self.results)


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    scores:   one row for each entrant, columns (score, "mean" or "sd" over its seeds); the sd of one seed is NaN. Of a
              portfolio `rank_ic` too, the mean over the dates.
    losses:   squared forecast errors, bars × entrants and the naive forecast of zero; of a portfolio, the means over
              its symbols.
    pairs:    Diebold-Mariano tests of all pairs, as `pairwise` returns them.
    survival: p-value of each in the model confidence set; below 0.1 it is not in the 90 % set of the best.
    """

    entrants: tuple[Entrant, ...]
    scores: pd.DataFrame
    losses: pd.DataFrame
    pairs: pd.DataFrame
    survival: pd.Series


def entrants_of(names: Sequence[str], base: Request, seeds: int = 1) -> list[Entrant]:
    """The entrants of texts `NAME[,PARAMETER=VALUE…]`; the runs differ from `base` in predictor, parameters and seed.

    seeds: runs of each random predictor, with seeds from that of `base` on.

    Raises ValueError for fewer than two names, a name that is repeated or cannot be parsed, and seeds below 1; and what
    the registry and `Request.model` raise.
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
        # The schedule of the walk-forward is for the learners among the entrants.
        own = base if issubclass(cls, Learner) else replace(base, train=None, every=None)
        random = "seed" in {parameter.name for parameter in PREDICTORS.parameters(cls)} and "seed" not in pairs
        first = base.seed or 0
        values = range(first, first + seeds) if random and (seeds > 1 or base.seed is not None) else [None]
        requests = tuple(replace(own, predictor=predictor, params=pairs, seed=seed) for seed in values)
        for request in requests:
            request.model()  # raises for a wrong parameter before anything is trained
        entrants.append(Entrant(name, requests))
    return entrants


def summarise(entrants: Sequence[Entrant]) -> Comparison:
    """The comparison of entrants whose runs have ended."""
    scores = pd.DataFrame({entrant.name: _scores(entrant.results) for entrant in entrants}).T
    errors = {entrant.name: entrant.losses() for entrant in entrants}
    errors["no forecast"] = _outcomes(entrants[0].results[0]) ** 2
    # Of a portfolio, the mean over the symbols for which all entrants have a forecast.
    known = np.logical_and.reduce([table.notna() for table in errors.values()])
    losses = pd.DataFrame({name: table.where(known).mean(axis=1) for name, table in errors.items()}).dropna()
    return Comparison(tuple(entrants), scores, losses, pairwise(losses), confidence_set(losses)["p"])


def _outcomes(result: Result) -> pd.DataFrame:
    """The log return from each bar of the window to the symbol's own next bar, bars × symbols."""
    closes = {symbol: bars["close"] for symbol, bars in result.market.model_panel.bars.items()}
    index = result.forecasts.index
    return pd.DataFrame({name: np.log(close).diff().shift(-1).reindex(index) for name, close in closes.items()})


def _scores(results: Sequence[Result]) -> pd.Series:
    """The mean and the standard deviation of every score over the seeds, by (score, "mean" or "sd")."""
    names = [(part, name) for part, names in SCORES.items() for name in names]
    table = pd.DataFrame([[result.metrics[part][name] for part, name in names] for result in results], dtype=float)
    table.columns = [name for _, name in names]
    if results[0].market.portfolio:
        table["rank_ic"] = [result.metrics["panel"]["rank_ic"]["mean"] for result in results]
    values: dict[tuple[str, str], float] = {}
    for name, numbers in table.items():
        values[str(name), "mean"], values[str(name), "sd"] = numbers.mean(), numbers.std(ddof=1)
    return pd.Series(values)
