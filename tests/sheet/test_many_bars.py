"""Very many bars: the page stays small, and what it leaves out cannot be seen or is said."""

import numpy as np
import pandas as pd
import pytest

from rollcast import load_bars
from rollcast.backtests.data.calendars import session_starts
from rollcast.backtests.sheet import figures, price
from rollcast.backtests.sheet.quantstats_fixes import rolling_sortino
from tests.sheet.test_price import unpacked


@pytest.fixture
def joined(made, monkeypatch):
    """A result of hours whose chart has five of them to a candle, and its data."""
    monkeypatch.setattr(price, "MOST_CANDLES", len(made("hourly").bars) // 2)
    return made("hourly"), price.chart_data(made("hourly"))


def test_candles_hold_their_bars_and_cross_no_session(joined):
    result, data = joined
    bars, shown = result.bars, unpacked(data)
    assert len(shown) < len(bars) / 2
    assert shown.index.isin(bars.index).all()
    places = np.r_[-1, bars.index.get_indexer(shown.index)]
    opens = set(np.flatnonzero(session_starts(bars.index)))
    for before, last, candle in zip(places[:-1], places[1:], shown.itertuples(), strict=True):
        part = bars.iloc[before + 1 : last + 1]
        assert len(part) <= 5
        assert not opens & set(range(before + 2, last + 1))
        expected = [part["open"].iloc[0], part["high"].max(), part["low"].min(), part["close"].iloc[-1]]
        np.testing.assert_allclose([candle.open, candle.high, candle.low, candle.close], expected, rtol=1e-3)


def test_the_forecast_of_a_candle_is_that_of_its_last_bar(joined):
    result, data = joined
    shown, f = unpacked(data), np.array(data["f"]) / 1e6
    expected = shown["close"].shift(1).to_numpy()[data["first"] + 1 :] * np.exp(f[:-1])
    truth = price.price_forecast(result).reindex(shown.index).iloc[data["first"] + 1 :]
    np.testing.assert_allclose(expected, truth, rtol=1e-3)


def test_trades_and_positions_are_on_the_candles_of_their_bars(joined):
    result, data = joined
    last = unpacked(data).index
    entries = [last[i] for i, kind in data["m"] if kind]
    assert len(entries) == len(result.trades)
    assert (pd.DatetimeIndex(entries) >= pd.DatetimeIndex(result.trades["entry_date"])).all()
    side = np.sign(result.positions.iloc[:, 0])
    held = pd.Series(0.0, last)
    for start, sign in data["p"]:
        held.iloc[start:] = sign
    assert held.loc[side.index[0] :].tolist() == side.reindex(last).dropna().tolist()


def test_the_page_says_how_many_bars_a_candle_holds(made, monkeypatch):
    assert price.price(made("hourly")).together == 1
    monkeypatch.setattr(price, "MOST_CANDLES", len(made("hourly").bars) // 2)
    assert price.price(made("hourly")).together == 5


def test_a_thinned_outline_keeps_its_extremes_and_short_ones_are_whole():
    values = np.random.default_rng(1).normal(size=100_001).cumsum()
    kept = figures._extremes(values)
    assert len(kept) <= figures.MOST_POINTS / 5
    assert {0, 100_000, values.argmin(), values.argmax()} <= set(kept)
    assert figures._extremes(values[:500]).tolist() == list(range(500))


def test_the_quick_rolling_sortino_is_quantstats_own():
    stats = pytest.importorskip("quantstats").stats
    returns = load_bars("SPY", "2015", "2017")["close"].pct_change().fillna(0.0)
    returns.iloc[200:350] = returns.iloc[200:350].abs()  # a window without a fall
    for annualize in (True, False):
        with np.errstate(divide="ignore"):
            theirs = stats.rolling_sortino(returns, 0, 63, annualize, 252, prepare_returns=False)
            ours = rolling_sortino(returns, 0, 63, annualize, 252)
        pd.testing.assert_series_equal(ours, theirs, check_names=False, rtol=1e-9)
