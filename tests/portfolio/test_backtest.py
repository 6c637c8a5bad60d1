"""A portfolio's backtest from end to end."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from rollcast import Learner, Predictor, WalkForward, load
from rollcast.backtests.account.engine import Account
from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.gate.verdict import LookAheadError
from rollcast.backtests.market.panel import Panel, load_panel
from rollcast.backtests.pipeline import backtest, forecasts
from rollcast.backtests.pipeline.backtest import run, trade
from rollcast.backtests.pipeline.forecasts import predict
from rollcast.backtests.pipeline.result import Result
from rollcast.predictors import BUILT_IN
from rollcast.predictors.bars import check_bars
from rollcast.predictors.ols import OLSFeatures
from rollcast.predictors.recurrent.learners import LSTM
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.portfolio.top_k import TopK

SMALL = {"seeds": 1, "epochs": 1, "hidden": 4, "lookback": 5}


@pytest.fixture(scope="module", autouse=True)
def one_symbol_is_probed():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecasts, "NAMES", 1)
        yield


def predictor_named(name: str) -> Predictor:
    """A built-in, small enough to be trained on twenty names."""
    nets = ("lstm", "gru", "rnn", "stacked-lstm", "bilstm", "attention-lstm")
    model = load(name, **(SMALL if name in nets else {}))
    return WalkForward(model, train=200, every=60) if isinstance(model, Learner) else model


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_predictor_trades_the_bundled_panel(name):
    panel = load_panel("sp20", "2006", "2007-03")
    result = run(panel, predictor_named(name), TopK)
    assert result.metrics["panel"]["forecast_names"] == 20
    assert result.recipe["look_ahead"]["passed"]
    assert result.metrics["strategy"]["rejected"] == 0
    assert result.equity.iloc[-1] > 0
    if name != "naive":
        assert abs(result.metrics["panel"]["rank_ic"]["mean"]) < 0.2
        assert len(result.orders) > 20


@pytest.mark.parametrize("learner", [OLSFeatures(), LSTM(seeds=2, epochs=2)], ids=["ols", "lstm"])
def test_a_symbols_forecasts_are_those_of_a_run_of_its_own_to_the_last_bit(learner):
    spans = {"SPY": ("2014", "2016"), "BTC-USD": ("2014-09", "2016"), "KO.sp20": ("2013", "2015")}
    panel = Panel("mixed", {symbol: load_bars(symbol, *span) for symbol, span in spans.items()})
    model = WalkForward(learner, train=300, every=50)
    table = predict(panel, model).table
    for symbol, bars in panel.bars.items():
        alone = backtest.predict(bars, model).series
        pd.testing.assert_series_equal(table[symbol].reindex(bars.index), alone, check_exact=True, check_names=False)
        assert table[symbol].drop(bars.index).isna().all()


@pytest.fixture(scope="module")
def five() -> Result:
    account = Account(interest_bps=100)
    return run(load_panel("us5", "2007"), load("ema", span=50), TopK, {"k": 2, "short": True}, account)


def test_a_result_of_a_panel_is_a_result(five):
    assert five.history.index[0] == five.forecasts.notna().any(axis=1).idxmax()
    check_bars(five.bars)
    assert five.bars.index[0] < five.history.index[0]
    assert five.forecast.index.equals(five.history.index)
    assert five.forecast.notna().all()
    for key in ("strategy", "benchmark", "forecast", "panel", "bars_per_year", "unreachable_targets"):
        assert key in five.metrics
    assert set(five.metrics["strategy"]) == set(five.metrics["benchmark"])
    worth = (five.positions * five.market.panel.table("close").ffill().loc[five.history.index[0] :]).sum(axis=1)
    np.testing.assert_allclose(worth + five.history["cash"], five.equity, rtol=1e-12)
    assert set(five.history) == {"equity", "cash", "benchmark"}


def test_trades_are_round_trips_of_one_symbol_each(five):
    gains = five.trades.groupby("symbol")["pnl"].sum()
    parts = five.metrics["panel"]["contribution"]
    for symbol in five.market.panel.symbols:
        assert gains.get(symbol, 0.0) / 100_000 == pytest.approx(parts[symbol], abs=1e-9)
    assert sum(parts.values()) == pytest.approx(five.metrics["strategy"]["total_return"], abs=1e-9)


def test_a_saved_result_is_loaded_as_it_was(five, tmp_path):
    five.save(tmp_path)
    again = Result.load(tmp_path)
    for name in ("bars", "history", "forecasts", "positions"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(five, name), check_freq=False)
    for symbol, bars in five.market.panel.bars.items():
        pd.testing.assert_frame_equal(again.market.panel.bars[symbol], bars, check_freq=False)
    assert again.metrics["panel"]["rank_ic"] == five.metrics["panel"]["rank_ic"]
    assert json.loads((tmp_path / "recipe.json").read_text())["bars"]["symbols"]["FB"]["count"] == 196


def test_the_same_forecasts_can_be_traded_again_by_another_rule_and_from_a_later_date(five):
    found = predict(five.market.panel, load("ema", span=50))
    again = trade(found, TopK, {"k": 2, "short": True}, Account(interest_bps=100))
    pd.testing.assert_frame_equal(again.history, five.history, check_exact=True)
    later = trade(found.since(pd.Timestamp("2009-06-01")), LongFlat)
    assert later.history.index[0] == pd.Timestamp("2009-06-01")
    assert later.history["equity"].iloc[0] == 100_000
    with pytest.raises(ValueError, match="no forecast for any name"):
        found.since(pd.Timestamp("2030-01-01"))


def test_a_symbol_too_short_to_train_on_has_no_forecast_and_is_never_held():
    result = run(load_panel("us5", "2011"), WalkForward(OLSFeatures(), train=250), LongShort)
    assert result.forecasts["FB"].isna().all()
    assert (result.positions["FB"] == 0).all()
    assert result.metrics["panel"]["forecast_names"] == 4
    with pytest.raises(ValueError, match="no symbol has more than train=5000 bars"):
        run(load_panel("us5"), WalkForward(OLSFeatures(), train=5000), TopK)


def test_a_predictor_that_looks_ahead_is_stopped_at_the_gate():
    class Tomorrow(Predictor):
        def predict(self, bars):
            return np.log(bars["close"]).diff().shift(-1).fillna(0.0)

    panel = load_panel("us5", "2011")
    with pytest.raises(LookAheadError, match="looks ahead"):
        run(panel, Tomorrow(), TopK)


def test_what_cannot_be_traded_is_refused():
    with pytest.raises(TypeError, match="expected a Predictor"):
        predict(load_panel("us5"), OLSFeatures())


@pytest.mark.slow
def test_a_pooled_net_trades_the_whole_panel():
    panel = load_panel("sp20", "2000", "2008")
    result = run(panel, WalkForward(LSTM(), train=750, every=125), TopK, {"short": True}, pooled=True)
    assert result.recipe["predictor"]["class"] == "Pooled"
    assert result.recipe["look_ahead"]["passed"]
    assert result.training is not None
    assert result.training.windows["loss"].notna().all()
    assert result.metrics["strategy"]["rejected"] == 0
    assert abs(result.metrics["panel"]["rank_ic"]["t"]) < 6
