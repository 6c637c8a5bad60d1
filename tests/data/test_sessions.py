"""Sessions are honoured: no night is a return of a bar, unless it is asked for, and the account trades true prices."""

import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.data.calendars import session_starts
from rollcast.backtests.data.load import from_bars, load
from rollcast.backtests.data.options import DataOptions
from rollcast.backtests.data.sessions import nights, over_nights, spliced
from rollcast.backtests.gate.gate import examine
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.placebo.surrogates import SURROGATES, surrogate
from rollcast.predictors import load as predictor
from rollcast.predictors.bars import check_bars, log_returns
from rollcast.predictors.features import FEATURES, features

BARS = load("AAPL.1h").bars
PRICES = ["open", "high", "low", "close"]


def gapped(bars, place, factor):
    """The bars with everything from one on multiplied."""
    scale = np.where(np.arange(len(bars)) >= place, factor, 1.0)
    return bars.assign(**{price: bars[price] * scale for price in PRICES})


def test_the_first_return_of_a_session_is_that_of_its_own_bar():
    read, after = spliced(BARS), nights(BARS)
    own = np.log(BARS["close"] / BARS["open"]).iloc[after]
    np.testing.assert_allclose(log_returns(read).iloc[after], own, rtol=0, atol=1e-13)
    within = np.setdiff1d(np.arange(1, len(BARS)), after)
    np.testing.assert_allclose(log_returns(read).iloc[within], log_returns(BARS).iloc[within], rtol=0, atol=1e-13)
    np.testing.assert_allclose(read["open"].iloc[after], read["close"].iloc[after - 1], rtol=1e-13)
    check_bars(read)
    assert len(after) == session_starts(BARS.index).sum() - 1 == 500


@pytest.mark.parametrize("name", ["sma", "ema", "kalman", "ols"])
def test_a_forecast_is_blind_to_the_size_of_a_night_to_the_last_bit(name):
    wild = gapped(BARS, nights(BARS)[250], 2.0)  # a factor that does not round
    model = predictor(name)
    ours, theirs = (model.predict(from_bars(bars).model_bars) for bars in (BARS, wild))
    pd.testing.assert_series_equal(ours, theirs, check_exact=True)
    ours, theirs = (model.predict(from_bars(bars, overnight=True).model_bars) for bars in (BARS, wild))
    assert (ours != theirs).any()


def test_a_night_of_any_size_leaves_the_features_of_every_bar_but_for_rounding():
    wild = gapped(BARS, nights(BARS)[100], 0.83)
    ours, theirs = (features(from_bars(bars).model_bars) for bars in (BARS, wild))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_at_a_session_start_the_features_are_of_its_own_bar():
    after = nights(BARS)
    read = pd.DataFrame(features(spliced(BARS)), columns=list(FEATURES), index=BARS.index).iloc[after]
    bars = BARS.iloc[after]
    np.testing.assert_allclose(read["gap"], 0, atol=1e-13)
    np.testing.assert_allclose(read["return"], np.log(bars["close"] / bars["open"]), atol=1e-13)
    np.testing.assert_allclose(read["range"], np.log(bars["high"] / bars["low"]), atol=1e-13)


def test_later_bars_change_nothing_that_was_read_before():
    read = spliced(BARS)
    for stop in (2, 7, 8, 1000, 1001, 3000):
        pd.testing.assert_frame_equal(spliced(BARS.iloc[:stop]), read.iloc[:stop], check_exact=True)


def test_the_gate_passes_what_was_spliced():
    read = spliced(BARS)
    for model in (predictor("ema"), predictor("sma", window=20)):
        assert examine(model, read, model.predict(read)).leak is None


def test_bars_without_sessions_are_read_as_they_are():
    for symbol in ("SPY", "BTC-USD"):
        data = load(symbol)
        assert data.model_bars is data.bars


def test_what_was_done_about_nights_is_said():
    (left,) = load("AAPL.1h").statements
    assert left.startswith("500 nights are left out of what the predictor reads")
    data = load("AAPL.1h", DataOptions(overnight=True))
    assert data.statements == ("500 of 3476 returns are over a night, and read as they are, as asked",)
    assert data.model_bars is data.bars


@pytest.fixture(scope="module")
def runs():
    return {overnight: Request("ema", symbol="AAPL.1h", overnight=overnight).run() for overnight in (False, True)}


def test_the_account_trades_true_prices_and_the_forecast_is_scored_on_what_was_read(runs):
    honoured, fed = runs[False], runs[True]
    pd.testing.assert_frame_equal(honoured.bars, fed.bars)
    assert honoured.recipe["bars"]["sha256"] == fed.recipe["bars"]["sha256"]
    np.testing.assert_array_equal(honoured.history["benchmark"], fed.history["benchmark"])
    fills = honoured.orders.set_index("date")["price"] / BARS["open"].reindex(honoured.orders["date"])
    assert fills.sub(1).abs().max() < 1.01e-4
    outcome = log_returns(honoured.model_bars).shift(-1).reindex(honoured.forecast.index)
    assert honoured.metrics["forecast"]["ic"] == pytest.approx(honoured.forecast.corr(outcome), rel=1e-9)


def test_the_price_forecast_after_a_night_starts_from_the_open(runs):
    from rollcast.backtests.sheet.price import chart_data, price_forecast

    result = runs[False]
    after = BARS.index[nights(BARS)][300]
    before = result.forecast.shift(1)[after]
    assert price_forecast(result)[after] == pytest.approx(BARS["open"][after] * np.exp(before), rel=1e-9)
    at = result.forecast.index.get_loc(after) - 1
    told = BARS["close"].shift(1)[after] * np.exp(chart_data(result)["f"][at] / 1e6)
    assert told == pytest.approx(price_forecast(result)[after], rel=1e-6)


def test_nights_that_are_put_back_are_the_bars_there_were():
    gaps = (BARS["open"] / BARS["close"].shift(1)).iloc[nights(BARS)].to_numpy()
    again = over_nights(spliced(BARS), gaps)
    np.testing.assert_allclose(again[PRICES], BARS[PRICES], rtol=1e-12)


@pytest.mark.parametrize("null", SURROGATES)
def test_a_surrogate_of_bars_with_sessions_keeps_its_nights_between_sessions(null):
    made, after = surrogate(BARS, null, 3), nights(BARS)
    check_bars(made)
    ours, theirs = (np.log(bars["open"] / bars["close"].shift(1)).iloc[after] for bars in (made, BARS))
    # A bar that was drawn for a session's first brings its own gap of a hundredth of a night.
    assert ours.std() == pytest.approx(theirs.std(), rel=0.02)
    inside = np.setdiff1d(np.arange(1, len(BARS)), after)
    gap = np.log(made["open"] / made["close"].shift(1))
    assert gap.iloc[inside].abs().max() < 0.02 < gap.iloc[after].abs().max()
    assert made["close"].iloc[-1] == pytest.approx(BARS["close"].iloc[-1], rel=0.05)
