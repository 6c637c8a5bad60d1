"""The indicator gives a cerebro of one's own the predictor's forecast, in every engine mode."""

import itertools

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

from rollcast import WalkForward, load
from rollcast.backtests.data.bars import load_bars
from rollcast.strategies.indicator import Forecast

MODES = [
    {"runonce": runonce, "preload": preload, "exactbars": exactbars}
    for runonce, preload, exactbars in itertools.product((True, False), (True, False), (False, 1, -1))
]


class Reader(bt.Strategy):
    """Writes down the forecast at every bar."""

    params = (("predictor", None),)

    def __init__(self):
        self.forecast = Forecast(self.data, predictor=self.p.predictor)
        self.read = []

    def next(self):
        self.read.append(self.forecast[0])


def read(bars, predictor, **modes):
    cerebro = bt.Cerebro(stdstats=False, **modes)
    cerebro.adddata(bt.feeds.PandasData(dataname=bars))
    cerebro.addstrategy(Reader, predictor=predictor)
    return np.array(cerebro.run()[0].read)


@pytest.mark.parametrize("modes", MODES, ids=lambda m: "-".join(f"{k}={v}" for k, v in m.items()))
@pytest.mark.parametrize("symbol", ["SPY", "AAPL.1h"])
def test_the_indicator_is_the_forecast_in_every_mode(modes, symbol):
    bars = load_bars(symbol).iloc[:150]
    predictor = load("sma", window=20)
    np.testing.assert_allclose(read(bars, predictor, **modes), predictor.predict(bars), rtol=0, atol=1e-13)


def test_a_walk_forward_forecasts_in_a_cerebro_of_ones_own():
    bars = load_bars("SPY").iloc[:400]
    predictor = WalkForward(load("ols-features"), train=200)
    np.testing.assert_array_equal(read(bars, predictor), predictor.predict(bars))


def test_the_predictor_sees_the_dates_of_the_feed():
    class Dates:
        def predict(self, bars):
            self.seen = bars.index
            return bars["close"]

    bars, dates = load_bars("AAPL.1h").iloc[:300], Dates()
    read(bars, dates)
    pd.testing.assert_index_equal(dates.seen, bars.index, check_names=False, exact="equiv")


def test_a_feed_without_volume_reads_as_none():
    bars = load_bars("SPY").iloc[:60].assign(volume=np.nan)
    assert np.isfinite(read(bars, load("sma", window=20))[19:]).all()


def test_forgetting_the_predictor_says_what_is_missing():
    with pytest.raises(TypeError, match="Forecast needs predictor="):
        read(load_bars("SPY").iloc[:60], None)
