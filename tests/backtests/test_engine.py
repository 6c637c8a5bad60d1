"""The engine: against an independent simulation, in every mode, and with nothing read from the future."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

import rollcast
from rollcast import load
from rollcast.backtests.account.engine import ORDER_COLUMNS, Account, simulate
from rollcast.backtests.data.bars import load_bars
from rollcast.predictors.bars import random_walk
from rollcast.strategies.base import ForecastStrategy
from rollcast.strategies.buy_and_hold import BuyAndHold
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.proportional import Proportional
from rollcast.strategies.rule import NameRule
from rollcast.strategies.sizing import Ruined

BUILT_IN = [BuyAndHold, LongFlat, LongShort, Proportional]
ACCOUNTS = {
    "free": Account(commission_bps=0, slippage_bps=0, borrow_bps=0),
    "default": Account(),
    "dear": Account(1e6, commission_bps=50, slippage_bps=30, borrow_bps=800, interest_bps=500),
    "fractional": Account(
        12_345.67, commission_bps=10, slippage_bps=5, borrow_bps=200, interest_bps=300, fractional=True
    ),
}


# --- the twin: the same market and account in plain Python, written from the documentation ---


def targets(strategy: type[NameRule], bars: pd.DataFrame, forecast: pd.Series) -> pd.Series:
    """The weight decided at every close, by the default parameters; NaN until the first decision."""
    if strategy is BuyAndHold:
        return forecast.mask(forecast.notna(), 1.0)
    if strategy is Proportional:
        variance = (np.log(bars["close"]).diff() ** 2).ewm(span=60, adjust=False).mean()
        known = variance.where(variance > 0)
        strength = (forecast**2 / known).ewm(span=60, adjust=False).mean()
        return (0.01 / np.sqrt(strength) * forecast / known).clip(-1, 1)
    below = {LongFlat: 0.0, LongShort: -1.0}[strategy]
    opinion = np.select([forecast > 1e-4, forecast < -1e-4], [1.0, below], np.nan)
    return pd.Series(opinion, index=bars.index).ffill()


def units_for(weight: float, equity: float, units: float, price: float, account: Account) -> float:
    """Units that make up this weight of what is left of equity once the trade to them is paid, found by bisection.

    Whatever is traded costs what buying it would: slippage and commission on top of the open.
    """
    rate = (1 + account.slippage_bps / 1e4) * (1 + account.commission_bps / 1e4) - 1

    def short_of(left: float) -> float:
        return left + rate * abs(weight * left - units * price) - equity

    left = brentq(short_of, 0, equity, xtol=1e-12 * equity, rtol=1e-14) if short_of(equity) > 0 else equity
    wanted = weight * left / price * (1 - 1e-9)
    return wanted if account.fractional else float(int(wanted))


def independent_equity(
    bars: pd.DataFrame, forecast: pd.Series, strategy: type[NameRule], account: Account
) -> pd.DataFrame:
    """Equity, cash and units at every close."""
    weights, first = targets(strategy, bars, forecast), forecast.first_valid_index()
    opening, closing = bars["open"], bars["close"]
    cash, units, rows = account.cash, 0.0, []
    for yesterday, today in zip([None, *bars.index[:-1]], bars.index, strict=True):
        if yesterday is not None:
            years = (today - yesterday) / pd.Timedelta(days=365)
            owed = max(-units, 0.0) * closing[yesterday]
            cash -= account.borrow_bps / 1e4 * years * owed
            if yesterday >= first:
                cash += account.interest_bps / 1e4 * years * max(cash - owed, 0.0)
            weight, price = weights[yesterday], opening[today]
            equity = cash + units * price
            off = abs(weight - units * price / equity)
            if off > 0.1 or (weight == 0 and units != 0):
                wanted = units_for(weight, equity, units, price, account)
                traded, units = wanted - units, wanted
                fill = price * (1 + math.copysign(account.slippage_bps / 1e4, traded))
                cash -= traded * fill + abs(traded) * fill * account.commission_bps / 1e4
        rows.append((cash + units * closing[today], cash, units))
    return pd.DataFrame(rows, columns=["equity", "cash", "units"], index=bars.index)


def assert_equal_to_the_cent(bars, forecast, strategy, account) -> None:
    run = simulate(bars, forecast, strategy, {}, account)
    twin = independent_equity(bars, forecast, strategy, account)
    np.testing.assert_allclose(run.history["equity"], twin["equity"], rtol=0, atol=0.005)
    np.testing.assert_allclose(run.history["cash"], twin["cash"], rtol=0, atol=0.005)
    np.testing.assert_allclose(run.history["units"], twin["units"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("strategy", BUILT_IN)
@pytest.mark.parametrize(
    ("symbol", "start", "end"),
    [
        ("SPY", "2008", "2009"),
        ("BTC-USD", "2018", "2018"),
        ("AAPL.1h", "2025-03", "2025-04"),
        ("AAPL.sp20", "2000", "2000"),
    ],
)
def test_equity_equals_an_independent_simulation_to_the_cent(symbol, start, end, strategy, account):
    bars = load_bars(symbol, start, end)
    forecast = load("ema", span=10).predict(bars)
    assert_equal_to_the_cent(bars, forecast, strategy, ACCOUNTS[account])


def test_equity_equals_an_independent_simulation_over_all_of_spy():
    bars = load_bars("SPY")
    assert_equal_to_the_cent(bars, load("kalman").predict(bars), LongShort, Account(interest_bps=200))


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10**6),
    st.floats(0.001, 0.05),
    st.sampled_from(BUILT_IN),
    st.builds(
        Account,
        cash=st.floats(1e3, 1e7),
        commission_bps=st.floats(0, 100),
        slippage_bps=st.floats(0, 100),
        borrow_bps=st.floats(0, 2000),
        interest_bps=st.floats(0, 2000),
        fractional=st.just(True),
    ),
)
def test_equity_equals_an_independent_simulation_over_random_markets(seed, volatility, strategy, account):
    bars = random_walk(60, seed, volatility=volatility)
    noise = np.random.default_rng(seed).normal(0, 3e-4, 60)
    noise[: seed % 7] = np.nan
    forecast = pd.Series(noise, index=bars.index)
    try:
        run = simulate(bars, forecast, strategy, {}, account)
    except Ruined:
        return
    twin = independent_equity(bars, forecast, strategy, account)
    np.testing.assert_allclose(run.history["equity"], twin["equity"], rtol=1e-9, atol=0.005)


# --- the same in every mode ---


class Watched(ForecastStrategy):
    """Reads the broker at every close, as a second opinion to the engine's own record."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = []
        WATCHED.append(self.values)

    def decide(self, forecast: float) -> float | None:
        return 1.0 if forecast > 1e-4 else -1.0 if forecast < -1e-4 else None

    def next(self) -> None:
        super().next()
        self.values.append(self.broker.getvalue())


