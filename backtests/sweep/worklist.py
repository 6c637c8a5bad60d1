"""The work of a sweep in steps, each of which is kept when it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.account import supports
from rollcast.backtests.data.bars import bars_per_year
from rollcast.backtests.data.table import Loaded
from rollcast.backtests.ledger.ledger import Ledger
from rollcast.backtests.sweep.forecasts import Forecaster
from rollcast.backtests.sweep.guided import BATCH, propose
from rollcast.backtests.sweep.live import SHOWN, Progress, Report
from rollcast.backtests.sweep.points import Maker, Point, Sweep
from rollcast.backtests.sweep.store import Store
from rollcast.backtests.sweep.trade import Traded, trade, trade_one
from rollcast.backtests.sweep.trial_rows import TrialRows
from rollcast.predictors.executor import Work, execute

CHUNK = 250  # points made ready at once; the fast simulator keeps them together, backtrader each by itself
MOST_RETURNS = 400_000_000  # held at once: 3.2 GB


@dataclass
class Worklist:
    """The points of a sweep and which of them are done: those in its store."""

    maker: Maker
    data: Loaded
    store: Store
    ledger: Ledger
    forecaster: Forecaster
    report: Report
    since: pd.Timestamp = pd.NaT

    @property
    def bars(self) -> pd.DataFrame:
        """What all points are traded on."""
        return self.data.bars

    def plan(self, key: str) -> None:
        """Finds the date from which all are scored: every point and every forecast is made before one is traded."""
        asked = self.maker.sweep
        points = asked.corners() if asked.method == "tpe" else asked.points()
        kept = self.store.read("sweep.json")
        if kept:
            self.since = pd.Timestamp(kept["since"])
            self.forecaster.begin(points, kept["quick"])
            return
        if (count := self._count()) * len(self.bars) > MOST_RETURNS:
            size = 8 * count * len(self.bars) / 1e9
            raise ValueError(f"the returns of {count:,} points would take {size:.0f} GB; take fewer, or fewer bars")
        for point in points:
            self.maker.predictor(point)
            self.maker.parameters(point)
        if asked.method == "tpe":
            propose(asked, {}, 1)  # Optuna is there
        self.forecaster.begin(points)
        began = time.perf_counter()
        latest = self.forecaster.prepare(
            points, lambda done, total: self.report(Progress("forecasts", done, total, time.perf_counter() - began))
        )
        self.since = latest if asked.base.since is None else max(latest, pd.Timestamp(asked.base.since))
        if self.since > self.bars.index[-2]:
            raise ValueError(f"there is no bar to trade on after {self.since:%Y-%m-%d}; use a longer date range")
        # The first bar at or after it.
        self.since = self.bars.index[self.bars.index.searchsorted(self.since)]
        self.store.write(
            "sweep.json", {"key": key, "since": self.since, "quick": self.forecaster.quick, "asked": asdict(asked)}
        )

    def finish(self) -> tuple[pd.DataFrame, np.ndarray, list[Point]]:
        """Trades what is not done yet, and returns all rows, returns (n, points) and points in their order."""
        asked = self.maker.sweep
        done = self.store.rows()
        if len(done):  # a kill may have come between the part and the ledger
            self._record([point_of(asked, row) for row in done.to_dict("records")], done, self.store.returns())
        total = self._count()
        before, began = len(done), time.perf_counter()
        self.report(Progress("points", before, total, 0.0, before, None))
        for chunk in self._chunks(done):
            for points, traded in self._traded(chunk):
                rows = self._rows(points, traded)
                self.store.add(rows, traded.returns)
                self._record(points, rows, traded.returns)
                done = pd.concat([done, rows], ignore_index=True) if len(done) else rows
                spent = time.perf_counter() - began
                self.report(Progress("points", len(done), total, spent, before, done.nlargest(SHOWN, "sharpe")))
        rows, returns = self.store.rows(), self.store.returns()
        points = [point_of(asked, row) for row in rows.to_dict("records")]
        if asked.method != "tpe":
            place = {point.key: k for k, point in enumerate(asked.points())}
            order = np.argsort([place[key] for key in rows["key"]])
            rows, returns = rows.iloc[order].reset_index(drop=True), returns[:, order]
            points = [points[k] for k in order]
        return rows, returns, points

    def _count(self) -> int:
        """How many points there will be."""
        asked = self.maker.sweep
        return (asked.draws or 0) * asked.seeds if asked.method == "tpe" else len(asked.points())

    def _chunks(self, done: pd.DataFrame) -> Iterator[list[Point]]:
        asked = self.maker.sweep
        keys = set(done["key"])
        if asked.method == "tpe":
            yield from self._searched()
            return
        left = [point for point in asked.points() if point.key not in keys]
        for at in range(0, len(left), CHUNK):
            yield left[at : at + CHUNK]

    def _searched(self) -> Iterator[list[Point]]:
        """Batches that depend on the scores of all before; a variant is scored by the mean over its seeds."""
        asked = self.maker.sweep
        while True:
            rows = self.store.rows()
            scores: dict[Point, list[float]] = {}
            for row in rows.to_dict("records"):
                scores.setdefault(Point(point_of(asked, row).values), []).append(row["sharpe"])
            left = (asked.draws or 0) - len(scores)
            batch = (
                propose(asked, {p: float(np.mean(s)) for p, s in scores.items()}, min(BATCH, left)) if left > 0 else []
            )
            if not batch:
                return
            yield [each for point in batch for each in asked.seeded(point)]

    def _traded(self, points: list[Point]) -> Iterator[tuple[list[Point], Traded]]:
        """These points as they are done: at once by the fast simulator, or one by one in backtrader, shared out."""
        asked, strategy, first = self.maker.sweep, self.maker.strategy, self.bars.index.get_loc(self.since)
        forecasts = np.column_stack([self.forecaster.series(point).to_numpy(float) for point in points])
        late = np.isnan(forecasts[first])
        if late.any():
            raise ValueError(f"{points[int(late.argmax())]} has no forecast on {self.since:%Y-%m-%d} yet; give --since")
        forecasts[:first] = np.nan
        parameters = [self.maker.parameters(point) for point in points]
        yearly = bars_per_year(pd.DatetimeIndex(self.bars.index[first:]))
        if supports(strategy):
            yield points, trade(self.bars, forecasts, strategy, parameters, asked.base.account, first, yearly)
            return
        units = list(zip(forecasts.T, parameters, strict=True))
        do = partial(trade_one, self.bars, strategy, asked.base.account, first, yearly)
        for k, traded in execute(Work.map(do, units)):
            yield [points[k]], traded

    def _rows(self, points: list[Point], traded: Traded) -> pd.DataFrame:
        """A row of the table for each of these points."""
        rows = pd.DataFrame(
            [{**dict(p.values), "seed": -1 if p.seed is None else p.seed, "key": p.key} for p in points]
        )
        rows["gated"] = [point.model in self.forecaster.gated for point in points]
        rows["engine"] = "fast" if supports(self.maker.strategy) else "backtrader"
        rows["created"] = datetime.now(UTC).isoformat(timespec="seconds")
        return pd.concat([rows, traded.scores], axis=1)

    def _record(self, points: list[Point], rows: pd.DataFrame, returns: np.ndarray) -> None:
        self.ledger.record_many(TrialRows(self.maker, self.data, self.since).rows(points, rows, returns))


def point_of(asked: Sweep, row: Mapping[str, Any]) -> Point:
    """The point of a row of the table."""
    values = tuple((axis.column, str(row[axis.column])) for axis in asked.axes)
    return Point(values, None if row["seed"] < 0 else int(row["seed"]))
