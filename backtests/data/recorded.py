"""Prices held against the dividends and splits on record beside them: as traded, or adjusted already.

Over the night before an action the gap x = log(O[s] / C[s−1]) is expected at

| prices | expected |
|---|---|
| as traded | log(1 − D[s] / C[s−1]) − log R[s] |
| adjusted for splits | log(1 − D[s] / C[s−1]) |
| adjusted for both | 0 |

with the letters of `adjust`, and + log R[s] where a ratio is written old per new. What is left of x has Student's t
distribution with three degrees of freedom, about the median of all gaps and with the scale of those around it, by
their median absolute deviation; so one wild night decides nothing. Log likelihoods are added up over the actions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from .adjust import ACTIONS, actions_in
from .table import Table
from .ticks import adjusted_for

State = Literal["as-traded", "split-adjusted", "adjusted"]
STATES = get_args(State)
CLEAR = 7.0  # a difference of log likelihoods that decides: odds of 1,000 to 1
ALONE = 5.0  # the same for a split by itself, whose gap is far from every other
AROUND = 61  # sessions whose gaps give the scale
ODD = 0.2  # a gap as far as this from all that a split explains contradicts it
QUARTILE = 0.765  # of |t| with three degrees of freedom
SPLIT = {"traded": -1.0, "applied": 0.0, "inverted": 1.0}  # state → the gap that a split leaves, in log R
SAID = {"as-traded": "no", "split-adjusted": "for splits", "adjusted": "for splits and dividends"}
OVERRIDE = "say --prices as-traded, split-adjusted or adjusted if they are"


@dataclass(frozen=True)
class Evidence:
    """What the prices say of their own actions.

    splits: "traded", "applied" or "inverted"; dividends: "traded" or "applied"; None where there is none on record, and
    "" where the prices do not tell.   contradiction: a sentence where they agree with no state; else "".
    """

    splits: str | None
    dividends: str | None
    contradiction: str = ""


def settle(table: Table, prices: State | None, needed: bool = True) -> Table:
    """The table as `adjust.as_bars` takes it: with the actions that its prices are not adjusted for yet.

    prices: what they are, where the caller says so.   needed: whether a contradiction matters to this run.

    Raises ValueError where the prices contradict their actions, with the dates.
    """
    rows = table.rows
    if prices is not None:
        return _without(table, prices, "as said")
    if not set(ACTIONS) & set(rows) or actions_in(rows).empty or "close" not in rows:
        return table
    made = table.pin.get("source") != "file"  # by the store or for the bundle, as traded
    if made and not ("split" in rows and (rows["split"] > 0).any()):
        return replace(table, adjusted=SAID["as-traded"])
    found = examine(rows)
    if made:
        if found.splits in ("applied", "inverted") or (found.splits and found.contradiction):
            symbol = table.pin.get("symbol")
            raise ValueError(
                f"{symbol}: {found.contradiction or 'its splits are not in its prices as traded'}; "
                f"download it again: rollcast data fetch {symbol} --whole"
            )
        return replace(table, adjusted=SAID["as-traded"])
    state, why = _state(found, table)
    if found.contradiction and needed:
        raise ValueError(f"{found.contradiction}; {OVERRIDE}")
    if found.splits == "inverted":
        rows = rows.assign(split=(1 / rows["split"].where(rows["split"] > 0)).fillna(0.0))
        inverted = "the ratios of splits are written old per new, by the prices, and read so"
        table = replace(table, rows=rows, cautions=(*table.cautions, inverted))
    return _without(table, state, why)


def examine(rows: pd.DataFrame) -> Evidence:
    """What these prices say of the dividends and splits beside them, which are some."""
    nights = _nights(rows)
    split = nights[nights["ratio"] != 0]
    paid = nights[nights["paid"] != 0]
    splits, odd = _splits(split) if len(split) else (None, "")
    if odd:
        return Evidence("", "", odd)
    left = paid["gap"] - SPLIT.get(splits or "", 0.0) * paid["ratio"]
    dividends, odd = _dividends(left, paid) if len(paid) else (None, "")
    if not odd and splits == "traded" and dividends == "applied":
        odd = "the prices move with the splits, as prices as traded do, and not with the dividends"
    if "" in (splits, dividends) and not odd:
        digits = adjusted_for(rows)
        splits = "applied" if splits == "" and digits else splits
        dividends = {"both": "applied", "splits": "traded"}.get(digits, "") if dividends == "" else dividends
    return Evidence(splits, dividends, odd)


def _state(found: Evidence, table: Table) -> tuple[State, str]:
    """What the prices are, and why where that is assumed: "" where it was found."""
    daily = "adj_close" in table.rows or bool((table.rows.index == table.rows.index.normalize()).all())
    yfinance = table.form == "yfinance" and daily
    if found.splits in ("traded", "inverted"):
        return "as-traded", ""
    if found.dividends == "applied":
        return "adjusted", ""
    if found.dividends == "traded" or "adj_close" in table.rows:
        whole = found.splits is None
        return ("as-traded" if whole else "split-adjusted"), ("" if found.splits != "" else "too small to see")
    if found.splits == "applied" and found.dividends is None:
        return "split-adjusted", ""
    if found.splits == "applied" or yfinance:
        return ("adjusted" if daily else "split-adjusted"), "too small to see"
    return "as-traded", "too small to see"


def _without(table: Table, state: State, why: str) -> Table:
    """The table without the actions that its prices are adjusted for, and with what is to be said of that."""
    said = SAID[state] + (f" ({'assumed' if why.startswith('too') else why})" if why else "")
    gone = {"as-traded": [], "split-adjusted": ["split"], "adjusted": ACTIONS}[state]
    subject = {"as-traded": "as traded", "split-adjusted": "adjusted for splits already"}.get(
        state, "adjusted for splits and dividends already, and used as they are"
    )
    cautions = table.cautions
    if why.startswith("too"):
        count = f"the {len(actions_in(table.rows))} dividends and splits on record"
        cautions = (
            *cautions,
            f"prices are taken to be {subject}: {count} are {why} in them; {OVERRIDE}",
        )
    elif state != "as-traded":
        cautions = (*cautions, f"prices are {subject}" + (", as said" if why else ""))
    return replace(table, rows=table.rows.drop(columns=gone, errors="ignore"), adjusted=said, cautions=cautions)


def _nights(rows: pd.DataFrame) -> pd.DataFrame:
    """The nights before an action: `gap` about its median, `scale`, `ratio` log R, `paid` log(1 − D/C)."""
    sound = rows[np.isfinite(rows["close"]) & (rows["close"] > 0) & rows.index.notna()].sort_index(kind="stable")
    sound = sound[~sound.index.duplicated(keep="last")]
    actions = actions_in(sound).reindex(sound.index).fillna({"dividend": 0.0, "split": 1.0})
    day = pd.DatetimeIndex(sound.index).normalize()
    days = pd.DataFrame({"close": sound["close"].groupby(day).last()})
    days["open"] = (sound["open"] if "open" in sound else sound["close"]).groupby(day).first()
    before = days["close"].shift()
    moves = np.log(days["close"] / before)
    gap = np.log(days["open"].where(days["open"] > 0) / before)
    far = len(days) > 2 and pd.Series(days.index).diff().median() > pd.Timedelta(days=4)
    if far or gap.abs().median() < 1e-2 * moves.abs().median():  # no opens of its own
        gap = moves
    days["paid"] = np.log1p(-(actions["dividend"].groupby(day).sum() / before).clip(upper=0.99))
    days["ratio"] = np.log(actions["split"].groupby(day).prod())
    acted = (days["paid"] != 0) | (days["ratio"] != 0)
    quiet = gap.mask(acted)
    days["gap"] = gap - quiet.median()
    wide = (quiet - quiet.median()).abs()
    usual = wide.median()
    near = wide.rolling(AROUND, center=True, min_periods=5).median().fillna(usual).clip(lower=usual / 4)
    distances = np.diff(np.unique(days["close"]))
    tick = (distances.min() if len(distances) else 0.0) / before
    days["scale"] = np.hypot(near.fillna(0.02) / QUARTILE, tick).clip(lower=1e-5)
    return days[acted & days["gap"].notna()]


def _likelihood(rest: pd.Series, nights: pd.DataFrame) -> pd.Series:
    """Of what is left of each gap, up to a constant."""
    return -2 * np.log1p((rest / nights["scale"]) ** 2 / 3)


def _splits(nights: pd.DataFrame) -> tuple[str, str]:
    """The state of the splits, "" where the prices do not tell; and a sentence where they agree with none."""
    left = pd.DataFrame({state: nights["gap"] - side * nights["ratio"] for state, side in SPLIT.items()})
    paid = pd.DataFrame({state: rest - nights["paid"] for state, rest in left.items()})
    chance = left.apply(_likelihood, nights=nights).clip(lower=paid.apply(_likelihood, nights=nights))
    rest = left.abs().combine(paid.abs(), np.minimum).min(axis=1)
    odd = nights.index[rest > np.maximum(ODD, 8 * nights["scale"])]
    if len(odd):
        return "", f"the prices of {_dates(odd)} do not move as the split recorded there would have them, nor stand"
    order = np.sort(chance.to_numpy(), axis=1)
    best = chance.idxmax(axis=1)
    sure = best[order[:, 2] - order[:, 1] >= ALONE]
    if sure.nunique() > 1:
        words = {"traded": "not adjusted", "applied": "adjusted", "inverted": "moved the other way"}
        parts = [f"{words[state]} for the split of {_dates(dates.index)}" for state, dates in sure.groupby(sure)]
        return "", f"the prices are {' and '.join(parts)}"
    if len(sure):
        return str(sure.iloc[0]), ""
    total = chance.sum().sort_values()
    return (str(total.index[-1]) if total.iloc[-1] - total.iloc[-2] >= CLEAR else ""), ""


def _dividends(gap: pd.Series, nights: pd.DataFrame) -> tuple[str, str]:
    """The state of the dividends, "" where the prices do not tell; and a sentence where they agree with none."""
    support = (_likelihood(gap - nights["paid"], nights) - _likelihood(gap, nights)).to_numpy()  # for as traded
    total = support.sum()
    sums = np.cumsum(support)
    for sign, first, second in ((1, "not adjusted", "adjusted"), (-1, "adjusted", "not adjusted")):
        parts = np.minimum(sign * sums, sign * (sums - total))  # how sure both parts are that they differ
        if len(parts) and parts.max() >= CLEAR:
            place = int(parts.argmax())
            return "", (
                f"the prices are {first} for the dividends to {nights.index[place]:%Y-%m-%d} and {second} for those "
                f"from {nights.index[place + 1]:%Y-%m-%d} on, as of two downloads in one file"
            )
    against = nights.index[np.sign(total) * support <= -CLEAR]
    if len(against) and abs(total) >= CLEAR:
        return "", f"the prices contradict the dividend of {_dates(against)}, and agree with the others"
    return ("traded" if total >= CLEAR else "applied" if total <= -CLEAR else ""), ""


def _dates(index: pd.Index) -> str:
    """The first three dates in words."""
    return ", ".join(f"{date:%Y-%m-%d}" for date in index[:3]) + (", …" if len(index) > 3 else "")
