"""One backtest from bars to result: forecast, trade, score."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from ...predictors import Predictor
from ...predictors.pooled import Pooled
from ...strategies.buy_and_hold import BuyAndHold, holding
from ...strategies.portfolio.equal_weight import EqualWeight
from ..account.engine import Account, Simulation, simulate
from ..account.hosts import Strategy
from ..account.panel_engine import PanelSimulation, simulate_panel
from ..account.panel_scores import contribution, panel_scores
from ..account.scores import account_scores, cash_returns, forecast_scores, return_scores, trading_scores
from ..account.trades import TRADE_COLUMNS, trades_from
from ..data.bars import bars_per_year
from ..gate.audit import watching
from ..gate.strategy import StrategyLooksAhead, examine_strategy
from ..json_values import Parameters, Values
from ..market.market import Market
from ..market.panel import Panel
from .forecasts import Forecasts, Progress, predict
from .recipe import recipe_of
from .result import Result, simple_returns
from .strategies import check_strategy


def run(
    bars: Market | Panel | pd.DataFrame,
    predictor: Predictor | Pooled,
    strategy: Strategy,
    parameters: Parameters | None = None,
    account: Account | None = None,
    *,
    model_bars: Panel | pd.DataFrame | None = None,
    symbol: str = "bars",
    pooled: bool = False,
    allow_lookahead: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Backtests a predictor: its forecasts of these bars, traded by this strategy, scored from the first forecast on.

    bars: what the account trades: the bars of one name, or a `Panel` for a portfolio on one account. Columns `dividend`
        and `split`, where they are there, are booked on their bars.
    strategy: a rule, a class of rules or a backtrader strategy; of a portfolio a `Rule`, or a `NameRule`, which then
        trades each name with an equal share of the account.
    model_bars: what the predictor reads instead, of the same names on the same dates.
    pooled: of a portfolio, train one model for all names, refitted on as many dates, instead of one for each.
    allow_lookahead: trade a predictor or by a strategy that looks ahead all the same; the sheet says so in red.
    progress: called with (refits done, refits in all) while a walk-forward predictor trains.

    Raises LookAheadError for a predictor or a strategy that looks ahead, TypeError for a learner that is not wrapped in
    WalkForward and for a strategy that cannot trade a portfolio, ValueError for bars that are not in order, a strategy
    parameter outside its limits, too few bars, or a forecast that breaks the contract.
    """
    market = Market.of(bars, symbol, model_bars)
    check_strategy(strategy, parameters or {}, portfolio=market.portfolio)
    forecasts = predict(market, predictor, pooled=pooled, allow_lookahead=allow_lookahead, progress=progress)
    return trade(forecasts, strategy, parameters, account, allow_lookahead=allow_lookahead)


def trade(
    forecasts: Forecasts,
    strategy: Strategy,
    parameters: Parameters | None = None,
    account: Account | None = None,
    *,
    allow_lookahead: bool = False,
) -> Result:
    """The second half of `run`: the forecasts traded, and scored from the first one on. Raises as `run` does."""
    account, parameters = account or Account(), dict(parameters or {})
    market, first = forecasts.market, forecasts.first
    check_strategy(strategy, parameters, portfolio=market.portfolio)
    with watching() as opened:
        traded, positions = simulate_market(market, forecasts.table, strategy, parameters, account)
    forecasts = replace(forecasts, opened=forecasts.opened.joined(opened))
    examined = examine_strategy(strategy, parameters, market, forecasts.table, account, traded)
    if examined.leak and not allow_lookahead:
        raise StrategyLooksAhead(examined.leak)
    holding = _hold(forecasts, account)
    history = traded.history.loc[first:, ["equity", "cash"]].assign(benchmark=holding.history["equity"].loc[first:])
    returns, benchmark = simple_returns(history)
    yearly = bars_per_year(history.index)
    cash = cash_returns(pd.DatetimeIndex(history.index), account.interest_bps)
    scores, trades = _trading(market, traded, first, yearly)
    metrics = {
        "bars_per_year": yearly,
        "strategy": return_scores(returns, yearly, cash) | scores,
        "benchmark": return_scores(benchmark, yearly, cash) | _trading(market, holding, first, yearly)[0],
        "forecast": forecast_scores(forecasts.series.loc[first:], market.model_bars.loc[first:]),
        "account": account_scores(account.cash, trades, traded.carry, history["equity"]),
        **_panel_metrics(forecasts, traded, account, yearly),
        "unreachable_targets": traded.too_small,
    }
    return Result(
        market=market,
        history=history,
        returns=returns,
        benchmark_returns=benchmark,
        forecasts=forecasts.table.loc[first:],
        positions=positions.loc[first:],
        orders=traded.orders,
        trades=trades,
        metrics=metrics,
        recipe=recipe_of(forecasts, strategy, parameters, account, pd.DatetimeIndex(history.index), examined),
        training=forecasts.training,
        payments=traded.payments if market.pays else None,
    )


def simulate_market(
    market: Market,
    table: pd.DataFrame,
    strategy: Strategy,
    parameters: Parameters,
    account: Account,
) -> tuple[Simulation | PanelSimulation, pd.DataFrame]:
    """What the account did with forecasts (dates × symbols), and the units of every name at every close.

    By the engine for one name where that is enough: a panel of one gives the same, five times as slowly. Raises as
    `simulate` does.
    """
    if market.portfolio:
        panel = simulate_panel(market.panel, table, strategy, parameters, account)
        return panel, panel.positions
    single = simulate(market.bars, table.iloc[:, 0], strategy, parameters, account)
    return single, single.history[["units"]].set_axis(market.columns, axis=1)


def _panel_metrics(forecasts: Forecasts, traded: Simulation | PanelSimulation, account: Account, yearly: int) -> Values:
    """What only a portfolio has: scores across its names, and each name's part in the profit."""
    if not isinstance(traded, PanelSimulation):
        return {}
    market, table = forecasts.market, forecasts.table.loc[forecasts.first :]
    parts = contribution(market.panel, traded, account.cash)
    return {"panel": panel_scores(market.model_panel, table, yearly) | {"contribution": parts}}


def _hold(forecasts: Forecasts, account: Account) -> Simulation | PanelSimulation:
    """Buying and holding the market, all names alike, decided at the first forecast."""
    market = forecasts.market
    strategy: Strategy = EqualWeight if market.portfolio else BuyAndHold
    parameters = {} if market.portfolio else holding(market.bars)
    return simulate_market(market, forecasts.table, strategy, parameters, account)[0]


def _trading(
    market: Market, traded: Simulation | PanelSimulation, first: pd.Timestamp, yearly: int
) -> tuple[Values, pd.DataFrame]:
    """Scores of the trading from the first forecast on, and the round trips, of a portfolio by date of entry."""
    history, orders, payments = traded.history.loc[first:], traded.orders, traded.payments
    # A strategy deaf to the forecast may trade before the first one.
    within = orders[orders["date"] >= first]
    if not market.portfolio:
        trades = trades_from(orders, traded.history, market.bars["close"], payments)
        return trading_scores(history, within, trades, yearly), trades
    closes = {symbol: bars["close"] for symbol, bars in market.panel.bars.items()}
    parts = [
        trades_from(own, history, closes[str(symbol)], payments[payments["symbol"] == symbol]).assign(symbol=symbol)
        for symbol, own in orders.groupby("symbol", sort=False)
    ]
    trades = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*TRADE_COLUMNS, "symbol"])
    trades = trades.sort_values("entry_date", kind="stable", ignore_index=True)
    return trading_scores(history, within, trades, yearly), trades
