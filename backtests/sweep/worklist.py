"""The points of a sweep in order: planned, traded chunk by chunk, stored and recorded in the ledger."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pandas as pd

from ...predictors.executor import Work, execute
from ...strategies.sizing import Ruined
from ..account import supports
from ..account.engine import simulate
from ..account.fast_scores import Scored
from ..data.bars import bars_per_year
from ..data.table import Loaded
from ..gate.strategy import StrategyLooksAhead, examine_strategy
from ..ledger.book import Book
from ..market.market import Market
from .factory import Factory
from .forecasts import Forecaster
from .guided import BATCH, propose
from .live import SHOWN, Progress, Report
from .points import Point, Sweep
from .store import Store
from .trade import trade, trade_one
from .trial_rows import TrialRows

CHUNK = 250  # points in a chunk; the fast accounts store it as one part, backtrader each point as its own
MOST_RETURNS = 400_000_000  # of all points together, in memory at once: 3.2 GB


@dataclass
class Worklist:
    """The points of a sweep. Those in the store are finished, and are not run again.

    since: the date from which all points are scored; NaT before `plan`.
    """

    factory: Factory
    data: Loaded
    store: Store
    book: Book
    forecaster: Forecaster
    report: Report
    since: pd.Timestamp = pd.NaT

    @property
    def sweep(self) -> Sweep:
        """The sweep whose points these are."""
        return self.factory.sweep

    @property
    def bars(self) -> pd.DataFrame:
        """The bars on which all points are traded."""
        return self.data.bars

    def plan(self, key: str) -> None:
        """Sets `since`: builds every predictor and computes every forecast before any point is traded.

        key: of the sweep, for sweep.json; an earlier process's sweep.json is used where there is one.

        Raises ValueError for a point that is refused, a sweep with too many returns, and a range without a bar to trade
        on, a strategy of one's own that looks ahead; ImportError where tpe lacks Optuna.
        """
        sweep = self.sweep
        points = sweep.corners() if sweep.method == "tpe" else sweep.points()
        state = self.store.read("sweep.json")
        if state:
            self.since = pd.Timestamp(state["since"])
            self.forecaster.plan(points, state["quick"])
            return
        if (count := self._count()) * len(self.bars) > MOST_RETURNS:
            size = 8 * count * len(self.bars) / 1e9
            raise ValueError(f"the returns of {count:,} points would take {size:.0f} GB; take fewer, or fewer bars")
        for point in points:
            self.factory.predictor(point)
            self.factory.parameters(point)
        if sweep.method == "tpe":
            propose(sweep, {}, 1)  # raises where Optuna is not installed
        self.since = self._first_date(points)
        self._examine(points[0])
        state = {"key": key, "since": self.since, "quick": self.forecaster.quick, "sweep": asdict(sweep)}
        self.store.write("sweep.json", state)

    def _first_date(self, points: list[Point]) -> pd.Timestamp:
        """The first date on which all these points have a forecast, or `since` of the request where it is later."""
        self.forecaster.plan(points)
        start = time.perf_counter()

        def progress(count: int, total: int) -> None:
            self.report(Progress("forecasts", count, total, time.perf_counter() - start))

        first, since = self.forecaster.prepare(points, progress), self.sweep.base.since
        first = first if since is None else max(first, pd.Timestamp(since))
        if first > self.bars.index[-2]:
            raise ValueError(f"there is no bar to trade on after {first:%Y-%m-%d}; use a longer date range")
        return self.bars.index[self.bars.index.searchsorted(first)]

    def _examine(self, point: Point) -> None:
        """Refuses a strategy of one's own that looks ahead as this point has it; the winner is examined in its run.

        Raises StrategyLooksAhead.
        """
        strategy, base = self.factory.strategy, self.sweep.base
        if supports(strategy) or base.allow_lookahead:
            return
        market, values = Market.of(self.data, base.symbol), self.factory.parameters(point)
        forecast = self.forecaster.series(point)
        table = forecast.where(forecast.index >= self.since).to_frame(base.symbol)
        try:
            traded = simulate(self.bars, table[base.symbol], strategy, values, base.account)
        except Ruined:
            return
        if leak := examine_strategy(strategy, values, market, table, base.account, traded).leak:
            raise StrategyLooksAhead(leak)

    def finish(self) -> tuple[pd.DataFrame, np.ndarray, list[Point]]:
        """Trades all points that are not in the store; returns all rows, returns (n, points) and points, in order.

        Raises ValueError for a point whose forecast begins too late, and what `Forecaster.series` and the strategy
        raise.
        """
        self.store.discard_damaged()
        rows = self.store.rows()
        if len(rows):  # a kill may have come between the store and the ledger
            self._record(self._points_of(rows), rows, self.store.returns())
        total, before, start = self._count(), len(rows), time.perf_counter()
        self.report(Progress("points", before, total, 0.0, before, None))
        for chunk in self._chunks(rows):
            for points, scores in self._trade(chunk):
                new = self._rows(points, scores)
                self.store.add(new, scores.returns)
                self._record(points, new, scores.returns)
                rows = pd.concat([rows, new], ignore_index=True) if len(rows) else new
                seconds = time.perf_counter() - start
                self.report(Progress("points", len(rows), total, seconds, before, rows.nlargest(SHOWN, "sharpe")))
        rows, returns = self.store.rows(), self.store.returns()
        if self.sweep.method != "tpe":
            place = {point.key: k for k, point in enumerate(self.sweep.points())}
            order = np.argsort([place[key] for key in rows["key"]])
            rows, returns = rows.iloc[order].reset_index(drop=True), returns[:, order]
        return rows, returns, self._points_of(rows)

    def _count(self) -> int:
        """The number of points of the whole sweep."""
        sweep = self.sweep
        return (sweep.draws or 0) * sweep.seeds if sweep.method == "tpe" else len(sweep.points())

    def _chunks(self, rows: pd.DataFrame) -> Iterator[list[Point]]:
        """The points that have no row yet, in chunks."""
        if self.sweep.method == "tpe":
            yield from self._proposals()
            return
        finished = set(rows["key"])
        remaining = [point for point in self.sweep.points() if point.key not in finished]
        for start in range(0, len(remaining), CHUNK):
            yield remaining[start : start + CHUNK]

    def _proposals(self) -> Iterator[list[Point]]:
        """Batches of tpe, each from the scores of all earlier points; a variant's score is the mean over its seeds."""
        sweep = self.sweep
        while True:
            sharpe: dict[Point, list[float]] = {}
            for row in self.store.rows().to_dict("records"):
                sharpe.setdefault(Point(point_of(sweep, row).values), []).append(row["sharpe"])
            remaining = (sweep.draws or 0) - len(sharpe)
            if remaining <= 0:
                return
            means = {variant: float(np.mean(values)) for variant, values in sharpe.items()}
            batch = propose(sweep, means, min(BATCH, remaining))
            if not batch:
                return
            yield [point for variant in batch for point in sweep.seeded(variant)]

    def _trade(self, points: list[Point]) -> Iterator[tuple[list[Point], Scored]]:
        """These points with their scores: all at once by the fast accounts, or one by one in backtrader as executed."""
        sweep, strategy, first = self.sweep, self.factory.strategy, self.bars.index.get_loc(self.since)
        forecasts = np.column_stack([self.forecaster.series(point).to_numpy(float) for point in points])
        late = np.isnan(forecasts[first])
        if late.any():
            raise ValueError(f"{points[int(late.argmax())]} has no forecast on {self.since:%Y-%m-%d} yet; give --since")
        forecasts[:first] = np.nan
        parameters = [self.factory.parameters(point) for point in points]
        yearly = bars_per_year(pd.DatetimeIndex(self.bars.index[first:]))
        if supports(strategy):
            yield points, trade(self.bars, forecasts, strategy, parameters, sweep.base.account, first, yearly)
            return
        units = list(zip(forecasts.T, parameters, strict=True))
        function = partial(trade_one, self.bars, strategy, sweep.base.account, first, yearly)
        for k, scores in execute(Work.map(function, units)):
            yield [points[k]], scores

    def _rows(self, points: list[Point], scores: Scored) -> pd.DataFrame:
        """A row of the table for each of these points."""
        rows = pd.DataFrame(
            [{**dict(p.values), "seed": -1 if p.seed is None else p.seed, "key": p.key} for p in points]
        )
        rows["gated"] = [point.model in self.forecaster.gated_models for point in points]
        rows["engine"] = "fast" if supports(self.factory.strategy) else "backtrader"
        rows["created"] = datetime.now(UTC).isoformat(timespec="seconds")
        return pd.concat([rows, scores.scores], axis=1)

    def _points_of(self, rows: pd.DataFrame) -> list[Point]:
        return [point_of(self.sweep, row) for row in rows.to_dict("records")]

    def _record(self, points: list[Point], rows: pd.DataFrame, returns: np.ndarray) -> None:
        """Records the points in the ledger; a point that is there already is not recorded again."""
        self.book.record_many(TrialRows(self.factory, self.data, self.since).rows(points, rows, returns))


def point_of(sweep: Sweep, row: Mapping[Hashable, object]) -> Point:
    """The point of a row of the table."""
    values = tuple((axis.column, str(row[axis.column])) for axis in sweep.axes)
    seed = int(str(row["seed"]))
    return Point(values, None if seed < 0 else seed)
