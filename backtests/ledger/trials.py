"""Which of the recorded runs are trials of a run: those on the same market at the same time, whatever it was called.

Notation: r simple return per bar, n bars, A bars per year, SR Sharpe ratio per bar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from ..evidence.trials import Trials
from ..json_values import Record, Values, number
from .ledger import Ledger
from .market import DAY, Series, same_market
from .series import effective, is_packed, pack, projection, unpack
from .trial_key import Row

LISTED = 200  # trials that a sheet lists
MOST = 500  # trials whose returns are handed on
WIPED_OUT = -0.99  # a drawdown after which there is no account left to judge
SAME_WINDOW = 0.8  # two windows are the same where they have so much of the time they cover together in common


@dataclass(frozen=True)
class Counted:
    """The trials of a run.

    trials: their number and returns, as the evidence takes them.
    own:    the run's row, by column.   others: the other trials' rows, the highest Sharpe ratio first.
    notes:  a line for whatever is not counted, and why.
    """

    trials: Trials
    own: Record
    others: pd.DataFrame
    notes: tuple[str, ...] = ()

    def listed(self, most: int | None = None) -> list[Record]:
        """A row for each trial, the run's own first, by column; at most so many."""
        others = self.others if most is None else self.others.head(most - 1)
        return [self.own, *others.to_dict("records")]

    def as_dict(self) -> Values:
        """What metrics.json keeps of it: the run and at most 199 others, and the notes.

        Of the run itself neither time nor place, so that the same run writes the same bytes again.
        """
        names = ("predictor", "strategy")
        return {
            "listed": [
                {
                    "name": " · ".join(row[name] for name in names),
                    "parameters": " · ".join(filter(None, (row[f"{name}_parameters"] for name in names))),
                    "symbol": row["symbol"],
                    "created": "" if row is self.own else row["created"],
                    "workspace": "" if row is self.own else "/".join(Path(row["workspace"]).parts[-2:]),
                    "sharpe": number(row["sharpe"]),
                }
                for row in self.listed(LISTED)
            ],
            "notes": list(self.notes),
        }


def count(run: Row, ledgers: Sequence[Ledger]) -> Counted:
    """The trials of a run among the runs in these ledgers, each run once; itself included, recorded or not.

    They are the runs on the same market whose windows overlap with the run's. A run that looked ahead is no trial but
    its own, because nobody may choose it. The same recipe again is the same trial; with another Sharpe ratio, in six
    digits, it is another. Raises what `Ledger` raises.
    """
    own = {**run.columns, "workspace": str(ledgers[0].workspace), "projection": projection(*unpack(pack(run.returns)))}
    rows, notes = _rows(ledgers)
    rows["outcome"] = list(map(_outcome, rows["trial"], rows["sharpe"]))
    same = (rows["outcome"] == _outcome(own["trial"], own["sharpe"])).to_numpy(bool)
    itself = same & (rows["created"] == own["created"]).to_numpy(bool)
    near = rows["passed"] & (rows["first"] <= own["last"]) & (rows["last"] >= own["first"])
    runs = rows.loc[near & ~itself]
    markets, unknown = _markets(runs, run, ledgers)
    runs = runs.loc[_on_market(runs, own, markets)].sort_values("sharpe", ascending=False, kind="stable")
    others = runs.loc[~runs.index.isin(rows.index[same]) & ~runs["outcome"].duplicated().to_numpy(bool)]
    alive = others.loc[(others["projection"].notna() & (others["max_drawdown"] > WIPED_OUT)).to_numpy(bool)]
    returns, unread = _returns(run, alive, ledgers)
    trials = Trials(
        count=1 + len(others),
        effective=effective([one for one in (own["projection"], *alive["projection"]) if one is not None]),
        sharpe_variance=_variance(own, alive) if len(others) else 0.0,
        runs=len(runs) + max(int(itself.sum()), 1),
        returns=returns,
    )
    return Counted(trials, own, others, (*notes, *unknown, *unread))


def _outcome(trial: str, sharpe: float | None) -> str:
    """What makes a trial: another Sharpe ratio of the same recipe is that of edited code."""
    return trial if sharpe is None or np.isnan(sharpe) else f"{trial} {sharpe:.6g}"


def _rows(ledgers: Sequence[Ledger]) -> tuple[pd.DataFrame, list[str]]:
    """All sound rows of these ledgers, each once, with the `ledger` it is in; and a line for each that has others."""
    found, notes = [], []
    for place, ledger in enumerate(ledgers):
        rows = ledger.rows()
        if rows["damaged"].any():
            damaged = ", ".join(map(str, rows["id"][rows["damaged"]].head(10)))
            notes.append(f"{rows['damaged'].sum()} damaged rows of {ledger.path} are not counted: run {damaged}")
        found.append(rows[~rows["damaged"]].assign(ledger=place))
    whole = pd.concat([rows for rows in found if len(rows)] or found[:1], ignore_index=True)
    return whole.drop_duplicates("digest", ignore_index=True), notes


