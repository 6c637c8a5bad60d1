"""Runs a sweep from its points to its winner. Every step is stored when it ends, so that a sweep can resume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ..account import supports
from ..account.scores import cash_returns, over_cash
from ..data.bars import bars_per_year, digest
from ..ledger.book import Book
from ..pipeline.cache_key import folder_key
from ..pipeline.result import Result
from ..sheet.index import SHEET
from ..sweep.factory import Factory
from ..sweep.forecast_cache import ForecastCache
from ..sweep.forecasts import Forecaster
from ..sweep.judgement import Judgement, judge
from ..sweep.live import Progress, Report, silent
from ..sweep.nested import Nested, nested, targets
from ..sweep.points import Point, Sweep, name_of
from ..sweep.result import SweepResult, Winner
from ..sweep.store import Store
from ..sweep.trial_rows import TrialRows, date_of
from ..sweep.worklist import Worklist
from .winner_process import Start, run_in_this_process


def run_sweep(
    sweep: Sweep, out: Path, report: Report = silent, *, every: int | None = None, past: int | None = None,
    select: bool = True, start: Start = run_in_this_process,
) -> SweepResult:  # fmt: skip
    """Runs a sweep in the workspace `out`, or resumes it where an earlier process was stopped.

    every, past: bars between the choices of the nested selection and bars they are based on, as `nested` takes them.
    select:      whether there is a nested selection.
    start:       starts the backtest of the winner, in this process or another.

    Raises ValueError for a point that is refused or whose predictor looks ahead, OSError where another process runs the
    same sweep, and what `Worklist.plan` and `Worklist.finish` raise.
    """
    factory = Factory.of(sweep)
    data = sweep.base.load()
    bars = data.bars
    book = Book.of(out)
    book.check()  # an unreadable ledger is reported before any work
    parts = [asdict(replace(sweep, arguments=())), digest(bars), digest(data.model_bars)]
    key = folder_key(factory.template, factory.strategy, parts)
    store = Store(out / f"sweep-{key[:8]}-{name_of(sweep)}")
    with store.locked():
        forecaster = Forecaster(factory, data.model_bars, ForecastCache(out / "cache"))
        worklist = Worklist(factory, data, store, book, forecaster, report)
        worklist.plan(key)
        rows, returns, points = worklist.finish()
        window = pd.DatetimeIndex(bars.index[bars.index.get_loc(worklist.since) :])
        report(Progress("judging", 0, 1, 0.0))
        cash = cash_returns(window, sweep.base.account.interest_bps).to_numpy(float)
        judgement = judge(sweep.axes, rows, over_cash(returns, cash[:, None]), bars_per_year(window))
        k = judgement.firsts[judgement.winner]
        winner = _WinnerRun(worklist, out, points[k], rows.iloc[[k]], returns[:, k], rows["created"].max())
        folder = winner.start(start)
        judgement = judgement.with_overfitting()
        if select and supports(factory.strategy):
            judgement = replace(judgement, nested=_nested(worklist, judgement, points, every, past))
        store.merge(rows, pd.DataFrame(returns, window, rows["key"].to_list()))
        result = SweepResult(sweep, store.folder, worklist.since, window, rows, judgement, winner.compare(folder()))
        store.write("judgement.json", judgement.as_dict(result.bars_per_year) | {"luck": result.winner.luck})
        return result


def _nested(
    worklist: Worklist, judgement: Judgement, points: list[Point], every: int | None, past: int | None
) -> Nested | None:
    """The nested selection among the variants, each traded with its first seed; None where tolerances differ."""
    factory, bars = worklist.factory, worklist.bars
    firsts = [points[k] for k in judgement.firsts]
    parameters = [factory.parameters(point) for point in firsts]
    tolerances = {float(str(values.get("tolerance", 0.1))) for values in parameters}
    if len(tolerances) > 1:
        return None

    def target(k: int) -> np.ndarray:
        forecast = worklist.forecaster.series(firsts[k]).where(bars.index >= worklist.since)
        return targets(bars, forecast, factory.strategy, parameters[k])

    yearly = bars_per_year(pd.DatetimeIndex(bars.index[-len(judgement.returns) :]))
    account, tolerance = worklist.sweep.base.account, tolerances.pop()
    arguments = (bars, judgement.returns, target, judgement.winner, tolerance, account, yearly)
    return nested(*arguments, every=every, past=past)


@dataclass(frozen=True)
class _WinnerRun:
    """The backtest of the best point in backtrader, with its tear sheet, once all points are trials in the ledger.

    row:     of the point in the table.   returns: of the point in the sweep, (n,).
    counted: the time at which the last point was traded.
    """

    worklist: Worklist
    out: Path
    point: Point
    row: pd.DataFrame
    returns: np.ndarray
    counted: str

    def start(self, start: Start) -> Callable[[], Path]:
        """Starts the run unless an earlier process has made it; what it returns waits for the folder."""
        folder = self._existing()
        if folder:
            return partial(Path, folder)
        wait = start(self.worklist.sweep.request(self.point, date_of(self.worklist.since)), self.out)

        def report_and_wait() -> Path:
            self.worklist.report(Progress("winner", 0, 1, 0.0))
            return wait()

        return report_and_wait

    def compare(self, folder: Path) -> Winner:
        """The winner, its returns in backtrader compared with those of the sweep."""
        result = Result.load(folder)
        returns = result.returns.to_numpy(float)
        difference, same = float(np.abs(self.returns - returns).max()), bool(np.array_equal(self.returns, returns))
        values = {"run": folder.name, "point": dict(self.point.values), "same": same, "difference": difference}
        self.worklist.store.write("winner.json", values)
        excess = {name: result.metrics["excess"][name] for name in ("p_best", "dsr", "dsr_all")}
        luck = {k: np.nan if v is None else v for k, v in {**result.metrics["luck"], **excess}.items()}
        return Winner(self.point, folder, same, difference, luck)

    def _existing(self) -> Path | None:
        """The folder of the run where an earlier process made it after all points had been counted."""
        worklist = self.worklist
        state = worklist.store.read("winner.json")
        if state and state["point"] == dict(self.point.values) and (self.out / state["run"] / SHEET).is_file():
            return self.out / state["run"]
        rows = TrialRows(worklist.factory, worklist.data, worklist.since)
        (trial,) = rows.rows([self.point], self.row, self.returns[:, None])
        runs = worklist.book.ledger.runs()
        same = (runs["trial"] == trial.columns["trial"]) & (runs["created"] >= self.counted) & runs["folder"].notna()
        folders = (self.out / name for name in runs[same]["folder"])
        return next((folder for folder in folders if (folder / SHEET).is_file()), None)
