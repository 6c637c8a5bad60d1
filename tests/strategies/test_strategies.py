"""The trading rules, the account they trade in, and the feed that carries the forecast."""

from __future__ import annotations

import math

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rollcast import load
from rollcast.backtests.account.engine import Account, Simulation, simulate
from rollcast.backtests.data.bars import load_bars
from rollcast.predictors.bars import random_walk
from rollcast.strategies.base import ForecastStrategy
from rollcast.strategies.buy_and_hold import BuyAndHold
from rollcast.strategies.feed import ForecastFeed, date_numbers
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.proportional import Proportional
from rollcast.strategies.rule import BandRule, NameRule
from rollcast.strategies.sizing import Ruined

BUILT_IN = [BuyAndHold, LongFlat, LongShort, Proportional]
FREE = Account(commission_bps=0, slippage_bps=0, borrow_bps=0, fractional=True)


def bars_of(opens, closes) -> pd.DataFrame:
    """Daily bars with these opens and closes, and no volume at all."""
    opens, closes = np.asarray(opens, float), np.asarray(closes, float)
    columns = {"open": opens, "high": np.maximum(opens, closes), "low": np.minimum(opens, closes), "close": closes}
    return pd.DataFrame(columns, index=pd.date_range("2020-01-01", periods=len(opens))).assign(volume=0.0)


def gapping(moves) -> pd.DataFrame:
    """Bars from (overnight, intraday) log moves."""
    path = 100 * np.exp(np.cumsum(np.asarray(moves, float).ravel()))
    return bars_of(path[::2], path[1::2])


def held(bars, forecast, strategy, parameters=None, account=FREE) -> pd.Series:
    """Weight at every close."""
    history = simulate(bars, pd.Series(forecast, index=bars.index, dtype=float), strategy, parameters, account).history
    return history["units"] * bars["close"] / history["equity"]


# --- no order is ever refused ---

move = st.floats(-0.4, 0.4)
markets = st.lists(st.tuples(move, move, st.floats(-0.02, 0.02)), min_size=2, max_size=40)
costs = st.floats(0, 100)


@settings(max_examples=80, deadline=None)
@given(markets, costs, costs, st.booleans(), st.sampled_from(BUILT_IN), st.sampled_from([0.0, 0.1]))
# Short at 100 %, then a gap up that leaves almost nothing, at the highest costs.
@example([(0, 0, -0.01), (0, 0, -0.01), (0.4, 0, -0.01), (0, 0, 0.01), (0, 0, 0)], 100, 100, False, LongShort, 0.1)
@example([(0, 0, -0.01), (0, 0, 0.01), (0.4, 0, 0.01), (-0.4, 0, -0.01), (0, 0, 0)], 100, 100, True, LongShort, 0.0)
def test_no_built_in_strategy_has_an_order_refused_or_borrows_cash(moves, fee, slip, fractional, strategy, tolerance):
    bars = gapping([m[:2] for m in moves])
    forecast = pd.Series([m[2] for m in moves], index=bars.index)
    account = Account(commission_bps=fee, slippage_bps=slip, fractional=fractional)
    try:
        run = simulate(bars, forecast, strategy, {"tolerance": tolerance}, account)
    except Ruined:
        return
    assert set(run.orders["status"]) <= {"completed"}
    assert run.history["cash"].min() >= -1e-6
    assert not run.orders["date"].duplicated().any()
    assert_within_equity(run, bars)


def assert_within_equity(run: Simulation, bars: pd.DataFrame) -> None:
    """Right after every fill, at the open, the position is worth no more than the account."""
    for order in run.orders.itertuples():
        at = run.history.loc[order.date]
        opening = bars["open"][order.date]
        weight = at["units"] * opening / (at["cash"] + at["units"] * opening)
        assert abs(weight) <= 1 + 1e-9


@pytest.mark.parametrize("fractional", [True, False])
@pytest.mark.parametrize("strategy", BUILT_IN)
@pytest.mark.parametrize("bps", [0.0, 100.0])
def test_nothing_is_refused_on_real_bars_at_the_whole_of_equity(strategy, bps, fractional):
    bars = load_bars("BTC-USD", "2017-06", "2018-05")
    forecast = load("ema", span=5).predict(bars)
    run = simulate(bars, forecast, strategy, {}, Account(1e6, bps, bps, fractional=fractional))
    assert set(run.orders["status"]) == {"completed"}
    assert run.history["cash"].min() >= -1e-6
    assert_within_equity(run, bars)