WATCHED: list[list[float]] = []
MODES = [
    {"runonce": runonce, "preload": preload, "exactbars": exactbars}
    for runonce, preload, exactbars in itertools.product([True, False], [True, False], [0, 1, -1, -2])
]


@pytest.mark.parametrize(("symbol", "strategy"), [("BTC-USD", Watched), ("AAPL.1h", Proportional), ("SPY", LongFlat)])
def test_every_engine_mode_gives_the_same_history_to_the_last_bit(symbol, strategy):
    bars = load_bars(symbol).iloc[-250:]
    forecast = load("ema", span=10).predict(bars)
    account = Account(borrow_bps=300, interest_bps=200, fractional=symbol == "BTC-USD")
    runs = [simulate(bars, forecast, strategy, {}, account, **mode) for mode in MODES]
    assert len(runs[0].orders) > 0
    for run, mode in zip(runs[1:], MODES[1:], strict=True):
        assert run.history.to_numpy(float).tobytes() == runs[0].history.to_numpy(float).tobytes(), mode
        pd.testing.assert_frame_equal(run.orders, runs[0].orders, check_exact=True)
        assert run.too_small == runs[0].too_small


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: "-".join(str(v) for v in mode.values()))
def test_equity_is_the_brokers_value_to_the_last_bit_at_every_bar(mode):
    bars = load_bars("AAPL.1h").iloc[-300:]
    forecast = load("sma", window=10).predict(bars)
    run = simulate(bars, forecast, Watched, {}, Account(borrow_bps=300, interest_bps=200), **mode)
    assert run.history["equity"].tolist() == WATCHED[-1]
    # And it is what is in the account: the cash, and the position at the close.
    held = run.history["cash"] + run.history["units"] * bars["close"]
    np.testing.assert_allclose(run.history["equity"], held, rtol=1e-13)


# --- nothing reads the future ---