def _markets(runs: pd.DataFrame, run: Row, ledgers: Sequence[Ledger]) -> tuple[dict[str, Series], list[str]]:
    """The returns of the bars of these runs and of a run by the bars' SHA-256, and a line for each ledger with others.

    There are none of bars that version 1 recorded, and of which no run folder was left.
    """
    bars = run.columns["bars_sha256"]
    found, notes = {bars: unpack(run.market)} if len(run.closes) else {}, []
    for ledger in ledgers:
        markets = ledger.markets(set(runs["bars_sha256"]) - set(found))
        found |= {bars: unpack(returns) for bars, returns in markets.items() if returns}
        if damaged := [bars for bars, returns in markets.items() if not returns]:
            notes.append(f"{len(damaged)} markets in {ledger.path} are damaged: their runs are told by the symbol")
    return found, notes


def _on_market(runs: pd.DataFrame, own: Record, markets: Mapping[str, Series]) -> np.ndarray:
    """Which runs are on the market of a run: by the returns of the bars, and by the name where these say nothing."""
    found = np.zeros(len(runs), bool)
    first, last = _minutes(own["first"]), _minutes(own["last"])
    groups = runs.reset_index(drop=True).groupby(["bars_sha256", "symbol", "first", "last"], sort=False).indices
    for (bars, symbol, start, end), places in groups.items():
        same: bool | None = True if bars == own["bars_sha256"] else None
        if same is None and bars in markets and own["bars_sha256"] in markets:
            common = max(first, _minutes(start)), min(last, _minutes(end))
            same = same_market(markets[own["bars_sha256"]], markets[bars], *common)
        found[places] = symbol.casefold() == own["symbol"].casefold() if same is None else same
    return found


def _variance(own: Record, alive: pd.DataFrame) -> float:
    """The variance of the SR of trials on the same window, the run's among them; at least 1/n.

    By their median absolute deviation, which one run cannot move far. SR = annual/√A with the run's A, whatever bars
    the others had.
    """
    first, last = (alive[name].map(_minutes).to_numpy(float) for name in ("first", "last"))
    start, end = _minutes(own["first"]), _minutes(own["last"])
    common = np.minimum(last, end) - np.maximum(first, start) + DAY
    near = common >= SAME_WINDOW * (np.maximum(last, end) - np.minimum(first, start) + DAY)
    sharpe = np.r_[alive["sharpe"].to_numpy(float)[near], np.nan if own["sharpe"] is None else own["sharpe"]]
    sharpe = sharpe[~np.isnan(sharpe)] / np.sqrt(own["bars_per_year"])
    spread = 1.4826 * float(np.median(np.abs(sharpe - np.median(sharpe)))) if len(sharpe) else 0.0
    return max(spread**2, 1 / own["n"])


def _returns(run: Row, alive: pd.DataFrame, ledgers: Sequence[Ledger]) -> tuple[pd.DataFrame, list[str]]:
    """Simple returns on the run's bars, (T, N), its own first, of at most 500 trials that traded half of these bars.

    Of more trials, some that their digests choose. And a line for each ledger whose returns are not what was recorded.
    """
    index = pd.DatetimeIndex(run.returns.index)
    dates, columns, notes = index.as_unit("s").asi8 // 60, [run.returns.to_numpy(float)], []
    for place, rows in alive.sort_values("digest").head(MOST - 1).groupby("ledger"):
        ledger = ledgers[int(str(place))]
        found = ledger.returns(rows["id"])
        if damaged := sorted(set(rows["id"]) - set(found)):
            notes.append(
                f"the returns of {len(damaged)} runs of {ledger.path} are damaged and not used: run {damaged[0]} …"
            )
        packed = (unpack(blob) for blob in found.values() if is_packed(blob))
        columns += [column for series in packed if (column := _on_dates(series, dates)) is not None]
    return pd.DataFrame(np.column_stack(columns), index), notes


def _on_dates(series: Series, dates: np.ndarray) -> np.ndarray | None:
    """Simple returns from each of these dates to the next, NaN where the series has no bar; None below half of them."""
    minutes, values = series
    if len(minutes) == len(dates) and (minutes == dates).all():
        return np.expm1(values)
    place = np.searchsorted(minutes, dates, side="right") - 1
    known = (place >= 0) & (minutes[place] == dates)
    if 2 * known.sum() < len(dates):
        return None
    growth, at = np.r_[0.0, values.cumsum()], place[known]
    found = np.full(len(dates), np.nan)
    found[known] = np.expm1(np.diff(growth[at + 1], prepend=growth[at[0]]))
    return found


@lru_cache(maxsize=4096)
def _minutes(date: str) -> int:
    """Since 1970."""
    return pd.Timestamp(date).as_unit("ns").value // 60_000_000_000