# --- ruin ---


@pytest.mark.parametrize("fractional", [True, False])
@pytest.mark.parametrize("later", [-1.0, 0.0, 1.0], ids=["stays short", "no opinion", "turns long"])
def test_a_short_wiped_out_at_the_open_raises_even_if_the_close_would_have_saved_it(later, fractional):
    bars = bars_of([100, 100, 250, 150, 150], [100, 100, 150, 150, 150])
    forecast = pd.Series([-1.0, later, later, later, later], index=bars.index)
    with pytest.raises(Ruined, match=r"wiped out .*2020-01-03.*Trade smaller"):
        simulate(bars, forecast, LongShort, {}, Account(1000, fractional=fractional))


def test_equity_of_exactly_nothing_at_the_open_is_ruin_and_not_a_division_by_zero():
    # 8 shares short at 120 on 1,000: 1,960 in cash, and at 245 all of it is owed.
    bars = bars_of([120, 120, 245, 150], [120, 120, 150, 150])
    with pytest.raises(Ruined, match="wiped out"):
        simulate(bars, pd.Series(-1.0, index=bars.index), LongShort, {}, Account(1000, 0, 0, 0))


def test_equity_below_zero_at_a_close_raises_with_the_date():
    bars = bars_of([100, 100, 100], [100, 250, 100])
    with pytest.raises(Ruined, match=r"wiped out on 2020-01-02: equity -\d+\.\d\d\. Trade smaller"):
        simulate(bars, pd.Series(-1.0, index=bars.index), LongShort)


# --- the rules ---


def test_a_forecast_inside_the_dead_band_keeps_the_position():
    flat = bars_of([100] * 8, [100] * 8)
    forecast = [np.nan, 0.00009, 0.0002, 0.00009, -0.0001, -0.0002, 0.0001, -0.0002]
    assert held(flat, forecast, LongFlat).round(6).tolist() == [0, 0, 0, 1, 1, 1, 0, 0]
    assert held(flat, forecast, LongShort).round(6).tolist() == [0, 0, 0, 1, 1, 1, -1, -1]


def test_a_wider_dead_band_never_trades_more_on_real_bars():
    bars = load_bars("SPY", "2010", "2011")
    forecast = load("ema", span=10).predict(bars)
    counts = [len(simulate(bars, forecast, LongFlat, {"dead_band_bps": b}).orders) for b in (0, 2, 5, 10, 20, 1e4)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2] > 0
    assert counts[-1] == 0


@pytest.mark.parametrize("strategy", [LongFlat, LongShort])
def test_a_forecast_exactly_on_the_band_is_no_opinion(strategy):
    flat = bars_of([100] * 4, [100] * 4)
    assert held(flat, [0.001, -0.001, 0.001, 0.001], strategy, {"dead_band_bps": 10}).tolist() == [0, 0, 0, 0]


def test_a_position_that_drifts_less_than_the_tolerance_is_left_alone_and_then_brought_back():
    closes = 100 * 1.02 ** np.arange(40)
    bars = bars_of(closes, closes)
    weights = held(bars, [1.0] * 40, LongFlat, {"exposure": 0.5, "tolerance": 0.1}).iloc[1:]
    assert weights.iloc[0] == pytest.approx(0.5)
    assert weights.max() <= 0.6 * 1.01
    run = simulate(bars, pd.Series(1.0, index=bars.index), LongFlat, {"exposure": 0.5, "tolerance": 0.1}, FREE)
    assert 2 <= len(run.orders) <= 4
    every_bar = simulate(bars, pd.Series(1.0, index=bars.index), LongFlat, {"exposure": 0.5, "tolerance": 0.0}, FREE)
    assert len(every_bar.orders) == 39


def test_buy_and_hold_buys_once_at_the_first_open_after_the_first_forecast():
    bars = load_bars("AAPL", "2000", "2003")
    forecast = load("sma", window=50).predict(bars)
    run = simulate(bars, forecast, BuyAndHold)
    first = bars.index[forecast.notna().to_numpy().argmax() + 1]
    assert run.orders["date"].tolist() == [first]
    assert run.orders["price"].item() == pytest.approx(bars["open"][first] * 1.0001, rel=1e-12)


