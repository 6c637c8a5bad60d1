"""Pooled learners: one slice is the plain learner, several are one regression or one net, and no future is in a fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from rollcast import Learner, WalkForward, load
from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.gate.verdict import LookAheadError
from rollcast.backtests.market.panel import Panel, load_panel
from rollcast.backtests.pipeline.forecasts import predict
from rollcast.predictors.features import Scale, features, lookbacks, next_returns
from rollcast.predictors.ols import OLSFeatures
from rollcast.predictors.pooled import Pooled, fit_many
from rollcast.predictors.recurrent import kernel, pooled
from rollcast.predictors.recurrent.jobs import Samples
from rollcast.predictors.recurrent.learner import Recurrent
from rollcast.predictors.recurrent.learners import GRU, LSTM, RNN, AttentionLSTM, BiLSTM
from rollcast.predictors.recurrent.window_jobs import Inputs, window_jobs
from rollcast.predictors.window import Window

NETS = [
    LSTM(seeds=2, epochs=4),
    GRU(seeds=1, epochs=4, loss="huber", hidden=8),
    LSTM(seeds=1, epochs=3, loss="gaussian", loss_on="last", lookback=8),
    BiLSTM(seeds=1, epochs=2, lookback=6),
    AttentionLSTM(seeds=1, epochs=2, lookback=6),
    RNN(seeds=1, epochs=4, weight_decay=0.1, clip=0.05),
]
needs_kernel = pytest.mark.skipif(not kernel.available(), reason="no compiled kernel here")


@pytest.fixture(scope="module")
def five() -> dict[str, pd.DataFrame]:
    return dict(list(load_panel("sp20", "2005", "2007").bars.items())[:5])


def jobs_of(learner: Recurrent, slices: list[pd.DataFrame]) -> list[tuple]:
    date = max(bars.index[-1] for bars in slices)
    windows = [Window(bars, 0, len(bars), len(bars)) for bars in slices]
    jobs = [window_jobs(learner, Inputs.of(w.bars, learner.features), w, date) for w in windows]
    return list(zip(*jobs, strict=True))


@pytest.mark.parametrize("learner", [OLSFeatures(lags=3), *NETS], ids=lambda learner: type(learner).__name__)
def test_pooling_one_symbol_is_walk_forward(spy, learner):
    bars = spy.loc["2007":"2008"]
    alone = WalkForward(learner, train=300, every=70).predict(bars)
    pool = Pooled(learner, train=300, every=70).predict({"SPY": bars})["SPY"]
    assert pool.isna().equals(alone.isna())
    np.testing.assert_allclose(pool.dropna(), alone.dropna(), atol=1e-3 * alone.std())


@needs_kernel
@pytest.mark.parametrize("learner", NETS, ids=lambda learner: type(learner).__name__)
def test_the_kernel_trains_pooled_nets_as_the_reference_does(five, learner):
    slices = [bars.iloc[i : 250 + 20 * i] for i, bars in enumerate(list(five.values())[:3])]
    for jobs in jobs_of(learner, slices):
        fast, slow = pooled.by_kernel(learner.plan(), jobs), pooled.by_torch(learner.plan(), jobs)
        # Adam divides by the size of a gradient: where that is rounding, so is the step.
        np.testing.assert_allclose(fast.weights, slow.weights, atol=3e-4)
        assert np.median(np.abs(fast.weights - slow.weights)) < 1e-6
        np.testing.assert_allclose(fast.losses, slow.losses, rtol=1e-4)


def test_no_sample_straddles_two_symbols(five):
    learner, slices = LSTM(seeds=1, lookback=10), [bars.iloc[:200] for bars in list(five.values())[:3]]
    (jobs,) = jobs_of(learner, slices)
    plan, one = pooled.stacked(learner.plan(), jobs)
    samples = Samples.of(plan, one)
    steps = learner.lookback - 1 + samples.stride
    first, last = (
        samples.training // 200,
        (samples.training + steps) // 200,
    )  # the last target is the bar after the last row
    assert (first == last).all()
    assert set(first) == {0, 1, 2}
    rows = samples.training[:, None] + np.arange(steps)
    assert (rows % 200).min() > 0  # a slice's first bar has no return
    assert np.isfinite(one.rows[rows]).all()
    assert np.isfinite(one.returns[rows + 1]).all()


def test_pooled_regression_is_least_squares_on_all_standardised_samples(five):
    slices = [bars.iloc[:400] for bars in five.values()]
    x, y = [], []
    for bars in slices:
        rows = features(bars)
        lagged = lookbacks(Scale.of(rows).apply(rows), 2)[1:-1].reshape(-1, 8)  # bars 2 to the last but one
        x.append(np.column_stack([np.ones(len(lagged)), lagged]))
        y.append(next_returns(bars)[2:-1])
    b = np.linalg.pinv(np.vstack(x)) @ np.concatenate([(one - one.mean()) / one.std() for one in y])
    for bars, model, one, design in zip(slices, fit_many(OLSFeatures(lags=2), slices), y, x, strict=True):
        forecast = model.predict(bars).iloc[2:-1]
        np.testing.assert_allclose(forecast, one.mean() + one.std() * (design @ b), rtol=1e-8, atol=1e-12)


def test_refits_are_dates_and_slices_end_on_them_whatever_the_calendars():
    frames = {
        "SPY": load_bars("SPY", "2014-10", "2016-06"),
        "BTC-USD": load_bars("BTC-USD", "2014-10", "2015-12"),
        "KO": load_bars("KO.sp20", "2015-06", "2016-06"),
    }
    pools = Pooled(OLSFeatures(), train=120, every=30).pools(frames)
    calendar = frames["SPY"].index.union(frames["BTC-USD"].index)
    for pool in pools:
        for symbol, window in pool.windows.items():
            assert window.training.index[-1] <= pool.date
            assert len(window.training) == 120
            rest = frames[symbol].index[frames[symbol].index > window.training.index[-1]]
            assert not len(rest) or rest[0] > pool.date
    assert pools[0].date == frames["BTC-USD"].index[119]
    assert set(np.diff(calendar.get_indexer([pool.date for pool in pools]))) == {30}
    assert "KO" not in pools[0].windows
    assert "KO" in pools[-1].windows
    assert "BTC-USD" not in pools[-1].windows
    for one, two in pairwise(pools):
        for symbol in set(one.windows) & set(two.windows):
            bars, stop = frames[symbol], one.windows[symbol].stop
            # A block ends where that of the next refit begins.
            assert bars.index[stop - 1] < two.date
            assert stop == len(bars) or two.date <= bars.index[stop]


def test_appending_bars_moves_no_earlier_forecast(five):
    model = Pooled(OLSFeatures(), train=200, every=21)
    whole = model.predict(five)
    cut = next(iter(five.values())).index[500]
    before = model.predict({symbol: bars.loc[:cut] for symbol, bars in five.items()})
    for symbol, series in before.items():
        pd.testing.assert_series_equal(series, whole[symbol].loc[:cut])


@dataclass
class Peeking(Learner):
    """A pooled learner that keeps the frames it is asked to forecast, and reads a bar past the block."""

    def fit(self, bars):
        return self

    def fit_many(self, slices):
        return [replace(self) for _ in slices]

    def predict(self, bars):
        return pd.Series(0.0, bars.index)

    def predict_block(self, window):
        close = np.log(window.bars["close"])
        return (close.shift(-1) - close).fillna(0.0).iloc[window.split - 1 : window.stop]


def test_the_gate_finds_a_pooled_learner_that_looks_ahead(five):
    panel = Panel("five", five)
    with pytest.raises(LookAheadError, match="looked 1 bar ahead"):
        predict(panel, WalkForward(Peeking(), 200, 21), pooled=True)
    marked = predict(panel, WalkForward(Peeking(), 200, 21), pooled=True, allow_lookahead=True)
    assert marked.verdict.leak
    verdict = predict(panel, WalkForward(OLSFeatures(), 200, 21), pooled=True).verdict
    assert verdict.leak is None
    assert 0 < verdict.bars < verdict.of
    assert f"probed at {verdict.bars:,} of {verdict.of:,} bars with {verdict.fits} of {verdict.windows} fits" in str(
        verdict
    )


def test_what_cannot_be_pooled_is_refused(five):
    with pytest.raises(TypeError, match="KalmanMLE cannot be trained on several symbols"):
        Pooled(load("kalman-mle"))
    with pytest.raises(TypeError, match="SMA is never trained"):
        predict(Panel("five", five), load("sma"), pooled=True)
    with pytest.raises(ValueError, match="set validation=0"):
        Pooled(LSTM(validation=0.2), 200).predict(five)
    with pytest.raises(ValueError, match="set warm=0"):
        Pooled(LSTM(warm=2), 200).predict(five)
    with pytest.raises(ValueError, match="no symbol has train=5000 bars"):
        Pooled(OLSFeatures(), 5000).predict(five)


def test_mini_batches_and_dropout_pool_too(five):
    net = LSTM(seeds=1, epochs=2, batch=16, dropout=0.2, hidden=4, lookback=5)
    frames = {symbol: bars.iloc[:260] for symbol, bars in list(five.items())[:2]}
    for series in Pooled(net, train=200, every=40).predict(frames).values():
        assert series.notna().sum() == 61
        assert series.std() > 0
