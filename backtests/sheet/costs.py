"""Trades and what they cost: the figures, the account at other costs and with later fills, and the list of trades.

Drawn from the scores of both accounts, `metrics["stress"]`, and the trades. Costs are basis points of the value traded
in one direction, or of the equity a year where that is said; CAGR is a fraction.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ..account.trades import excursions
from ..pipeline.result import Result
from .overview import exposure
from .price import candles
from .scales import number_ticks, padded_range
from .svg import WIDTH, Chart, Plot, dated_plot, wide_chart
from .values import Cells, Context, Metrics, Tile, column
from .words import basis_points, cost, number, percent

MOST_TRADES = 500  # in the list


def costs(result: Result) -> Context:
    """Tiles, charts, net beside gross, and the trades that moved the account most, in the order of their entries."""
    stress, trades = result.metrics.get("stress"), result.trades
    if len(trades) > MOST_TRADES:
        trades = trades.loc[trades["pnl"].abs().nlargest(MOST_TRADES).index.sort_values()]
    return {
        "tiles": _tiles(result, stress),
        "charts": [
            *([_delay(stress["delay"]), _other_costs(stress["costs"], result)] if stress else []),
            *([wide_chart(_rolling_exposure, rolling)] if len(rolling := rolling_exposure(result)) > 1 else []),
        ],
        "gross": _gross(result, stress) if stress else [],
        "books": _books(result.metrics.get("account")),
        "trades": _trades(trades, result),
        "trade_count": len(result.trades),
    }


def _trades(trades: pd.DataFrame, result: Result) -> list[Context]:
    """A row of the list for each round trip, with where it stands in the price chart.

    gain: profit over what was paid for the units; against, gained: as `excursions`; bar, last: candles of the chart,
    None of a portfolio, whose chart is of no name.
    """
    portfolio, index = result.market.portfolio, pd.DatetimeIndex(result.bars.index)
    _, candle = candles(index)

    def row(trade: Any) -> Context:
        against, gained = excursions(trade, result.market.panel.bars[trade.symbol] if portfolio else result.bars)
        places: Context = {"bar": None, "last": None}
        if not portfolio:
            last = index[-1] if pd.isna(trade.exit_date) else trade.exit_date
            places = {"bar": int(candle[index.get_loc(trade.entry_date)]), "last": int(candle[index.get_loc(last)])}
        gain = trade.pnl / (trade.units * trade.entry_price)
        return {**trade._asdict(), **places, "gain": gain, "against": against, "gained": gained}

    return [row(trade) for trade in trades.itertuples(index=False)]


def _books(account: Metrics | None) -> list[Cells]:
    """How the cash at the start became the equity at the end; runs before 0.2 did not say."""
    if account is None:
        return []
    signs = {"start": 1, "trades": 1, "interest": 1, "borrow": -1, "loan": -1, "end": 1}
    names = {
        "start": "Cash at the start",
        "trades": "Round trips, after commission and slippage, open ones at the last close",
        "interest": "Interest earned on cash",
        "borrow": "Borrow cost of short positions",
        "loan": "Interest paid on borrowed cash",
        "end": "Equity at the last close",
    }
    always = ("start", "trades", "end")
    return [(names[key], number(signs[key] * account[key])) for key in names if key in always or account[key]]


def refusals(scores: Metrics) -> str:
    """How many orders the account refused."""
    return f"{scores['rejected']:,} refused" if scores["rejected"] else "none refused"


def _tiles(result: Result, stress: Metrics | None) -> list[Tile]:
    scores, benchmark = result.metrics["strategy"], result.metrics["benchmark"]
    paid = f"{number(scores['commission'] + scores['slippage'], 0)} in all, commission and slippage"
    orders = f"{number(scores['orders'], 0)} orders filled, {refusals(scores)}"
    holding = f"of the account; holding: {number(benchmark['turnover'], 2)} ×"
    tiles = [
        Tile("Round trips", number(scores["trades"], 0), orders),
        Tile("Trades won", percent(scores["win_rate"]), "closed ones, after costs"),
        Tile("Exposure", percent(scores["time_in_market"]), "closes with a position"),
        Tile("Turnover a year", f"{number(scores['turnover'], 1)} ×", holding),
        Tile("Cost a year", cost(scores["cost_bps"]), paid),
    ]
    if stress:
        free = stress["costs"][0]["total_return"]
        hold = _break_even(stress["break_even_hold_bps"], free > benchmark["total_return"])
        note = f"each way, to earn nothing; to earn what holding does: {hold}"
        tiles.append(Tile("Break-even cost", _break_even(stress["break_even_bps"], free > 0), note))
        tiles += _beyond_exposure(result.metrics.get("excess"))
    return tiles


def _beyond_exposure(excess: Metrics | None) -> list[Tile]:
    """The break-even cost of what was earned beyond the exposure to the market, with its bounds."""
    if not excess or excess["break_even_bps"][1] is None or math.isnan(excess["break_even_bps"][1]):
        return []
    low, even, high = (number(bps, 1) for bps in excess["break_even_bps"])
    note = f"each way, {low} to {high}; it paid {number(excess['own_cost_bps'], 1)}"
    return [Tile("Break-even beyond exposure", f"{even} bp", note)]


def _break_even(bps: float | None, earns: bool) -> str:
    """A break-even cost; where there is none, whether it `earns` without costs says on which side."""
    return basis_points(bps) if bps is not None else "over 1,000 bp" if earns else "none"


def _gross(result: Result, stress: Metrics) -> list[Cells]:
    names = {"gross": "Before costs", "net": "After costs", "naive": "Naive forecast, same rule and costs"}
    rows = [(names[key], stress[key]) for key in names if key in stress]
    rows.append(("Buy and hold, same costs", result.metrics["benchmark"]))
    return [(name, percent(row["cagr"]), number(row["sharpe"]), percent(row["total_return"], 0)) for name, row in rows]


def _delay(rows: list[Metrics]) -> Chart:
    """The Sharpe ratio over the number of bars between a decision and its fill."""
    bars, sharpe = column(rows, "bars"), column(rows, "sharpe")
    titles = [f"{row['bars']} bars late: Sharpe {number(row['sharpe'])}, CAGR {percent(row['cagr'])}" for row in rows]
    low, high = padded_range(sharpe, zero=True)
    ticks = [(float(k), str(int(k))) for k in bars]
    digits = 1 if high - low > 0.5 else 2
    plot = Plot((-0.2, bars.max() + 0.2), (low, high), ticks, lambda v: number(v, digits))
    return (
        plot.rule(y=0)
        .line(bars, sharpe)
        .dots(bars, sharpe, titles)
        .chart(
            "delay",
            "Sharpe ratio when filled late",
            "A result that is gone one bar later rests on the very next bar: where data errors and look-ahead live.",
            "; ".join(titles),
            "bars between the decision and the fill, beyond the next open",
        )
    )


def rolling_exposure(result: Result) -> pd.DataFrame:
    """Mean long and short exposure of the last year of closes, or of a quarter of them where there is less."""
    window = min(result.metrics["bars_per_year"], max(len(result.equity) // 4, 2))
    return exposure(result).rolling(window).mean().dropna()


def _rolling_exposure(rolling: pd.DataFrame, width: float) -> Chart:
    y, most = padded_range(rolling, zero=True), 6 if width > WIDTH else 4
    plot = dated_plot(rolling.index, y, lambda v: percent(v, 0), width, 180, most=most).rule(y=0).curve(rolling["long"])
    legend = [("long", "accent")]
    if rolling["short"].any():
        plot.curve(rolling["short"], "bad")
        legend.append(("short", "bad"))
    return plot.chart(
        "rolling-exposure",
        "Exposure, mean of the last year",
        "How much of the account was in the market. What follows the market has it steady.",
        ", ".join(f"{name} {percent(side.min())} to {percent(side.max())}" for name, side in rolling.items()),
        legend=legend,
    )


def _other_costs(rows: list[Metrics], result: Result) -> Chart:
    """CAGR over the cost of a trade, with holding's at the costs of the run."""
    bps, cagr = column(rows, "bps"), column(rows, "cagr")
    holding = result.metrics["benchmark"]["cagr"]
    titles = [
        f"{number(row['bps'], 0)} bp each way: CAGR {percent(row['cagr'])}, Sharpe {number(row['sharpe'])}"
        for row in rows
    ]
    x = (0, float(bps.max()))
    plot = Plot(x, padded_range(cagr, [holding], zero=True), number_ticks(*x), lambda v: percent(v, 0))
    plot.rule(y=0).rule(y=holding, colour="hold").line(bps, cagr).dots(bps, cagr, titles)
    return plot.chart(
        "cost-sweep",
        "Growth a year at other costs",
        "Where the line crosses zero, costs take all of it; where it crosses the dashed one, holding is better.",
        f"Holding: {percent(holding)}. " + "; ".join(titles),
        "commission and slippage together, bp each way",
        (("strategy", "accent"), ("buy and hold", "hold")),
    )
