"""Rows of the ledger for the points of a sweep, with the recipe and scores that a backtest of each would have."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ..account.hosts import class_of
from ..data.bars import bars_per_year
from ..data.table import Loaded
from ..ledger.series import RUIN
from ..ledger.trial_key import Row, row_of
from ..pipeline.recipe import describe, sources_of, span_of, versions
from ..pipeline.strategies import all_parameters
from .factory import Factory
from .points import Point

SCORES = ("sharpe", "cagr", "max_drawdown", "skew", "kurtosis")


@dataclass(frozen=True)
class TrialRows:
    """The rows of the ledger for the points of a sweep.

    since: the date from which all points are scored.
    """

    factory: Factory
    data: Loaded
    since: pd.Timestamp

    def rows(self, points: list[Point], rows: pd.DataFrame, returns: np.ndarray) -> Iterator[Row]:
        """A row of the ledger for each of the N points; rows: of the store, returns: (n, N)."""
        bars = self.data.bars
        first = bars.index.get_loc(self.since)
        index = bars.index[first:]
        common = self._common(first)
        yearly = bars_per_year(index)
        for k, (point, row) in enumerate(zip(points, rows.to_dict("records"), strict=True)):
            series = pd.Series(np.maximum(returns[:, k], RUIN), index=index)
            scores = {name: row[name] for name in SCORES}
            yield row_of(common | self._recipe(point, row), scores, series, yearly, bars["close"])

    def _common(self, first: int) -> dict[str, object]:
        """The part of the recipe, as `Request.trade` writes it, that is the same for all points."""
        base, bars = self.factory.sweep.base, self.data.bars
        return {
            "account": base.account.as_dict(),
            "symbol": base.symbol,
            "bars": span_of(bars, self.data.model_bars),
            "evaluation": {"first": self.since, "last": bars.index[-1], "bars": len(bars) - first, "warm_up": first},
            "source": sources_of(self.factory.template, self.factory.strategy),
            "versions": versions(),
            "data": self.data.as_dict(),
        }

    def _recipe(self, point: Point, row: Mapping[Hashable, object]) -> dict[str, object]:
        """The part of the recipe that is the point's own."""
        factory = self.factory
        parameters = all_parameters(factory.strategy, factory.parameters(point))
        request = factory.sweep.request(point, date_of(self.since))
        finding = "none found on these bars with these parameters" if row["gated"] else "not looked for: one of a sweep"
        return {
            "created": row["created"],
            "seconds": 0.0,
            "predictor": describe(factory.predictor(point)),
            "strategy": {"class": class_of(factory.strategy).__name__} | parameters,
            "look_ahead": {"passed": True, "probes": 0, "finding": finding},
            "command": request.command(),
            "request": asdict(request),
        }


def date_of(moment: pd.Timestamp) -> str:
    """A date in the notation of a request: without a time where it is midnight."""
    return f"{moment:%Y-%m-%d}" if moment == moment.normalize() else moment.isoformat()
