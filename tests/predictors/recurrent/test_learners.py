"""The recurrent learners as learners: windows in, one forecast for each bar out."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rollcast import Learner, WalkForward, load
from rollcast.predictors.recurrent.learners import LSTM

NET = LSTM(lookback=8, hidden=8, epochs=5, seeds=2)


@pytest.fixture(params=["kernel", "reference"])
def way(request):
    if request.param == "reference":
        request.getfixturevalue("without_kernel")
    return request.param


def test_training_together_equals_training_one_after_another(way, market, monkeypatch):
    monkeypatch.setenv("ROLLCAST_THREADS", "1")
    windows = WalkForward(NET, train=150, every=21).windows(market.iloc[:220])
    together, alone = dict(NET.forecast(windows)), dict(Learner.forecast(NET, windows))
    for k in range(len(windows)):
        pd.testing.assert_series_equal(together[k], alone[k], check_freq=False, check_names=False, rtol=0, atol=1e-9)


def test_the_past_forecast_is_the_same_bytes_with_and_without_a_future(market):
    walk = WalkForward(NET, train=150, every=21)
    now, later = walk.predict(market.iloc[:230]), walk.predict(market.iloc[:300])
    assert later.iloc[:230].to_numpy().tobytes() == now.to_numpy().tobytes()


def test_two_runs_give_the_same_bytes(market):
    one, two = (WalkForward(NET, train=150).predict(market.iloc[:230]) for _ in range(2))
    assert one.to_numpy().tobytes() == two.to_numpy().tobytes()


def test_the_forecast_is_the_mean_over_the_nets(market):
    windows = WalkForward(NET, train=150).windows(market.iloc[:200])
    forecasts, nets = dict(NET.forecast(windows)), dict(NET.forecast_nets(windows))
    for k, window in enumerate(windows):
        assert nets[k].members.shape == (window.block, 2, 1)
        assert (nets[k].spread > 0).all()
        np.testing.assert_array_equal(forecasts[k], nets[k].members[:, :, 0].mean(axis=1))


def test_a_forecast_needs_one_bar_more_than_the_lookback(market):
    forecast = NET.fit(market.iloc[:150]).predict(market.iloc[:150])
    assert forecast.isna().sum() == NET.lookback
    assert forecast.iloc[NET.lookback :].notna().all()
    assert NET.predict(market.iloc[: NET.lookback]).isna().all()


def test_windows_of_two_markets_are_trained_in_one_call(market, spy):
    walk = WalkForward(NET, train=150)
    windows = [*walk.windows(market.iloc[:200]), *walk.windows(spy.iloc[:200])]
    for k, forecast in NET.forecast(windows):
        expected = dict(NET.forecast(windows[k : k + 1]))[0]
        pd.testing.assert_series_equal(forecast, expected)


def test_bars_before_1970_are_bars(market):
    old = market.iloc[:170].set_axis(pd.bdate_range("1960-01-04", periods=170))
    assert WalkForward(NET, train=150).predict(old).notna().sum() == 21


def test_a_training_slice_shorter_than_the_lookback_needs_is_refused(market):
    with pytest.raises(ValueError, match="leave nothing to train on in 9 bars"):
        NET.fit(market.iloc[:9])
    assert NET.fit(market.iloc[:10]).predict(market.iloc[:20]).notna().sum() == 12


@pytest.mark.parametrize("loss_on", ["last", "sequence"])
def test_a_diverged_net_stops_the_run_and_names_the_date(way, market, monkeypatch, loss_on):
    monkeypatch.setenv("ROLLCAST_THREADS", "1")
    poisoned = poison(replace(NET, loss_on=loss_on))
    with pytest.raises(FloatingPointError, match=rf"window fitted on {market.index[149]} is not a number"):
        WalkForward(poisoned, train=150).predict(market.iloc[:160])


def test_a_diverged_net_may_forecast_the_slices_mean(way, market, monkeypatch):
    monkeypatch.setenv("ROLLCAST_THREADS", "1")
    bars = market.iloc[:160]
    forecast = WalkForward(poison(replace(NET, diverged="mean")), train=150).predict(bars)
    mean = np.log(bars["close"]).diff().iloc[1:150].mean()
    np.testing.assert_allclose(forecast.iloc[149:], mean)


def poison(net):
    """A learner whose first weights are not numbers."""

    class Poisoned(LSTM):
        def jobs(self, windows):
            nan = np.full(self.plan().parameters, np.nan, np.float32)
            order, jobs = super().jobs(windows)
            return order, [replace(job, weights=nan) for job in jobs]

    return Poisoned(**{name: getattr(net, name) for name in net.__dataclass_fields__})


def test_reading_the_fields_imports_no_torch_and_loads_no_kernel():
    code = (
        "import sys\n"
        "from rollcast.predictors.registry import PREDICTORS, dataclass_parameters\n"
        "dataclass_parameters(PREDICTORS.find('lstm'))\n"
        "from rollcast.predictors.recurrent import kernel\n"
        "print('torch' in sys.modules, kernel.builds.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "0"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("lookback", 0, "lookback must be at least 1"),
        ("hidden", 2.5, "hidden must be a whole number"),
        ("lr", 0.0, "lr must be above 0"),
        ("clip", -1.0, "clip must be above 0"),
        ("weight_decay", -0.1, "weight_decay must be at least 0"),
        ("loss_on", "first", "loss_on must be one of last, sequence"),
        ("seeds", 0, "seeds must be at least 1"),
        ("device", "gpu", "device must be one of auto, cpu, cuda"),
        ("features", ("return", "return"), "features must be one or more of"),
    ],
)
def test_a_wrong_field_is_refused_by_name(field, value, message):
    with pytest.raises((ValueError, TypeError), match=message):
        LSTM(**{field: value})


NETS = ["rnn", "gru", "lstm", "stacked-lstm", "bilstm", "attention-lstm"]


@pytest.mark.parametrize("name", NETS)
def test_every_net_is_found_by_its_name_and_forecasts(market, name):
    net = load(name, lookback=8, hidden=8, epochs=3, seeds=2)
    forecast = WalkForward(net, train=150).predict(market.iloc[:200])
    assert forecast.notna().sum() == 51
    alone = net.fit(market.iloc[:150]).predict(market.iloc[:170])
    np.testing.assert_allclose(forecast.iloc[149:170], alone.iloc[149:], atol=1e-9)


def test_no_two_nets_give_the_same_forecast(market):
    forecasts = [load(n, lookback=8, hidden=8, epochs=3, seeds=1).fit(market.iloc[:150]).predict(market) for n in NETS]
    for i, one in enumerate(forecasts):
        assert all(not np.allclose(one.dropna(), other.dropna()) for other in forecasts[:i])


@pytest.mark.parametrize("name", NETS)
def test_a_net_learns_a_rule_that_is_there(name):
    # Tomorrow's return is 0.6 of today's and noise: the best forecast correlates 0.6 with what comes.
    rng = np.random.default_rng(3)
    noise, returns = 0.01 * rng.standard_normal(900), np.zeros(900)
    for t in range(1, 900):
        returns[t] = 0.6 * returns[t - 1] + noise[t]
    close = 100 * np.exp(np.cumsum(returns))
    bars = pd.DataFrame({c: close for c in ("open", "high", "low", "close")}, pd.bdate_range("2000-01-03", periods=900))
    net = load(name, lookback=10, epochs=40, lr=0.01, seeds=2, features=("return",))
    forecast = WalkForward(net, train=500, every=100).predict(bars.assign(volume=1.0))
    assert forecast.iloc[:-1].corr(pd.Series(returns, bars.index).shift(-1)) > 0.5


def test_a_gaussian_net_learns_how_much_returns_vary():
    rng = np.random.default_rng(4)
    volatility = np.where(np.arange(1200) // 60 % 2, 0.02, 0.005)
    close = 100 * np.exp(np.cumsum(volatility * rng.standard_normal(1200)))
    columns = {"open": close, "high": close * np.exp(volatility), "low": close * np.exp(-volatility), "close": close}
    bars = pd.DataFrame(columns, pd.bdate_range("2000-01-03", periods=1200)).assign(volume=1.0)
    net = LSTM(lookback=10, loss="gaussian", epochs=40, lr=0.01, seeds=2).fit(bars.iloc[:1000])
    deviation = net.predict_nets(bars).deviation[1000 - net.lookback :]
    calm, wild = (deviation[volatility[1000:] == v].mean() for v in (0.005, 0.02))
    assert calm == pytest.approx(0.005, rel=0.5)
    assert wild == pytest.approx(0.02, rel=0.5)


def test_only_a_gaussian_net_forecasts_a_deviation(market):
    with pytest.raises(ValueError, match="only a net with loss=gaussian"):
        _ = NET.fit(market.iloc[:150]).predict_nets(market).deviation


def test_warm_windows_start_from_the_one_before_in_every_market(market, spy):
    warm = replace(NET, warm=2)
    walk = WalkForward(warm, train=150)
    windows = [
        w for pair in zip(walk.windows(market.iloc[:200]), walk.windows(spy.iloc[:200]), strict=True) for w in pair
    ]
    mixed, cold = dict(warm.forecast(windows)), dict(NET.forecast(windows))
    for first in (0, 1):
        alone = dict(warm.forecast(windows[first::2]))
        for k, forecast in alone.items():
            pd.testing.assert_series_equal(forecast, mixed[first + 2 * k])
        pd.testing.assert_series_equal(mixed[first], cold[first])
        assert not np.allclose(mixed[first + 2], cold[first + 2])


@pytest.mark.parametrize(("target", "mean", "std"), [("std", 0.0, None), ("raw", 0.0, 1.0)])
def test_the_target_is_scaled_as_asked(market, target, mean, std):
    net = replace(NET, target=target).fit(market.iloc[:150])
    returns = np.log(market["close"]).diff().iloc[1:150]
    assert net.scale_[-1, 0] == mean
    assert net.scale_[-1, 1] == pytest.approx(std or returns.std(ddof=0))
