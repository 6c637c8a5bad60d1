"""A sweep from its points to its winner; every step is kept when it is done, and a kill loses only the one at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from rollcast.backtests.account import supports
from rollcast.backtests.data.bars import bars_per_year, digest
from rollcast.backtests.pipeline.cache_key import folder_key
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sheet.index import SHEET
from rollcast.backtests.sweep.forecast_cache import ForecastCache
from rollcast.backtests.sweep.forecasts import Forecaster
from rollcast.backtests.sweep.judgement import Judgement, judge
from rollcast.backtests.sweep.live import Progress, Report, silent
from rollcast.backtests.sweep.nested import Nested, nested, targets
from rollcast.backtests.sweep.points import Maker, Point, Sweep, name_of
from rollcast.backtests.sweep.result import SweepResult, Winner
from rollcast.backtests.sweep.store import Store
from rollcast.backtests.sweep.trial_rows import TrialRows, date_of
from rollcast.backtests.sweep.worklist import Worklist
from rollcast.backtests.workspace.winner_process import Begin, here
from rollcast.backtests.workspace.workspace import ledger_of


def sweep(
    asked: Sweep, out: Path, report: Report = silent, *, every: int | None = None, past: int | None = None,
    select: bool = True, begin: Begin = here,
) -> SweepResult:  # fmt: skip
    """Runs a sweep in the workspace `out`, or goes on with it where an earlier process stopped.

    every, past: of the nested selection.   select: whether there is one.   begin: where the winner's run is made.

    Raises ValueError for a point that is refused or whose predictor is seen to look ahead, OSError where the same sweep
    is running.
    """
    maker = Maker.of(asked)
    data = asked.base.load()
    bars = data.bars
    ledger = ledger_of(out)
    ledger.runs(limit=1)  # an unreadable ledger is found out first
    told = [asdict(replace(asked, words=())), digest(bars), digest(data.model_bars)]
    key = folder_key(maker.template, maker.strategy, told)
    store = Store(out / f"sweep-{key[:8]}-{name_of(asked)}")
    with store.locked():
        worklist = Worklist(
            maker, data, store, ledger, Forecaster(maker, data.model_bars, ForecastCache(out / "cache")), report
        )
        worklist.plan(key)
        rows, returns, points = worklist.finish()
        window = pd.DatetimeIndex(bars.index[bars.index.get_loc(worklist.since) :])
        report(Progress("judging", 0, 1, 0.0))
        found = judge(asked.axes, rows, returns, bars_per_year(window))
        winner = _winner(worklist, found, points, rows, returns, out, begin)
        found = found.tested()
        if select and supports(maker.strategy):
            found = replace(found, nested=_nested(worklist, found, points, every, past))
        store.merge(rows, pd.DataFrame(returns, window, rows["key"].to_list()))
        swept = SweepResult(asked, store.folder, worklist.since, window, rows, found, winner())
        store.write("judgement.json", found.numbers(swept.bars_per_year) | {"luck": swept.winner.luck})
        return swept


def _nested(
    worklist: Worklist, found: Judgement, points: list[Point], every: int | None, past: int | None
) -> Nested | None:
    """The nested selection among the variants, each by its first seed; None where they differ in tolerance."""
    maker, bars = worklist.maker, worklist.bars
    firsts = list({point.values: point for point in reversed(points)}.values())[::-1]
    parameters = [maker.parameters(point) for point in firsts]
    tolerances = {values.get("tolerance", 0.1) for values in parameters}
    if len(tolerances) > 1:
        return None

    def target(k: int) -> np.ndarray:
        heard = worklist.forecaster.series(firsts[k]).where(bars.index >= worklist.since)
        return targets(bars, heard, maker.strategy, parameters[k])

    yearly = bars_per_year(pd.DatetimeIndex(bars.index[-len(found.returns) :]))
    run = partial(nested, bars, found.returns, target, found.winner, tolerances.pop(), maker.sweep.base.account, yearly)
    return run(every=every, past=past)


def _winner(
    worklist: Worklist,
    found: Judgement,
    points: list[Point],
    rows: pd.DataFrame,
    returns: np.ndarray,
    out: Path,
    begin: Begin,
) -> Callable[[], Winner]:
    """Begins to run the winner in backtrader with its sheet, once all points are counted, unless that was done."""
    asked = worklist.maker.sweep
    columns = [axis.column for axis in asked.axes]
    values = tuple((name, str(found.variants[name].iloc[found.winner])) for name in columns)
    at = next(k for k, point in enumerate(points) if point.values == values)
    made = _made_before(worklist, points[at], rows.iloc[[at]], returns[:, [at]], rows["created"].max(), out)
    waiting = partial(Path, made) if made else begin(asked.request(points[at], date_of(worklist.since)), out)

    def winner() -> Winner:
        if made is None:
            worklist.report(Progress("winner", 0, 1, 0.0))
        folder = waiting()
        result = Result.load(folder)
        ours, again = returns[:, at], result.returns.to_numpy(float)
        apart, same = float(np.abs(ours - again).max()), bool(np.array_equal(ours, again))
        worklist.store.write("winner.json", {"run": folder.name, "point": dict(values), "same": same, "apart": apart})
        luck = {name: np.nan if value is None else value for name, value in result.metrics["luck"].items()}
        return Winner(points[at], folder, same, apart, luck)

    return winner


def _made_before(
    worklist: Worklist, point: Point, row: pd.DataFrame, returns: np.ndarray, counted: str, out: Path
) -> Path | None:
    """The folder of the winner's run where an earlier process made it after all points were counted."""
    kept = worklist.store.read("winner.json")
    if kept and kept["point"] == dict(point.values) and (out / kept["run"] / SHEET).is_file():
        return out / kept["run"]
    (trial,) = TrialRows(worklist.maker, worklist.data, worklist.since).rows([point], row, returns)
    runs = worklist.ledger.runs()
    same = runs[(runs["trial"] == trial.columns["trial"]) & (runs["created"] >= counted) & runs["folder"].notna()]
    return next((out / name for name in same["folder"] if (out / name / SHEET).is_file()), None)
