"""One backtest of a portfolio, from a panel to a result: forecast, trade, score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pandas as pd

from rollcast.backtests.account.engine import Account
from rollcast.backtests.account.hosts import Strategy, class_of, is_rule, rule_of
from rollcast.backtests.account.panel_engine import PanelSimulation, simulate_panel
from rollcast.backtests.account.panel_scores import contribution, panel_scores
from rollcast.backtests.account.scores import forecast_scores, return_scores, trading_scores
from rollcast.backtests.account.trades import TRADE_COLUMNS, trades_from
from rollcast.backtests.data.bars import bars_per_year
from rollcast.backtests.data.panel import Panel
from rollcast.backtests.pipeline.backtest import (
    all_parameters,
    describe,
    sources_of,
    span_of,
    strategy_parameters,
    versions,
)
from rollcast.backtests.pipeline.panel_forecasts import PanelForecasts, predict_panel
from rollcast.backtests.pipeline.panel_result import PanelResult
from rollcast.backtests.pipeline.result import simple_returns
from rollcast.predictors import Predictor, WalkForward
from rollcast.predictors.pooled import Pooled
from rollcast.predictors.registry import Registry
from rollcast.strategies.portfolio import BUILT_IN
from rollcast.strategies.portfolio.equal_weight import EqualWeight
from rollcast.strategies.rule import Rule

PORTFOLIO_STRATEGIES = Registry("strategy", "rollcast.portfolio_strategies", BUILT_IN, (Rule,), strategy_parameters)


def run_panel(
    panel: Panel,
    predictor: Predictor | Pooled,
    strategy: Strategy,
    parameters: Mapping[str, Any] | None = None,
    account: Account | None = None,
    *,
    seen: Panel | None = None,
    pooled: bool = False,
    allow_lookahead: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PanelResult:
    """Backtests a predictor on a panel: its forecasts of every name, traded by this strategy in one account.

    panel: what the account trades; columns `dividend` and `split` of a name are booked on its bars.
    seen: what the predictor reads instead, the same names on the same dates.
    strategy: a `Rule`; or a `NameRule`, which then trades each name with an equal share.
    pooled:   train one model for all symbols, refitted on as many dates, instead of one for each.

    Raises as `run` does.
    """
    check_rule(strategy, parameters or {})
    read = panel if seen is None else seen
    found = predict_panel(read, predictor, pooled=pooled, allow_lookahead=allow_lookahead, progress=progress)
    return trade_panel(found, strategy, parameters, account, panel=panel)


def check_rule(strategy: Strategy, parameters: Mapping[str, Any]) -> None:
    """Raises TypeError for a strategy that cannot trade a panel, ValueError for a parameter outside its limits."""
    if not is_rule(strategy):
        raise TypeError(
            f"{class_of(strategy).__name__} is no Rule and no NameRule, so it cannot trade a panel; make it one"
        )
    rule_of(strategy, parameters)


def trade_panel(
    forecasts: PanelForecasts,
    strategy: Strategy,
    parameters: Mapping[str, Any] | None = None,
    account: Account | None = None,
    *,
    panel: Panel | None = None,
) -> PanelResult:
    """The second half of `run_panel`: the forecasts traded, and scored from the first one on.

    panel: what the account trades, where that is not what the predictor read.
    """
    account, parameters = account or Account(), dict(parameters or {})
    check_rule(strategy, parameters)
    read, first = forecasts.panel, forecasts.first
    panel = read if panel is None else panel
    traded = simulate_panel(panel, forecasts.table, strategy, parameters, account)
    held = simulate_panel(panel, forecasts.table, EqualWeight, {}, account)
    history = traded.history.loc[first:].assign(benchmark=held.history["equity"].loc[first:])
    returns, benchmark = simple_returns(history)
    yearly, index = bars_per_year(history.index), read.index
    mean = _latest(forecasts).mean(axis=1).loc[first:].rename("forecast")
    strategy_scores, trades = _trading(panel, traded, first, yearly)
    table = forecasts.table.loc[first:]
    metrics = {
        "bars_per_year": yearly,
        "strategy": return_scores(returns, yearly) | strategy_scores,
        "benchmark": return_scores(benchmark, yearly) | _trading(panel, held, first, yearly)[0],
        "forecast": forecast_scores(mean, index.loc[first:]),
        "panel": panel_scores(read, table, yearly) | {"contribution": contribution(panel, traded, account.cash)},
        "unreachable_targets": traded.too_small,
    }
    return PanelResult(
        *(index, history, returns, benchmark, mean),
        *(traded.orders, trades, metrics, _recipe(forecasts, panel, strategy, parameters, account, history)),
        forecasts.training,
        payments=traded.payments if panel.acts else None,
        panel=panel,
        read_panel=read,
        table=table,
        positions=traded.positions.loc[first:],
    )


def _latest(forecasts: PanelForecasts) -> pd.DataFrame:
    """Each name's latest forecast on every date, until its last bar."""
    latest = forecasts.table.ffill()
    for symbol, bars in forecasts.panel.bars.items():
        latest.loc[latest.index > bars.index[-1], symbol] = float("nan")
    return latest.where(latest.notna().any(axis=1), 0.0)


def _trading(
    panel: Panel, traded: PanelSimulation, first: pd.Timestamp, yearly: int
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Scores of the trading from the first forecast on, and the round trips of every name by date of entry."""
    history, orders, paid = traded.history.loc[first:], traded.orders, traded.payments
    closes = {symbol: bars["close"] for symbol, bars in panel.bars.items()}
    parts = [
        trades_from(mine, history, closes[str(symbol)], paid[paid["symbol"] == symbol]).assign(symbol=symbol)
        for symbol, mine in orders.groupby("symbol", sort=False)
    ]
    columns = [*TRADE_COLUMNS, "symbol"]
    trades = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    trades = trades.sort_values("entry_date", kind="stable", ignore_index=True)
    return trading_scores(history, orders[orders["date"] >= first], trades, yearly), trades


def _recipe(
    forecasts: PanelForecasts,
    panel: Panel,
    strategy: Strategy,
    parameters: dict[str, Any],
    account: Account,
    history: pd.DataFrame,
) -> dict[str, Any]:
    read, verdict, predictor = forecasts.panel, forecasts.verdict, forecasts.predictor
    inner = WalkForward(predictor.learner) if isinstance(predictor, Pooled) else predictor
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": forecasts.seconds,
        "predictor": describe(cast(Predictor, predictor)),
        "strategy": {"class": class_of(strategy).__name__} | all_parameters(strategy, parameters),
        "account": account.as_dict(),
        "symbol": panel.name,
        "bars": span_of(read.index, read.index)
        | {"symbols": {symbol: span_of(bars, read.bars[symbol]) for symbol, bars in panel.bars.items()}},
        "evaluation": {
            "first": history.index[0],
            "last": history.index[-1],
            "bars": len(history),
            "warm_up": len(panel.calendar) - len(history),
        },
        "look_ahead": {
            "passed": verdict.leak is None,
            "probes": verdict.probes,
            "finding": str(verdict),
            "probed": forecasts.probed,
        },
        "source": sources_of(inner, strategy),
        "versions": versions(),
    }