cuts = st.integers(2, 58)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), cuts, st.sampled_from(BUILT_IN), st.booleans())
def test_bars_after_an_open_change_no_order_up_to_that_open_nor_its_size(seed, cut, strategy, fractional):
    bars, other = random_walk(60, seed, volatility=0.02), random_walk(60, seed + 1, volatility=0.03)
    forecast = pd.Series(np.random.default_rng(seed).normal(0, 3e-4, 60), index=bars.index)
    account = Account(commission_bps=20, slippage_bps=10, borrow_bps=500, interest_bps=300, fractional=fractional)
    changed, refore = bars.copy(), forecast.copy()
    changed.iloc[cut + 1 :] = other.iloc[cut + 1 :].to_numpy()
    refore.iloc[cut:] = -forecast.iloc[cut:]
    # Of the bar that is filled at, all but its open: the close and the range, and the volume.
    opening = bars["open"].iloc[cut]
    changed.iloc[cut, 1:] = [opening * 1.3, opening * 0.7, opening * (0.8 if seed % 2 else 1.25), 1.0]
    before, after = (simulate(b, f, strategy, {}, account) for b, f in ((bars, forecast), (changed, refore)))
    known = bars.index[cut]
    left, right = (run.orders[run.orders["date"] <= known] for run in (before, after))
    pd.testing.assert_frame_equal(left, right, check_exact=True)
    assert before.history.iloc[:cut].equals(after.history.iloc[:cut])
    assert before.history["units"].iloc[cut] == after.history["units"].iloc[cut]


def test_an_order_decided_at_a_close_fills_at_the_next_open_and_nowhere_else():
    bars = load_bars("SPY", "2015", "2016")
    forecast = pd.Series(np.nan, index=bars.index)
    forecast.iloc[10:] = 0.01
    forecast.iloc[200:] = -0.01
    run = simulate(bars, forecast, LongFlat, {}, Account(commission_bps=0, slippage_bps=0))
    assert run.orders["date"].tolist() == [bars.index[11], bars.index[201]]
    assert run.orders["price"].tolist() == [bars["open"].iloc[11], bars["open"].iloc[201]]


# --- costs, interest, borrowing ---


def still(n: int, price: float = 100.0, freq: str = "D") -> pd.DataFrame:
    index = pd.date_range("2021-01-01", periods=n, freq=freq)
    return pd.DataFrame(price, index=index, columns=["open", "high", "low", "close"]).assign(volume=0.0)


def constant(bars: pd.DataFrame, value: float) -> pd.Series:
    return pd.Series(value, index=bars.index)


def test_slippage_is_paid_on_a_bar_whose_four_prices_are_equal():
    bars = still(3)
    run = simulate(bars, constant(bars, 1.0), BuyAndHold, {}, Account(commission_bps=0, slippage_bps=25))
    (order,) = run.orders.itertuples()
    assert order.price == pytest.approx(100.25, rel=1e-15)
    assert order.slippage == pytest.approx(order.units * 0.25, rel=1e-12)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_costs_in_the_orders_are_what_equity_lost_when_nothing_moved(side):
    bars = still(6)
    forecast = pd.Series([side, side, -side, side, side, side], index=bars.index)
    run = simulate(bars, forecast, LongShort, {}, Account(commission_bps=13, slippage_bps=7, borrow_bps=0))
    lost = 100_000 - run.history["equity"].iloc[-1]
    assert lost == pytest.approx(run.orders["commission"].sum() + run.orders["slippage"].sum(), abs=1e-6)
    traded = (run.orders["units"] * run.orders["price"]).abs()
    np.testing.assert_allclose(run.orders["commission"], traded * 0.0013, rtol=1e-12)
    np.testing.assert_allclose(run.orders["value"].abs(), traded, rtol=1e-12)


@pytest.mark.parametrize("freq", ["D", "B", "h", "W", "ME"])
@pytest.mark.parametrize("forecast", [-1.0, 0.0], ids=["a target is set", "no target yet"])
def test_interest_is_credited_once_a_bar_by_calendar_time(freq, forecast):
    bars = still(30, freq=freq)
    run = simulate(bars, constant(bars, forecast), LongFlat, {}, Account(interest_bps=400))
    years = bars.index.to_series().diff().div(pd.Timedelta(days=365)).fillna(0)
    np.testing.assert_allclose(run.history["equity"], 100_000 * (1 + 0.04 * years).cumprod(), rtol=1e-12)


def test_interest_starts_at_the_first_forecast():
    bars = still(10)
    forecast = constant(bars, -1.0)
    forecast.iloc[:4] = np.nan
    equity = simulate(bars, forecast, LongFlat, {}, Account(interest_bps=365)).history["equity"]
    assert (equity.iloc[:5] == 100_000).all()
    np.testing.assert_allclose(equity.iloc[5:], 100_000 * 1.0001 ** np.arange(1, 6), rtol=1e-12)


