"""Yahoo's rows turned back to prices as traded, and dated by their close.

Yahoo serves prices and dividends adjusted for splits; the store has them as traded:

    raw[t] = yahoo[t] · Π_{s>t} R[s]        D[s] = yahoo dividend[s] · Π_{u≥s} R[u]

with R the new shares per old of a split.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from .recorded import examine
from .store import About

Metadata: TypeAlias = dict[str, Any]  # what yfinance says of a ticker beside its bars
INTERVALS = {"1m": 1, "2m": 2, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "1d": 1440}  # minutes
NAMES = {
    **dict(zip(("Open", "High", "Low", "Close"), ("open", "high", "low", "close"), strict=True)),
    **{"Volume": "volume", "Dividends": "dividend", "Stock Splits": "split", "Adj Close": "adj_close"},
}


class YahooError(ValueError):
    """A download that failed; its text names the cause."""


@dataclass(frozen=True)
class Download:
    """Yahoo's answer in the form of the store.

    rows: as traded, in exchange time without a zone; statements: the rows that were left out, and why.
    """

    rows: pd.DataFrame
    about: About
    statements: list[str] = field(default_factory=list)


def as_traded(frame: pd.DataFrame, meta: Metadata, interval: str, ticker: str) -> Download:
    """yfinance's frame, neither adjusted nor cleaned, in the form of the store.

    Raises YahooError where no whole bar is in it.
    """
    if frame.empty:
        raise YahooError(f"Yahoo has no bars of {ticker} for {interval} in this range")
    named = frame.rename(columns=NAMES)
    rows = named[[name for name in NAMES.values() if name in named]]
    gains = frame["Capital Gains"].to_numpy(float) if "Capital Gains" in frame else np.zeros(len(frame))
    statements: list[str] = []
    if gains.any():
        rows = rows.assign(dividend=rows["dividend"] + gains)
        statements.append(f"capital gains paid on {int((gains > 0).sum())} days are counted as dividends")
    rows = _closes(rows, meta, interval)
    rows, statements = _finished(rows, meta, interval, statements)
    rows, statements = _without_holes(rows, statements)
    if rows.empty:
        raise YahooError(f"Yahoo has no whole bars of {ticker} for {interval} in this range")
    statements += _compared(rows)
    _refuse_unapplied(rows, ticker)
    ratio = np.where(rows["split"] > 0, rows["split"], 1.0)
    from_here = np.cumprod(ratio[::-1])[::-1]  # Π_{u≥t} R[u]
    later = from_here / ratio  # Π_{s>t} R[s]
    rows = rows.assign(dividend=rows["dividend"] * from_here, volume=rows["volume"] / later)
    rows[["open", "high", "low", "close"]] = rows[["open", "high", "low", "close"]].mul(later, axis=0)
    about: About = {
        "exchange_name": meta.get("exchangeName"),
        "zone": meta.get("exchangeTimezoneName"),
        "currency": meta.get("currency"),
        "kind": meta.get("instrumentType"),
    }
    return Download(rows.drop(columns="adj_close", errors="ignore"), about, statements)


def _closes(rows: pd.DataFrame, meta: Metadata, interval: str) -> pd.DataFrame:
    """Bars dated by their start as dated by their close: the next one's start, or the end of the session before it."""
    index = pd.DatetimeIndex(rows.index)
    if interval != "1d":
        closes = index + pd.Timedelta(minutes=INTERVALS[interval])
        periods = meta.get("tradingPeriods")
        if isinstance(periods, pd.DataFrame):
            ends = pd.Series(periods["end"].array, index=pd.DatetimeIndex(periods.index).date)
            last = pd.Series(index.date).map(ends[~ends.index.duplicated()])
            last = pd.DatetimeIndex(pd.to_datetime(last, utc=True)).tz_convert(index.tz)
            closes = closes.where(last.isna() | (closes <= last), last)
        index = closes
    return rows.set_axis(index.tz_localize(None).rename("date"))


def _finished(
    rows: pd.DataFrame, meta: Metadata, interval: str, statements: list[str]
) -> tuple[pd.DataFrame, list[str]]:
    """The rows without those whose own time span, or session, has not ended."""
    zone = meta.get("exchangeTimezoneName") or "UTC"
    now = pd.Timestamp.now("UTC").tz_convert(zone).tz_localize(None)
    open_now = rows.index > now
    if interval == "1d":
        end = ((meta.get("currentTradingPeriod") or {}).get("regular") or {}).get("end")
        if end is not None:
            end = pd.Timestamp(end, unit="s", tz="UTC") if isinstance(end, (int, float)) else pd.Timestamp(end)
            end = end.tz_convert(zone).tz_localize(None)
        open_now |= (rows.index == now.normalize()) & (end is None or end > now)
    if open_now.any():
        statements = [
            *statements,
            f"the bar of {rows.index[open_now][0]:%Y-%m-%d %H:%M} was still being traded, and left out",
        ]
    return rows[~open_now], statements


def _without_holes(rows: pd.DataFrame, statements: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """The rows that have prices; dividends and splits of the others move to the next bar."""
    hole = rows[["open", "high", "low", "close"]].isna().any(axis=1).to_numpy()
    if not hole.any():
        return rows, statements
    whole = np.cumsum(~hole) - (~hole)  # the place of the next whole bar
    complete = rows[~hole].copy()
    for place in np.flatnonzero(hole & (whole < len(complete))):
        paid, split = rows["dividend"].iloc[place], rows["split"].iloc[place]
        date = complete.index[whole[place]]
        complete.loc[date, "dividend"] += paid
        if split > 0:
            complete.loc[date, "split"] = (complete.loc[date, "split"] or 1.0) * split
    days = ", ".join(f"{day:%Y-%m-%d}" for day in rows.index[hole][:3])
    more = ", …" if hole.sum() > 3 else ""
    return complete, [*statements, f"Yahoo has no prices for {int(hole.sum())} bars, left out: {days}{more}"]


def _refuse_unapplied(rows: pd.DataFrame, ticker: str) -> None:
    """Raises YahooError where Yahoo lists a split and has not adjusted the prices before it yet."""
    found = examine(rows) if (rows["split"] > 0).any() else None
    if found is not None and found.splits != "applied" and (found.splits or found.contradiction):
        last = rows.index[rows["split"] > 0][-1]
        why = found.contradiction or "they still stand as traded"
        raise YahooError(
            f"Yahoo's prices of {ticker} are not adjusted for its splits, the last of {last:%Y-%m-%d}: {why}; fetch it "
            "again in a day or two"
        )


def _compared(rows: pd.DataFrame) -> list[str]:
    """A statement where Yahoo's adjusted close differs by over 0.1 % from ours, both relative to the last bar."""
    if "adj_close" not in rows or len(rows) < 2:
        return []
    close, paid = rows["close"].to_numpy(float), rows["dividend"].to_numpy(float)
    factors = np.append(np.cumprod((1 - paid[1:] / close[:-1])[::-1])[::-1], 1.0)
    yahoo = rows["adj_close"].to_numpy(float) / close
    apart = np.nanmax(np.abs(yahoo / yahoo[-1] / factors - 1))
    if apart <= 1e-3:
        return []
    return [f"Yahoo's adjusted close parts from its own dividends by up to {apart:.2%}; the dividends are used"]