def test_a_target_smaller_than_one_unit_is_counted_and_not_silently_skipped():
    bars = bars_of([30_000] * 5, [30_000] * 5)
    run = simulate(bars, pd.Series(1.0, index=bars.index), LongFlat, {}, Account(10_000))
    assert run.orders.empty
    assert run.too_small == 4
    assert (run.history["equity"] == 10_000).all()
    assert (
        simulate(bars, pd.Series(1.0, index=bars.index), LongFlat, {}, Account(10_000, fractional=True)).too_small == 0
    )


@pytest.mark.parametrize("strategy", [LongFlat, LongShort])
def test_a_small_exposure_is_still_traded_or_refused_with_a_reason(strategy):
    # With the default tolerance of 0.1 an exposure of 0.1 is never "further" from flat than the tolerance.
    bars = load_bars("SPY", "2019", "2019")
    forecast = load("ema", span=10).predict(bars)
    try:
        run = simulate(bars, forecast, strategy, {"exposure": 0.1})
    except ValueError as error:
        assert "tolerance" in str(error)  # noqa: PT017
    else:
        assert len(run.orders) > 0


def test_proportional_weights_are_the_documented_formula():
    bars = load_bars("SPY", "2015", "2016")
    forecast = load("ema", span=20).predict(bars)
    parameters = {"volatility_bps": 60, "span": 30, "tolerance": 0.0}
    run = simulate(bars, forecast, Proportional, parameters, FREE)
    variance = (np.log(bars["close"]).diff() ** 2).ewm(span=30, adjust=False).mean()
    strength = (forecast**2 / variance).ewm(span=30, adjust=False).mean()
    wanted = (0.0060 / np.sqrt(strength) * forecast / variance).clip(-1, 1).shift()
    at_open = run.history["cash"] + run.history["units"] * bars["open"]
    got = run.history["units"] * bars["open"] / at_open
    known = wanted.notna()
    assert known.sum() > 400
    pd.testing.assert_series_equal(got[known], wanted[known], check_names=False, rtol=1e-6)
    assert (wanted[known].abs() < 1).mean() > 0.3


@given(st.floats(1e-3, 1e3))
@settings(max_examples=5, deadline=None)
def test_proportional_does_not_care_for_the_scale_of_the_forecasts(scale):
    bars = random_walk(150, seed=5)
    forecast = np.random.default_rng(6).normal(0, 1e-3, 150)
    ours, scaled = held(bars, forecast, Proportional), held(bars, forecast * scale, Proportional)
    np.testing.assert_allclose(scaled, ours, atol=1e-6)


def test_proportional_aims_at_its_volatility_and_keeps_its_cap_and_its_sign():
    bars = random_walk(1500, seed=7, volatility=0.02)
    forecast = pd.Series(np.random.default_rng(8).normal(0, 1e-3, 1500), index=bars.index)
    run = simulate(bars, forecast, Proportional, {"volatility_bps": 20, "tolerance": 0.0}, FREE)
    assert run.history["equity"].pct_change().std() == pytest.approx(0.0020, rel=0.1)
    assert held(bars, forecast, Proportional, {"short": False}).min() >= 0
    assert held(bars, forecast, Proportional, {"cap": 0.3, "tolerance": 0.0}).abs().max() < 0.35


def test_proportional_stays_out_while_nothing_moves():
    flat = bars_of([100] * 6, [100] * 6)
    assert held(flat, [1.0] * 6, Proportional).tolist() == [0] * 6
    assert held(random_walk(6), [0.0] * 6, Proportional).tolist() == [0] * 6


@pytest.mark.parametrize(
    ("strategy", "parameters"),
    [
        (LongFlat, {"exposure": 1.01}),
        (LongFlat, {"dead_band_bps": -1.0}),
        (LongShort, {"tolerance": -0.1}),
        (BuyAndHold, {"tolerance": math.nan}),
        (Proportional, {"cap": 1.5}),
        (Proportional, {"span": 1}),
        (Proportional, {"volatility_bps": -5.0}),
    ],
)
def test_a_parameter_outside_its_limits_is_refused_by_name(strategy, parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=rf"{name} must be at least .* got "):
        strategy(**parameters)
    with pytest.raises(ValueError, match=name):
        simulate(random_walk(5), pd.Series(1.0, index=random_walk(5).index), strategy, parameters)


