"""Every point of a sweep as a row of the ledger: the recipe and scores that a backtest of it would have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.account.hosts import class_of
from rollcast.backtests.data.bars import bars_per_year
from rollcast.backtests.data.table import Loaded
from rollcast.backtests.ledger.trial_key import Row, row_of
from rollcast.backtests.pipeline.recipe import describe, sources_of, span_of, versions
from rollcast.backtests.pipeline.strategies import all_parameters
from rollcast.backtests.sweep.points import Maker, Point

SCORES = ("sharpe", "cagr", "max_drawdown", "skew", "kurtosis")
DATA = ("origin", "statements", "findings", "repairs", "pin")
RUIN = 1e-9 - 1  # a return whose logarithm exists


@dataclass(frozen=True)
class TrialRows:
    """Makes the rows of the ledger for the points of a sweep.

    since: the date from which all points are scored.
    """

    maker: Maker
    data: Loaded
    since: pd.Timestamp

    def rows(self, points: list[Point], rows: pd.DataFrame, returns: np.ndarray) -> Iterator[Row]:
        """One for each of the N points; rows as the store has them, returns (T, N)."""
        bars = self.data.bars
        first = bars.index.get_loc(self.since)
        index = bars.index[first:]
        common = self._common(first)
        yearly = bars_per_year(index)
        scored = rows.to_dict("records")
        for k, (point, row) in enumerate(zip(points, scored, strict=True)):
            r = pd.Series(np.maximum(returns[:, k], RUIN), index=index)
            yield row_of(common | self._recipe(point, row), {name: row[name] for name in SCORES}, r, yearly)

    def _common(self, first: int) -> dict[str, Any]:
        """What all points share of the recipe `Request.trade` writes."""
        base, bars = self.maker.sweep.base, self.data.bars
        return {
            "account": base.account.as_dict(),
            "symbol": base.symbol,
            "bars": span_of(bars, self.data.model_bars),
            "evaluation": {
                **{"first": self.since, "last": bars.index[-1]},
                **{"bars": len(bars) - first, "warm_up": first},
            },
            "source": sources_of(self.maker.template, self.maker.strategy),
            "versions": versions(),
            "data": {name: getattr(self.data, name) for name in DATA},
        }

    def _recipe(self, point: Point, row: dict[str, Any]) -> dict[str, Any]:
        maker = self.maker
        request = maker.sweep.request(point, date_of(self.since))
        finding = "none found on these bars with these parameters" if row["gated"] else "not looked for: one of a sweep"
        return {
            "created": row["created"],
            "seconds": 0.0,
            "predictor": describe(maker.predictor(point)),
            "strategy": {"class": class_of(maker.strategy).__name__}
            | all_parameters(maker.strategy, maker.parameters(point)),
            "look_ahead": {"passed": True, "probes": 0, "finding": finding},
            "command": request.command(),
            "request": asdict(request),
        }


def date_of(moment: pd.Timestamp) -> str:
    """A date as a request has it."""
    return f"{moment:%Y-%m-%d}" if moment == moment.normalize() else moment.isoformat()
