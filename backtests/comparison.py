"""Several predictors on the same bars, with the same strategy, costs and evaluation window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.atomic import RunFolder
from rollcast.backtests.evidence.confidence_set import confidence_set, pairwise
from rollcast.backtests.pipeline.panel_result import PanelResult
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.workspace.workspace import label, ledger_of, write
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
        return sum((outcome - _said(one)) ** 2 for one in self.results) / len(self.results)


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


def compare(
    entrants: Sequence[Entrant], out: Path, progress: Callable[[str, int, int], None] | None = None
) -> Comparison:
    """Runs every request on the same bars from the date on at which all have a forecast; each gets a folder in `out`.

    progress: called with (entrant, refits done, refits in all).

    All are recorded in the ledger before any sheet is written, so that each sheet counts all of them. Nothing is left
    in `out` if one fails. Raises what `Request.run` raises.
    """
    base = entrants[0].requests[0]
    base.check_rule()
    data = base.market()
    report = progress or (lambda name, done, total: None)
    with ExitStack() as stack:
        requests = [(entrant, request) for entrant in entrants for request in entrant.requests]
        folders = [stack.enter_context(RunFolder(out, label(request))) for _, request in requests]
        ledger = ledger_of(out)
        ledger.runs(limit=1)
        said = [request.predict(data.model_bars, partial(report, entrant.name)) for entrant, request in requests]
        since = max(forecasts.first for forecasts in said)
        since = since if base.since is None else max(since, pd.Timestamp(base.since))
        date = f"{since:%Y-%m-%d}" if since == since.normalize() else since.isoformat()
        asked = [replace(request, since=date) for _, request in requests]
        results = [request.trade(forecasts, data) for request, forecasts in zip(asked, said, strict=True)]
        for result, folder in zip(results, folders, strict=True):
            ledger.record(result, folder.final)
        runs = list(zip(asked, results, folders, strict=True))
        written = [write(request, result, out, folder) for request, result, folder in runs]
        places = [folder.finish() for folder in folders]
    done, at = [], 0
    for entrant in entrants:
        span = slice(at, at := at + len(entrant.requests))
        done.append(Entrant(entrant.name, tuple(asked[span]), tuple(written[span]), tuple(places[span])))
    return summarise(done)


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
    closes = {s: b["close"] for s, b in result.read_panel.bars.items()} if isinstance(result, PanelResult) else {}
    closes = closes or {"forecast": result.read["close"]}
    index = result.forecasts.index
    return pd.DataFrame({name: np.log(close).diff().shift(-1).reindex(index) for name, close in closes.items()})


def _said(result: Result) -> pd.DataFrame:
    """The forecasts, bars × names."""
    return result.table if isinstance(result, PanelResult) else result.forecasts.to_frame("forecast")


def _scores(results: Sequence[Result]) -> pd.Series:
    found: dict[str, list[Any]] = {}
    for part, names in SCORES.items():
        found |= {name: [result.metrics[part][name] for result in results] for name in names}
    if isinstance(results[0], PanelResult):
        found["rank_ic"] = [result.metrics["panel"]["rank_ic"]["mean"] for result in results]
    values: dict[tuple[str, str], Any] = {}
    for name, each in found.items():
        numbers = pd.Series(each, dtype=float)
        values[name, "mean"], values[name, "sd"] = numbers.mean(), numbers.std(ddof=1)
    return pd.Series(values)