def test_a_rule_without_decide_says_what_to_write():
    class Empty(ForecastStrategy):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty must define decide"):
        simulate(random_walk(5), pd.Series(1.0, index=random_walk(5).index), Empty)


def test_a_rule_of_ones_own_is_three_lines():
    class Half(BandRule):
        def decide(self, state):
            return 0.5 * self.opinion(state.forecast)

    flat = bars_of([100] * 4, [100] * 4)
    assert held(flat, [0.01, -0.01, 0.0, 0.0], Half).round(6).tolist() == [0, 0.5, -0.5, 0]


# --- the feed ---


class Recorded(bt.Strategy):
    """Keeps every line of the feed at every bar."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, ...]] = []

    def next(self) -> None:
        self.rows.append(tuple(line[0] for line in self.data.lines))


class RowByRow(bt.feeds.PandasData):
    """backtrader's own feed with one more column."""

    lines = ("forecast",)
    params = (("forecast", "forecast"),)


def lines_of(feed, frame, resampled=None, **options) -> tuple[list[str], bytes]:
    cerebro = bt.Cerebro(stdstats=False)
    filters = options.pop("filters", ())
    data = feed(dataname=frame, **options)
    for one in filters:
        data.addfilter(one)
    if resampled:
        cerebro.resampledata(data, timeframe=resampled)
    else:
        cerebro.adddata(data)
    cerebro.addstrategy(Recorded)
    (run,) = cerebro.run()
    assert run.rows
    return list(data.getlinealiases()), np.array(run.rows).tobytes()


def with_forecast(bars: pd.DataFrame) -> pd.DataFrame:
    return bars.assign(forecast=np.r_[np.nan, np.random.default_rng(0).normal(0, 0.01, len(bars) - 1)])


@pytest.mark.parametrize("symbol", ["SPY", "BTC-USD", "AAPL.1h", "AAPL.sp20"])
def test_the_column_feed_gives_the_lines_of_backtraders_own_bit_for_bit(symbol):
    frame = with_forecast(load_bars(symbol).iloc[-1500:])
    assert lines_of(ForecastFeed, frame) == lines_of(RowByRow, frame)


def not_thursdays(data) -> bool:
    if data.datetime.date(0).weekday() != 3:
        return False
    data.backwards()
    return True


@pytest.mark.parametrize(
    "options",
    [
        {"fromdate": pd.Timestamp("2016-03-01").to_pydatetime()},
        {"todate": pd.Timestamp("2016-03-01").to_pydatetime()},
        {"filters": [not_thursdays]},
        {"resampled": bt.TimeFrame.Weeks},
        {"open": "close"},
        {"volume": None},
        {"forecast": "volume"},
    ],
    ids=["fromdate", "todate", "filter", "resample", "other column", "no column", "other forecast"],
)
def test_the_column_feed_steps_aside_where_rows_are_needed_and_follows_its_parameters(options):
    frame = with_forecast(load_bars("SPY", "2016", "2016"))
    assert lines_of(ForecastFeed, frame, **options) == lines_of(RowByRow, frame, **options)


def test_the_column_feed_takes_its_dates_from_a_column_as_backtraders_own_does():
    frame = with_forecast(load_bars("SPY", "2016", "2016")).reset_index(names="when")
    assert lines_of(ForecastFeed, frame, datetime="when") == lines_of(RowByRow, frame, datetime="when")


@given(st.lists(st.datetimes(pd.Timestamp(1900, 1, 1), pd.Timestamp(2200, 1, 1)), min_size=1))
def test_date_numbers_are_backtraders_bit_for_bit(stamps):
    assert date_numbers(pd.DatetimeIndex(stamps)).tolist() == [bt.date2num(stamp) for stamp in stamps]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_date_numbers_do_not_depend_on_the_unit_of_the_index(unit):
    index = load_bars("AAPL.1h").index
    expected = [bt.date2num(stamp) for stamp in index.to_pydatetime()]
    assert date_numbers(index.as_unit(unit)).tolist() == expected


def test_every_built_in_name_leads_to_a_strategy_with_documented_parameters():
    from rollcast import STRATEGIES

    for name in STRATEGIES.built_in:
        cls = STRATEGIES.find(name)
        assert issubclass(cls, NameRule)
        documented = " ".join(filter(None, (c.__doc__ for c in cls.__mro__ if issubclass(c, NameRule))))
        for parameter in cls().parameters:
            assert f"{parameter}:" in documented, (name, parameter)
