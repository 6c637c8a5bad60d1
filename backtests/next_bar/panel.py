"""The bar after the last one of every name of a portfolio: what is expected of it, and what would be held."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from rollcast.backtests.account.panel_engine import simulate_panel
from rollcast.backtests.data.panel import Panel
from rollcast.backtests.evidence.skill import skill
from rollcast.backtests.next_bar.next_bar import History, NextBar, Position, after_last, last_forecast
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.universe import LoadedPanel


def forecast_names(
    request: Request, data: LoadedPanel, *, history: bool = True, progress: Callable[[int, int], None] | None = None
) -> list[NextBar]:
    """The forecast at the last bar of every name that has one on the panel's last date, and a forecast there.

    history: as `forecast_next` takes it, the positions being those of the one account. Without, each
        name is forecast once; a pooled model is trained all the same.

    Nothing is written. Raises what `Request.run` raises.
    """
    request.check_rule()
    panel, seen = data.bars, data.seen
    names = [symbol for symbol, bars in panel.bars.items() if bars.index[-1] == panel.calendar[-1]]
    if not history and not request.pooled:
        model = request.model()
        return [_next(panel, symbol, last_forecast(model, seen.bars[symbol]), None) for symbol in names]
    since = None if request.since is None else pd.Timestamp(request.since)
    forecasts = request.predict(seen, progress).since(since)
    table = forecasts.table
    names = [symbol for symbol in names if pd.notna(table[symbol].iloc[-1])]
    positions = next_positions(request, panel, table, names) if history else {}
    made = []
    for symbol in names:
        series = table[symbol].reindex(panel.bars[symbol].index)
        first, found = pd.Timestamp(series.first_valid_index()), None
        if history:
            known = skill(series.loc[first:], seen.bars[symbol]["close"])
            found = History(first, known, forecasts.verdict, positions[symbol])
        made.append(_next(panel, symbol, float(series.iloc[-1]), found))
    return made


def _next(panel: Panel, symbol: str, forecast: float, history: History | None) -> NextBar:
    bars = panel.bars[symbol]
    return NextBar(symbol, bars.index[-1], float(bars["close"].iloc[-1]), forecast, history)


def next_positions(request: Request, panel: Panel, table: pd.DataFrame, names: list[str]) -> dict[str, Position]:
    """What the account holds of each of these names at the last close, and what is ordered there.

    As `next_position`: the names trade one bar more, flat at their last closes.
    """
    date = after_last(panel.index).index
    more = {symbol: pd.concat([panel.bars[symbol], after_last(panel.bars[symbol]).set_axis(date)]) for symbol in names}
    longer = Panel(panel.name, {**panel.bars, **more})
    told = pd.concat([table, table.iloc[-1:].set_axis(date)])
    account = simulate_panel(longer, told, *request.rule(), request.account)
    weights = account.positions.mul(longer.table("close").ffill()).div(account.history["equity"], axis=0)
    return {
        symbol: Position(*(float(x[symbol].iloc[k]) for k in (-2, -1) for x in (account.positions, weights)))
        for symbol in names
    }
