"""Trades and what they cost: the figures, the sweeps and the list."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sheet.svg import Chart, Plot, number_ticks, spanned
from rollcast.backtests.sheet.words import basis_points, number, percent

MOST_TRADES = 500


def costs(result: Result) -> dict[str, Any]:
    """tiles, charts of the sweeps, gross against net, and the trades that moved the account most, in order of time."""
    stress = result.metrics.get("stress")
    trades = result.trades
    if len(trades) > MOST_TRADES:
        trades = trades.loc[trades["pnl"].abs().nlargest(MOST_TRADES).index.sort_values()]
    return {
        "tiles": _tiles(result, stress),
        "charts": [_delay(stress["delay"]), _sweep(stress, result)] if stress else [],
        "gross": _gross(result, stress) if stress else [],
        "trades": list(trades.itertuples(index=False)),
        "all": len(result.trades),
    }


def _tiles(result: Result, stress: Any) -> list[dict[str, str]]:
    ours, held = result.metrics["strategy"], result.metrics["benchmark"]
    paid = ours["commission"] + ours["slippage"]
    tiles = [
        {
            "name": "Round trips",
            "value": number(ours["trades"], 0),
            "note": f"{number(ours['orders'], 0)} orders filled, {_refused(ours)}",
        },
        {"name": "Trades won", "value": percent(ours["win_rate"]), "note": "closed ones, after costs"},
        {"name": "Exposure", "value": percent(ours["time_in_market"]), "note": "closes with a position"},
        {
            "name": "Turnover a year",
            "value": f"{number(ours['turnover'], 1)} ×",
            "note": f"of the account; holding: {number(held['turnover'], 2)} ×",
        },
        {
            "name": "Cost a year",
            "value": basis_points(ours["cost_bps"]),
            "note": f"{number(paid, 0)} in all, commission and slippage",
        },
    ]
    if stress:
        free, holding = stress["costs"][0]["total_return"], result.metrics["benchmark"]["total_return"]
        limit = _limit(stress["break_even_bps"], free > 0)
        hold = _limit(stress["break_even_hold_bps"], free > holding)
        tiles.append(
            {
                "name": "Break-even cost",
                "value": limit,
                "note": f"each way, to earn nothing; to earn what holding does: {hold}",
            }
        )
    return tiles


def _limit(bps: float | None, earns: bool) -> str:
    """A break-even cost; where there is none, whether it `earns` without costs says on which side."""
    return basis_points(bps) if bps is not None else "over 1,000 bp" if earns else "none"


def _refused(scores: Any) -> str:
    return f"{scores['rejected']:,} refused" if scores["rejected"] else "none refused"


def _gross(result: Result, stress: Any) -> list[tuple[str, str, str, str]]:
    names = {"gross": "Before costs", "net": "After costs", "naive": "Naive forecast, same rule and costs"}
    rows = [(names[key], stress[key]) for key in names if key in stress]
    rows.append(("Buy and hold, same costs", result.metrics["benchmark"]))
    return [(name, percent(row["cagr"]), number(row["sharpe"]), percent(row["total_return"], 0)) for name, row in rows]


def _delay(rows: list[dict[str, Any]]) -> Chart:
    bars, sharpe = (np.array([row[k] for row in rows], float) for k in ("bars", "sharpe"))
    titles = [f"{row['bars']} bars late: Sharpe {number(row['sharpe'])}, CAGR {percent(row['cagr'])}" for row in rows]
    low, high = spanned(sharpe, zero=True)
    plot = Plot(
        (-0.2, bars.max() + 0.2),
        (low, high),
        [(float(k), str(int(k))) for k in bars],
        lambda v: number(v, 1 if high - low > 0.5 else 2),
    )
    plot.rule(y=0).line(bars, sharpe).dots(bars, sharpe, titles)
    return plot.chart(
        "delay",
        "Sharpe ratio when filled late",
        "A result that is gone one bar later rests on the very next bar: where data errors and look-ahead live.",
        "; ".join(titles),
        x_title="bars between the decision and the fill, beyond the next open",
    )


def _sweep(stress: dict[str, Any], result: Result) -> Chart:
    rows = stress["costs"]
    bps, cagr = (np.array([row[k] for row in rows], float) for k in ("bps", "cagr"))
    held = result.metrics["benchmark"]["cagr"]
    titles = [
        f"{number(row['bps'], 0)} bp each way: CAGR {percent(row['cagr'])}, Sharpe {number(row['sharpe'])}"
        for row in rows
    ]
    plot = Plot(
        (0, float(bps.max())),
        spanned(cagr, [held], zero=True),
        number_ticks(0, float(bps.max())),
        lambda v: percent(v, 0),
    )
    plot.rule(y=0).rule(y=held, colour="hold").line(bps, cagr).dots(bps, cagr, titles)
    return plot.chart(
        "cost-sweep",
        "Growth a year at other costs",
        "Where the line crosses zero, costs take all of it; where it crosses the dashed one, holding is better.",
        f"Holding: {percent(held)}. " + "; ".join(titles),
        x_title="commission and slippage together, bp each way",
        legend=(("strategy", "accent"), ("buy and hold", "hold")),
    )
