"""Very many bars: the page stays small, and what it leaves out cannot be seen or is said."""

import numpy as np
import pandas as pd
import pytest

from rollcast import load, load_bars, run
from rollcast.backtests.data.calendars import session_starts
from rollcast.backtests.sheet import figures, price
from rollcast.backtests.sheet.costs import MOST_TRADES
from rollcast.backtests.sheet.quantstats_fixes import rolling_sortino
from rollcast.backtests.sheet.report import sheet
from rollcast.strategies.long_short import LongShort
from tests.sheet.test_price import unpacked


@pytest.fixture
def candles(result_of, monkeypatch):
    """A result of hours whose chart has five of them to a candle, and its data."""
    monkeypatch.setattr(price, "MOST_CANDLES", len(result_of("hourly").bars) // 2)
    return result_of("hourly"), price.chart_data(result_of("hourly"))


def test_candles_hold_their_bars_and_cross_no_session(candles):
    result, data = candles
    bars, chart = result.bars, unpacked(data)
    assert len(chart) < len(bars) / 2
    assert chart.index.isin(bars.index).all()
    places = np.r_[-1, bars.index.get_indexer(chart.index)]
    opens = set(np.flatnonzero(session_starts(bars.index)))
    for before, last, candle in zip(places[:-1], places[1:], chart.itertuples(), strict=True):
        part = bars.iloc[before + 1 : last + 1]
        assert len(part) <= 5
        assert not opens & set(range(before + 2, last + 1))
        expected = [part["open"].iloc[0], part["high"].max(), part["low"].min(), part["close"].iloc[-1]]
        np.testing.assert_allclose([candle.open, candle.high, candle.low, candle.close], expected, rtol=1e-3)


def test_the_forecast_of_a_candle_is_that_of_its_last_bar(candles):
    result, data = candles
    chart, f = unpacked(data), np.array(data["f"]) / 1e6
    expected = chart["close"].shift(1).to_numpy()[data["first"] + 1 :] * np.exp(f[:-1])
    truth = price.price_forecast(result).reindex(chart.index).iloc[data["first"] + 1 :]
    np.testing.assert_allclose(expected, truth, rtol=1e-3)


def test_trades_and_positions_are_on_the_candles_of_their_bars(candles):
    result, data = candles
    last = unpacked(data).index
    entries = [last[i] for i, kind in data["m"] if kind]
    assert len(entries) == len(result.trades)
    assert (pd.DatetimeIndex(entries) >= pd.DatetimeIndex(result.trades["entry_date"])).all()
    side = np.sign(result.positions.iloc[:, 0])
    sides = pd.Series(0.0, last)
    for start, sign in data["p"]:
        sides.iloc[start:] = sign
    assert sides.loc[side.index[0] :].tolist() == side.reindex(last).dropna().tolist()


def test_the_page_says_how_many_bars_a_candle_holds(result_of, monkeypatch):
    assert price.price(result_of("hourly")).candle_size == 1
    monkeypatch.setattr(price, "MOST_CANDLES", len(result_of("hourly").bars) // 2)
    assert price.price(result_of("hourly")).candle_size == 5


def test_a_thinned_outline_keeps_its_extremes_and_short_ones_are_whole():
    values = np.random.default_rng(1).normal(size=100_001).cumsum()
    extremes = figures._extremes(values)
    assert len(extremes) <= figures.MOST_POINTS / 5
    assert {0, 100_000, values.argmin(), values.argmax()} <= set(extremes)
    assert figures._extremes(values[:500]).tolist() == list(range(500))


def test_a_lighter_picture_has_every_point_to_a_tenth_and_no_dot_twice():
    dots = [f'<use xlink:href="#m" x="{x}" y="10.04" style="stroke: red"/>' for x in (1.01, 1.04, 2)]
    svg = "\n  ".join(['<path d="M 1.26 2 \nL 3.000001 -4.04 \n" style="a"/>', *dots])
    assert figures._light(svg).splitlines() == [
        '<path d="M1.3 2L3 -4" style="a"/>',
        '<g style="stroke: red"><use xlink:href="#m" x="1" y="10"/><use xlink:href="#m" x="2" y="10"/></g>',
    ]


@pytest.mark.slow
def test_a_page_of_28_years_and_500_trades_weighs_no_more_than_a_megabyte_and_a_half():
    result = run(load_bars("SPY"), load("sma", window=5), LongShort, symbol="SPY")
    assert len(result.trades) > MOST_TRADES
    assert len(sheet(result).encode()) < 1_400_000  # 1.2 MB with the evidence's charts, which are small


def test_the_quick_rolling_sortino_is_quantstats_own():
    stats = pytest.importorskip("quantstats").stats
    returns = load_bars("SPY", "2015", "2017")["close"].pct_change().fillna(0.0)
    returns.iloc[200:350] = returns.iloc[200:350].abs()  # a window without a fall
    for annualize in (True, False):
        with np.errstate(divide="ignore"):
            expected = stats.rolling_sortino(returns, 0, 63, annualize, 252, prepare_returns=False)
            ratio = rolling_sortino(returns, 0, 63, annualize, 252)
        pd.testing.assert_series_equal(ratio, expected, check_names=False, rtol=1e-9)