def test_a_short_pays_its_borrowing_over_a_weekend_and_its_proceeds_earn_nothing():
    bars = still(6, freq="B")  # Friday 2021-01-01, so that the third night is none and the weekend comes first
    account = Account(100_000, 0, 0, borrow_bps=365, interest_bps=730, fractional=True)
    run = simulate(bars, constant(bars, -1.0), LongShort, {}, account)
    cash = run.history["cash"]
    assert run.history["units"].iloc[1:].to_numpy() == pytest.approx(-1000.6, abs=1e-3)  # three days' interest first
    short = -run.history["units"].iloc[1] * 100
    nightly = 1e-4 * short
    own = cash.iloc[1] - short
    assert own == pytest.approx(100_060 - 0, abs=1e-3)
    assert cash.iloc[2] - cash.iloc[1] == pytest.approx(2e-4 * (own - nightly) - nightly, abs=1e-6)


def test_an_account_without_borrowing_pays_none_and_a_long_one_neither():
    bars = load_bars("SPY", "2012", "2013")
    forecast = load("ema").predict(bars)
    without, with_it = (simulate(bars, forecast, LongFlat, {}, Account(borrow_bps=b)) for b in (0, 900))
    pd.testing.assert_frame_equal(without.history, with_it.history, check_exact=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cash", 0),
        ("cash", -1.0),
        ("cash", math.inf),
        ("cash", math.nan),
        ("commission_bps", -1),
        ("slippage_bps", 1e4),
        ("borrow_bps", math.nan),
        ("interest_bps", -0.5),
    ],
)
def test_an_impossible_account_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        Account(**{field: value})


# --- strategies of the user's own ---


class AllInAtTheClose(bt.Strategy):
    """Sizes at the close for the whole of the cash, as most tutorials do."""

    def next(self) -> None:
        if not self.position:
            self.buy(size=int(self.broker.getcash() / self.data.close[0]))
        elif len(self) % 5 == 0:
            self.close()


class TwoAverages(bt.Strategy):
    """A textbook cross-over on backtrader's own indicators, deaf to the forecast."""

    params = (("size", 10),)

    def __init__(self) -> None:
        self.cross = bt.ind.CrossOver(bt.ind.SMA(period=5), bt.ind.SMA(period=20))

    def next(self) -> None:
        if self.cross[0] > 0:
            self.buy(size=self.p.size)
        elif self.cross[0] < 0 and self.position:
            self.close()


def test_a_plain_backtrader_strategy_fills_at_the_next_open_of_the_bar_it_decided_on():
    bars = load_bars("SPY", "2015", "2016")
    run = simulate(bars, load("naive").predict(bars), TwoAverages, {"size": 7}, Account(slippage_bps=0))
    fast, slow = bars["close"].rolling(5).mean(), bars["close"].rolling(20).mean()
    above = (fast > slow)[slow.notna()]
    ups = above.index[above & ~above.shift(fill_value=True)]
    fills = bars.index[bars.index.get_indexer(ups) + 1]
    buys = run.orders[run.orders["side"] == "buy"]
    assert buys["date"].tolist() == list(fills)
    np.testing.assert_allclose(buys["price"], bars["open"][fills], rtol=1e-14)
    assert set(buys["units"]) == {7}
    assert set(run.orders["status"]) == {"completed"}


def test_a_refused_order_is_a_row_and_a_count_in_the_metrics():
    bars = load_bars("SPY", "2010", "2012")
    result = rollcast.run(bars, load("naive"), AllInAtTheClose)
    refused = result.orders[result.orders["status"] == "margin"]
    assert len(refused) > 50
    assert result.metrics["strategy"]["rejected"] == len(refused)
    assert refused["price"].isna().all()
    assert (refused["units"] > 0).all()
    assert (refused[["value", "commission", "slippage"]] == 0).all(axis=None)
    assert result.metrics["strategy"]["orders"] == len(result.orders) - len(refused)


class LimitBuyer(bt.Strategy):
    """Buys one unit below the open when the price falls to it."""

    def next(self) -> None:
        if len(self) == 1:
            self.buy(size=1, exectype=bt.Order.Limit, price=95.0)


def test_a_limit_order_filled_inside_the_bar_paid_no_slippage():
    bars = still(4).assign(low=90.0)
    run = simulate(bars, constant(bars, 0.0), LimitBuyer, {}, Account(commission_bps=0, slippage_bps=0))
    (order,) = run.orders.itertuples()
    assert order.price == 95.0
    assert order.slippage == 0


