"""The first chart of a sheet: growth, what was lost from its peak, and the exposure, one below the other.

Growth is equity over the equity at the start; exposure is the value of the positions over the equity at the same close.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..pipeline.result import Result
from .price import candles, dates_as_differences
from .scales import padded_range
from .svg import WIDTH, Chart, dated_plot, growth_plot, wide_chart
from .values import Context
from .words import number, percent

LEGEND = (("strategy", "accent"), ("buy and hold", "hold"))


@dataclass(frozen=True)
class Overview:
    """What the chart shows.

    label:    the chart in words.
    data:     read by overview.js, as `chart_data` documents it.
    pictures: the same where no script runs, on paper above all: growth, and losses from the peak.
    """

    label: str
    data: Context
    pictures: tuple[Chart, Chart]


def overview(result: Result) -> Overview:
    """The chart of a result."""
    growth = _growth(result)
    ours, held = (number(growth[name].iloc[-1]) for name in ("strategy", "holding"))
    label = f"Growth of the account, {ours} times its start, and of buying and holding, {held} times; losses; exposure"
    return Overview(label, chart_data(result), (wide_chart(_growth_chart, growth), wide_chart(_loss_chart, growth)))


def exposure(result: Result) -> pd.DataFrame:
    """The value of the `long` and of the `short` positions at every close, over the equity: (T, 2), shorts below 0."""
    table = weights(result)
    sides = {"long": table.clip(lower=0), "short": table.clip(upper=0)}
    return pd.DataFrame({name: side.sum(axis=1) for name, side in sides.items()})


def weights(result: Result) -> pd.DataFrame:
    """The value of every name's position at every close, over the equity: (T, N)."""
    market, dates = result.market, result.equity.index
    closes = market.panel.table("close").ffill() if market.portfolio else market.bars[["close"]]
    values = result.positions.to_numpy(float) * closes.reindex(dates).to_numpy(float)
    return pd.DataFrame(np.nan_to_num(values) / result.equity.to_numpy()[:, None], dates, result.positions.columns)


def chart_data(result: Result) -> Context:
    """The chart in whole numbers, each series as differences.

    unit, t: dates in `unit` seconds, the first since 1970. s, h: growth of the strategy and of holding, in 1e-4.
    l, k: long and short exposure in 1e-3; a list is left out where it is zero throughout.
    """
    index = pd.DatetimeIndex(result.equity.index)
    _, candle = candles(index)
    last = np.flatnonzero(np.diff(candle, append=candle[-1] + 1))  # the last bar of every candle
    unit, t = dates_as_differences(index[last])
    growth, held = _growth(result).iloc[last], exposure(result).iloc[last]
    sides = {"l": held["long"], "k": held["short"]}
    return {
        "unit": unit,
        "year": round(result.metrics["bars_per_year"] * len(last) / len(index)),
        "t": t,
        "s": _differences(growth["strategy"], 1e4),
        "h": _differences(growth["holding"], 1e4),
        **{name: _differences(values, 1e3) for name, values in sides.items() if values.any()},
    }


def _differences(values: pd.Series, scale: float) -> list[int]:
    whole = (values * scale).round().clip(-1e15, 1e15).astype("int64").to_numpy()
    return np.diff(whole, prepend=0).tolist()


def _growth(result: Result) -> pd.DataFrame:
    """Equity of the strategy and of holding over that of the first close, at which nothing had been traded."""
    return pd.DataFrame({
        "strategy": result.equity / result.equity.iloc[0],
        "holding": result.history["benchmark"] / result.history["benchmark"].iloc[0],
    })  # fmt: skip


def _growth_chart(growth: pd.DataFrame, width: float) -> Chart:
    curves = np.log10(growth)
    low, high = padded_range(curves)
    digits = 1 if 10**low < 1 or 10**high < 10 else 0
    plot = growth_plot(growth.index, (low, high), width, 300, digits)
    ours, held = (number(growth[name].iloc[-1]) for name in ("strategy", "holding"))
    return (
        plot.curve(curves["holding"], "hold")
        .curve(curves["strategy"])
        .chart(
            "growth",
            "Growth, on a logarithmic axis",
            "Equal steps up are equal percentages.",
            f"At the end {ours} times the start; holding {held} times",
            legend=LEGEND,
        )
    )


def _loss_chart(growth: pd.DataFrame, width: float) -> Chart:
    losses = growth / growth.cummax() - 1
    y, most = padded_range(losses, zero=True), 6 if width > WIDTH else 4
    plot = dated_plot(growth.index, y, lambda v: percent(v, 0), width, 150, most=most)
    deepest = ", ".join(f"{name} {percent(values.min())}" for name, values in losses.items())
    return (
        plot.curve(losses["holding"], "hold")
        .curve(losses["strategy"])
        .chart("losses", "Below the peak so far", "Drawdown of the account and of holding.", f"Deepest: {deepest}")
    )
