"""The engine: bars and forecasts in, an account's history out."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from ...predictors.bars import check_bars
from ...predictors.isolation import isolated
from ...strategies.actions import actions_of
from ...strategies.broker import Broker
from ...strategies.feed import ActionFeed, ForecastFeed, date_numbers
from ...strategies.sizing import Ruined, cost_rate
from ...strategies.stream import at_the_open, stream
from ..json_values import Parameters
from .hosts import Strategy, host_one

MOST_CASH = 1e15
MOST_LEVERAGE = 1000.0
PAYMENT_COLUMNS = ["date", "dividend", "units", "split", "fraction"]
ORDER_COLUMNS = ["date", "side", "units", "price", "value", "commission", "slippage", "status"]


@dataclass(frozen=True)
class Account:
    """What the trading costs and how it is kept.

    cash:           what it starts with, in the currency of the prices.
    commission_bps: basis points of the traded value, each way.
    slippage_bps:   basis points by which a fill is worse than the open.
    borrow_bps:     basis points a year on the market value of short positions.
    interest_bps:   basis points a year earned on cash, counted from the first forecast.
    fractional:     whether fractions of a unit may be held.
    leverage:       the most that the absolute weights of a rule may add up to, at least 1. Beyond 1, cash is borrowed.
    loan_bps:       basis points a year paid on borrowed cash, that is on what the cash is below zero.

    Raises ValueError for cash or leverage that is too small, and for a rate below 0 or of 10,000 and more.
    """

    cash: float = 100_000.0
    commission_bps: float = 1.0
    slippage_bps: float = 1.0
    borrow_bps: float = 50.0
    interest_bps: float = 0.0
    fractional: bool = False
    leverage: float = 1.0
    loan_bps: float = 200.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cash) and self.cash > 0):
            raise ValueError(f"cash must be above 0; got {self.cash:g}")
        if self.cash > MOST_CASH:
            raise ValueError(f"cash must be at most {MOST_CASH:g}, beyond which cents are lost; got {self.cash:g}")
        if not (math.isfinite(self.leverage) and self.leverage >= 1):
            raise ValueError(f"leverage must be at least 1; got {self.leverage:g}")
        if self.leverage > MOST_LEVERAGE:
            raise ValueError(f"leverage must be at most {MOST_LEVERAGE:g}; got {self.leverage:g}")
        for name, value in asdict(self).items():
            if name.endswith("_bps") and not 0 <= value < 10_000:
                raise ValueError(f"{name} must be at least 0 and below 10000; got {value:g}")

    def as_dict(self) -> dict[str, float]:
        """Every field by its name, but leverage and its price only where there is any: else they change nothing."""
        words = asdict(self)
        return words if self.leverage > 1 else {k: v for k, v in words.items() if k not in ("leverage", "loan_bps")}

    @property
    def cost_rate(self) -> float:
        """Cost of buying, as a fraction of the traded value at the open; of selling it is no more."""
        return cost_rate(self.commission_bps / 1e4, self.slippage_bps / 1e4)

    @property
    def fast(self) -> bool:
        """Whether `account.evaluate` can keep it: at costs of 100 % orders could be refused, which it does not show."""
        return self.cost_rate < 1


@dataclass(frozen=True)
class Simulation:
    """What happened to the account.

    history: at every bar's close, `equity` (the broker's value), `cash` and `units` held.
    orders:  one row per order that ended: date, side, units (sold ones negative), price and value of the fill (NaN and
             0 where there was none), commission and slippage paid, status.
    too_small: targets missed because one whole unit cost more than the account could give it.
    payments: one row per ex-date with a position: the cash the dividend brought, a short's below 0; the units held
             after it and the split, new units per old; the cash for the fraction of a unit that was left over.
    carry:   as `Broker.carry`: `interest` earned, `borrow` and `loan` paid, over all bars.

    At every close, what changed the cash is the payments', the orders' value and commission, borrow cost and interest.
    """

    history: pd.DataFrame
    orders: pd.DataFrame
    too_small: int
    payments: pd.DataFrame
    carry: dict[str, float]


def simulate(
    bars: pd.DataFrame,
    forecast: pd.Series,
    strategy: Strategy,
    parameters: Parameters | None = None,
    account: Account | None = None,
    *,
    hidden: Collection[str] | None = None,
    **modes: Any,
) -> Simulation:
    """Trades `forecast` over `bars` by a rule or a backtrader strategy; decisions at the close fill at the next open.

    bars:  prices as the account pays them; where they carry `dividend` and `split`, these are booked on their bars.

    hidden: trade on bars that are not there before their time (`strategies.stream`), with these lines of a bar unknown
            at its open; slower, and the same for a strategy that does not look ahead.
    modes: passed to `bt.Cerebro` (runonce, preload, exactbars); none of them changes the result.

    Raises Ruined if the account is wiped out, since no result after that has a meaning.
    """
    account = account or Account()
    host, arguments = host_one(strategy, parameters)
    check_bars(bars)
    if not forecast.index.equals(bars.index):
        raise ValueError("the forecast must have the same dates as the bars")
    rows, acted = bars.assign(forecast=forecast.to_numpy(float)), actions_of(bars)
    rows, feed = (rows, ForecastFeed) if acted is None else (rows.assign(**acted), ActionFeed)
    if hidden is not None:
        modes, host = {**modes, "preload": False, "runonce": False}, at_the_open(host, hidden)
    # One thing at a time: the default observers cost a sixth of the run and nobody reads them.
    cerebro = bt.Cerebro(stdstats=False, cheat_on_open=True, **modes)
    cerebro.broker = broker_for(account, forecast.notna())
    cerebro.adddata(feed(dataname=rows) if hidden is None else stream(rows, feed))
    cerebro.addstrategy(host, **arguments)
    cerebro.addanalyzer(_History, _name="history")
    cerebro.addanalyzer(Orders, _name="orders")
    with isolated():
        (run,) = cerebro.run()
    history = pd.DataFrame(run.analyzers.history.rows, columns=["equity", "cash", "units"], index=bars.index)
    refuse_ruin(history["equity"])
    orders = run.analyzers.orders.table(bars.index)[ORDER_COLUMNS]
    payments = payments_of(cerebro.broker, bars.index)[PAYMENT_COLUMNS]
    return Simulation(history, orders, getattr(run, "too_small", 0), payments, cerebro.broker.carry)


def broker_for(account: Account, known: pd.Series) -> Broker:
    """The broker of this account, whose cash earns interest from the first date on which a forecast is `known`."""
    first = np.flatnonzero(known)
    broker = Broker(  # type: ignore[call-arg]  # backtrader turns params into arguments
        commission=account.commission_bps / 1e4,
        slippage=account.slippage_bps / 1e4,
        borrow=account.borrow_bps / 1e4,
        interest=account.interest_bps / 1e4,
        interest_from=date_numbers(pd.DatetimeIndex(known.index))[first[0]] if len(first) else math.inf,
        fractional=account.fractional,
        leverage=account.leverage,
        loan=account.loan_bps / 1e4,
    )
    broker.setcash(account.cash)
    return broker


def payments_of(broker: Broker, index: pd.DatetimeIndex) -> pd.DataFrame:
    """A row for each dividend and split that was booked, with its `symbol`; `index` has the dates of the bars."""
    payments = pd.DataFrame(broker.payments, columns=[*PAYMENT_COLUMNS, "symbol"])
    payments = payments.astype(dict.fromkeys(PAYMENT_COLUMNS, float))
    payments["date"] = index[payments["date"].to_numpy(int)]
    return payments


def refuse_ruin(equity: pd.Series) -> None:
    """Raises Ruined with the date on which nothing was left."""
    ruined = equity <= 0
    if ruined.any():
        date = ruined.idxmax()
        raise Ruined(date, float(equity[date]))


class _History(bt.Analyzer):
    """The broker's value and cash and the units held, at every bar, warm-up included."""

    def start(self) -> None:
        self.rows: list[tuple[float, float, float]] = []

    def prenext(self) -> None:
        self.next()

    def nextstart(self) -> None:
        self.next()

    def next(self) -> None:
        broker = self.strategy.broker
        self.rows.append((broker.getvalue(), broker.getcash(), broker.getposition(self.data).size))