class Canceller(bt.Strategy):
    def next(self) -> None:
        if len(self) == 1:
            self.order = self.buy(size=1, exectype=bt.Order.Limit, price=1.0)
        if len(self) == 3:
            self.cancel(self.order)
        if len(self) == 4:
            self.sell(size=2, exectype=bt.Order.Limit, price=1e6, valid=self.data.datetime.date(0))


def test_cancelled_and_expired_orders_are_rows_that_cost_nothing():
    bars = still(8)
    run = simulate(bars, constant(bars, 0.0), Canceller)
    assert run.orders["status"].tolist() == ["canceled", "expired"]
    assert run.orders["units"].tolist() == [1, -2]
    assert (run.history["equity"] == 100_000).all()


# --- odd markets ---


def moving(n: int = 6) -> pd.DataFrame:
    return random_walk(n, seed=1, volatility=0.02)


@pytest.mark.parametrize("strategy", BUILT_IN)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_bars_runs(strategy, n):
    bars = moving(n)
    run = simulate(bars, constant(bars, 0.01), strategy)
    assert len(run.history) == n
    assert run.history["equity"].iloc[0] == 100_000


@pytest.mark.parametrize("strategy", BUILT_IN)
def test_without_a_forecast_or_with_one_on_the_last_bar_alone_nothing_is_traded(strategy):
    bars = moving()
    forecast = constant(bars, np.nan)
    runs = [simulate(bars, forecast, strategy, {}, Account(interest_bps=300))]
    forecast.iloc[-1] = 1.0
    runs.append(simulate(bars, forecast, strategy, {}, Account(interest_bps=300)))
    for run in runs:
        assert list(run.orders.columns) == ORDER_COLUMNS
        assert run.orders.empty
        assert (run.history["equity"] == 100_000).all()


@pytest.mark.parametrize("strategy", BUILT_IN)
@pytest.mark.parametrize("scale", [1e-9, 1e-4, 1e9])
def test_prices_of_any_size_give_the_same_returns_in_fractions(strategy, scale):
    bars = load_bars("BTC-USD", "2020", "2020")
    forecast = load("ema", span=5).predict(bars)
    scaled = bars.assign(**{c: bars[c] * scale for c in ("open", "high", "low", "close")})
    ours, theirs = (simulate(b, forecast, strategy, {}, Account(fractional=True)).history for b in (bars, scaled))
    np.testing.assert_allclose(theirs["equity"], ours["equity"], rtol=1e-9)


@pytest.mark.parametrize("strategy", BUILT_IN)
def test_whole_numbers_in_the_bars_and_a_volume_of_zero_change_nothing(strategy):
    bars = still(5).round().astype(int)
    history = simulate(bars, constant(bars, 0.01), strategy).history
    pd.testing.assert_frame_equal(history, simulate(still(5), constant(bars, 0.01), strategy).history)


@pytest.mark.parametrize("fractional", [True, False])
def test_a_bar_without_a_price_is_refused_by_its_date_and_never_filled(fractional):
    bars = moving()
    bars.iloc[2] = np.nan
    with pytest.raises(ValueError, match=bars.index[2].strftime("%Y-%m-%d")):
        simulate(bars, constant(bars, 0.01), LongFlat, {}, Account(fractional=fractional))


def test_a_forecast_on_other_dates_is_refused():
    with pytest.raises(ValueError, match="same dates"):
        simulate(moving(6), constant(moving(5), 1.0), LongFlat)


@pytest.mark.parametrize("strategy", BUILT_IN)
def test_neither_bars_nor_forecast_are_written_to_and_a_second_run_is_the_first(strategy):
    bars = moving(50)
    forecast = constant(bars, 0.001)
    kept, told = bars.copy(), forecast.copy()
    first, second = (simulate(bars, forecast, strategy) for _ in range(2))
    pd.testing.assert_frame_equal(bars, kept)
    pd.testing.assert_series_equal(forecast, told)
    pd.testing.assert_frame_equal(first.history, second.history, check_exact=True)


def test_twice_the_cash_is_twice_the_equity_in_fractions():
    bars = load_bars("SPY", "2018", "2018")
    forecast = load("ema", span=10).predict(bars)
    account = Account(50_000, interest_bps=100, fractional=True)
    small, large = (simulate(bars, forecast, LongShort, {}, a) for a in (account, replace(account, cash=100_000.0)))
    np.testing.assert_allclose(large.history["equity"], 2 * small.history["equity"], rtol=1e-9)