class Orders(bt.Analyzer):
    """Every order that ended, filled or not, with the name of the feed it was for."""

    FINAL = (bt.Order.Completed, bt.Order.Margin, bt.Order.Rejected, bt.Order.Canceled, bt.Order.Expired)

    def start(self) -> None:
        self.rows: list[tuple[Any, ...]] = []

    def notify_order(self, order: bt.Order) -> None:
        if order.status not in self.FINAL:
            return
        done = order.executed
        filled = done.size != 0
        opening = order.data.open[0]
        self.rows.append(
            (
                len(self.strategy) - 1,  # the bar it ended on
                "buy" if order.isbuy() else "sell",
                done.size if filled else order.created.size,
                done.price if filled else math.nan,
                done.size * done.price if filled else 0.0,
                done.comm,
                abs(done.size) * abs(done.price - opening) if filled and order.exectype == bt.Order.Market else 0.0,
                order.getstatusname().lower(),
                order.data._name,
            )
        )

    def table(self, index: pd.DatetimeIndex) -> pd.DataFrame:
        """A row each, with its `symbol`; `index` has the dates of the bars."""
        orders = pd.DataFrame(self.rows, columns=[*ORDER_COLUMNS, "symbol"])
        orders["date"] = index[orders["date"].to_numpy(int)]
        return orders
