"""Measures of skill against statsmodels, scipy, plain formulas, and what must hold of any forecast."""

from __future__ import annotations

import math
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast import load
from rollcast.backtests.account.scores import forecast_scores
from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.evidence.skill import diebold_mariano, equal_losses, hac_slope, rolling_skill, skill, wilson
from rollcast.predictors.bars import random_walk

SEEDS = st.integers(0, 10**6)


def traded(symbol: str, span: float = 20) -> tuple[pd.Series, pd.Series, np.ndarray, np.ndarray]:
    """An EMA's forecasts, the closes, and both sides of its known forecasts."""
    bars = load_bars(symbol).iloc[-3000:]
    forecast = load("ema", span=span).predict(bars)
    log = np.log(bars["close"].to_numpy())
    f, y = forecast.to_numpy()[:-1], np.diff(log)
    return forecast, bars["close"], f[~np.isnan(f)], y[~np.isnan(f)]


def made_up(seed: int, n: int = 200, information: float = 0.2) -> tuple[pd.Series, pd.Series]:
    """A random walk and a forecast that knows a little of its next return."""
    close = random_walk(n, seed=seed)["close"]
    outcome = np.log(close).diff().shift(-1)
    noise = np.random.default_rng(seed).normal(0, 0.01, n)
    return (information * outcome + noise).where(outcome.notna()), close


def numbers(scores: dict) -> dict[str, float]:
    """All numbers of a skill by one key each, those in lists included."""
    flat = {key: value for key, value in scores.items() if not isinstance(value, list)}
    for name in ("calibration", "decay"):
        flat |= {f"{name}_{k}_{key}": value for k, row in enumerate(scores[name]) for key, value in row.items()}
    return flat


# --- against others ---


@pytest.mark.parametrize("symbol", ["SPY", "BTC-USD", "AAPL.1h"])
def test_information_coefficients_equal_statsmodels_and_scipys(symbol):
    import statsmodels.api as sm
    from scipy import stats

    forecast, close, f, y = traded(symbol)
    ours = skill(forecast, close)
    lags = int(4 * (len(f) / 100) ** (2 / 9))
    for name, a, b in (("ic", f, y), ("rank_ic", stats.rankdata(f), stats.rankdata(y))):
        theirs = sm.OLS(b, sm.add_constant(a)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
        assert ours[f"{name}_t"] == pytest.approx(theirs.tvalues[1], rel=1e-10)
        assert ours[f"{name}_p"] == pytest.approx(theirs.pvalues[1], rel=1e-9)
        if name == "ic":
            assert ours["calibration_slope"] == pytest.approx(theirs.params[1], rel=1e-10)
            assert ours["calibration_slope_se"] == pytest.approx(theirs.bse[1], rel=1e-10)
    assert ours["ic"] == pytest.approx(stats.pearsonr(f, y).statistic, rel=1e-10)
    assert ours["rank_ic"] == pytest.approx(stats.spearmanr(f, y).statistic, rel=1e-10)


@pytest.mark.parametrize("symbol", ["SPY", "BTC-USD", "AAPL.1h"])
def test_skill_agrees_with_the_scores_of_a_run(symbol):
    forecast, close, *_ = traded(symbol)
    ours, scores = skill(forecast, close), forecast_scores(forecast, close.to_frame())
    assert {key: ours[key] for key in scores} == pytest.approx(scores, rel=1e-10)


@pytest.mark.parametrize("symbol", ["SPY", "AAPL.1h"])
def test_measures_equal_their_plain_formulas(symbol):
    from scipy import stats

    forecast, close, f, y = traded(symbol)
    ours = skill(forecast, close)
    opinion = (f != 0) & (y != 0)
    hits = int((np.sign(f) == np.sign(y))[opinion].sum())
    interval = stats.binomtest(hits, int(opinion.sum())).proportion_ci(method="wilson")
    before, after = close.to_numpy()[-len(f) - 1 : -1], close.to_numpy()[-len(f) :]
    priced = before * np.exp(f)
    dm, cw = stats.ttest_1samp(y**2 - (y - f) ** 2, 0, alternative="greater"), stats.ttest_1samp(2 * f * y, 0)
    expected = {
        "rmse_bps": 1e4 * np.sqrt(((y - f) ** 2).mean()),
        "naive_rmse_bps": 1e4 * np.sqrt((y**2).mean()),
        "opinions": opinion.sum(),
        "hit_rate": hits / opinion.sum(),
        "hit_rate_low": interval.low,
        "hit_rate_high": interval.high,
        "base_rate": (y[opinion] > 0).mean(),
        "dm": dm.statistic,  # at horizon 1 the small-sample correction makes it the t of the mean
        "dm_p": dm.pvalue,
        "cw": cw.statistic,
        "cw_p": stats.norm.sf(cw.statistic),
        "copy_r2": 1 - np.var(priced - before) / np.var(priced),
        "copy_actual_r2": 1 - ((after - priced) ** 2).sum() / ((after - after.mean()) ** 2).sum(),
        "naive_price_r2": 1 - ((after - before) ** 2).sum() / ((after - after.mean()) ** 2).sum(),
    }
    assert {key: ours[key] for key in expected} == pytest.approx(expected, rel=1e-9)


def test_the_price_forecast_of_an_average_looks_accurate_and_so_does_yesterdays_price():
    forecast, close, *_ = traded("SPY", span=50)
    ours = skill(forecast, close)
    assert ours["r2"] < 0
    assert min(ours["copy_r2"], ours["copy_actual_r2"]) > 0.99
    assert ours["naive_price_r2"] > ours["copy_actual_r2"]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.floats(0, 1))
def test_wilson_equals_scipys(n, share):
    from scipy import stats

    hits = round(share * n)
    interval = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits, n) == pytest.approx((interval.low, interval.high), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(10, 400))
def test_hac_slope_equals_statsmodels(seed, n):
    import statsmodels.api as sm

    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(size=n)) * 0.1
    y = 0.3 * x + np.convolve(rng.standard_t(4, n + 4), np.ones(5), "valid")
    lags = int(4 * (n / 100) ** (2 / 9))
    theirs = sm.OLS(y, sm.add_constant(x)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    assert hac_slope(y, x) == pytest.approx((theirs.params[1], theirs.bse[1]), rel=1e-9)


# --- Diebold and Mariano ---


def test_diebold_mariano_at_a_longer_horizon_is_the_corrected_formula():
    from scipy import stats

    rng = np.random.default_rng(3)
    a, b = np.convolve(rng.normal(size=103), np.ones(4), "valid"), rng.normal(1, 1, 100)
    d, n, h = a**2 - b**2, 100, 4
    gamma = [np.mean((d[k:] - d.mean()) * (d[: n - k] - d.mean())) * (n - k) / n for k in range(h)]
    plain = d.mean() / math.sqrt((gamma[0] + 2 * sum(gamma[1:])) / n)
    corrected = plain * math.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    assert diebold_mariano(a, b, horizon=h) == pytest.approx((corrected, 2 * stats.t.sf(abs(corrected), n - 1)))


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.integers(2, 100))
def test_diebold_mariano_changes_sign_with_the_order_of_the_forecasts(seed, n):
    a, b = np.random.default_rng(seed).normal(size=(2, n))
    statistic, p = diebold_mariano(a, b)
    assert diebold_mariano(b, a) == pytest.approx((-statistic, p))
    assert 0 <= p <= 1
    assert (statistic > 0) == (np.mean(a**2) > np.mean(b**2))


def test_diebold_mariano_rejects_as_often_as_it_says():
    rng = np.random.default_rng(0)
    p = np.array([diebold_mariano(*rng.normal(size=(2, 40)))[1] for _ in range(2000)])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.015)
    assert np.mean(p < 0.5) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("difference", [[], [1.0], [0.0] * 9, [1 / 3] * 9])
def test_losses_that_differ_by_nothing_or_a_constant_have_no_statistic(difference):
    assert all(math.isnan(x) for x in equal_losses(np.array(difference)))


# --- what must hold ---


def test_a_perfect_forecast_explains_everything():
    _, close = made_up(1)
    outcome = np.log(close).diff().shift(-1)
    ours = skill(outcome, close)
    perfect = ("r2", "ic", "rank_ic", "hit_rate", "copy_actual_r2", "calibration_slope")
    assert [ours[name] for name in perfect] == pytest.approx([1] * 6)
    assert ours["rmse_bps"] == 0
    assert max(ours["dm_p"], ours["cw_p"]) < 1e-9
    for row in ours["calibration"]:
        assert row["forecast_bps"] == pytest.approx(row["outcome_bps"])


def test_a_forecast_of_zero_is_the_naive_forecast():
    _, close = made_up(2)
    ours = skill(0 * close, close)
    assert ours["r2"] == 0
    assert ours["rmse_bps"] == ours["naive_rmse_bps"]
    assert ours["copy_r2"] == 1
    assert ours["copy_actual_r2"] == pytest.approx(ours["naive_price_r2"])
    assert ours["opinions"] == 0
    undefined = ["ic", "ic_t", "ic_p", "rank_ic", "hit_rate", "hit_rate_low", "base_rate", "dm", "dm_p", "cw", "cw_p"]
    assert all(math.isnan(ours[name]) for name in [*undefined, "calibration_slope", "calibration_slope_se"])
    assert [row["forecasts"] for row in ours["calibration"]] == [199]


@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.0007, -1e-4, 1e-9])
def test_a_constant_forecast_has_no_correlation_with_anything(value):
    _, close = made_up(3)
    ours = skill(pd.Series(value, close.index), close)
    assert all(math.isnan(ours[name]) for name in ("ic", "ic_t", "rank_ic", "calibration_slope"))
    assert all(math.isnan(row["ic"]) and math.isnan(row["low"]) for row in ours["decay"])
    assert ours["hit_rate"] == pytest.approx(ours["base_rate"] if value > 0 else 1 - ours["base_rate"])


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(1e-3, 1e3))
def test_the_currency_of_the_price_changes_nothing(seed, scale):
    forecast, close = made_up(seed)
    ours, scaled = numbers(skill(forecast, close)), numbers(skill(forecast, close * scale))
    assert scaled == pytest.approx(ours, rel=1e-6, abs=1e-9, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_the_opposite_forecast_has_the_opposite_skill(seed):
    forecast, close = made_up(seed)
    ours, opposite = skill(forecast, close), skill(-forecast, close)
    for name in ("ic", "ic_t", "rank_ic", "rank_ic_t", "cw", "calibration_slope"):
        assert opposite[name] == pytest.approx(-ours[name], rel=1e-9, abs=1e-12)
    assert opposite["hit_rate"] == pytest.approx(1 - ours["hit_rate"])
    assert opposite["hit_rate_low"] == pytest.approx(1 - ours["hit_rate_high"])
    assert opposite["cw_p"] == pytest.approx(1 - ours["cw_p"])
    for name in ("ic_p", "calibration_slope_se", "naive_rmse_bps", "base_rate"):
        assert opposite[name] == pytest.approx(ours[name])


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(0.1, 50))
def test_a_forecasts_size_changes_its_calibration_and_not_its_correlation(seed, size):
    forecast, close = made_up(seed)
    ours, larger = skill(forecast, close), skill(size * forecast, close)
    for name in ("ic", "ic_t", "rank_ic_t", "hit_rate", "cw"):
        assert larger[name] == pytest.approx(ours[name], rel=1e-9, abs=1e-12)
    assert larger["calibration_slope"] == pytest.approx(ours["calibration_slope"] / size)
    assert [row["outcome_bps"] for row in larger["calibration"]] == pytest.approx(
        [row["outcome_bps"] for row in ours["calibration"]]
    )


def test_forecasts_without_an_outcome_are_left_out_and_a_part_of_the_dates_is_enough():
    forecast, close, *_ = traded("SPY")
    assert skill(forecast, close)["forecasts"] == forecast.notna().sum() - 1
    part = forecast.iloc[500:1000]
    assert numbers(skill(part, close)) == pytest.approx(numbers(skill(part.reindex(close.index), close)), nan_ok=True)
    assert skill(part, close)["forecasts"] == 500


def test_a_forecast_on_a_date_without_a_close_is_refused():
    forecast, close = made_up(4)
    with pytest.raises(ValueError, match="expected forecasts on dates of the close, got one on 2000-01-04"):
        skill(forecast, close.drop(close.index[1]))


@pytest.mark.parametrize("known", [0, 1, 2, 3, 4])
def test_skill_of_almost_nothing_is_nan_and_not_an_error(known):
    forecast, close = made_up(5, 30)
    ours = skill(forecast.where(np.arange(30) < known), close)
    assert ours["forecasts"] == known
    assert math.isnan(ours["ic"]) == (known < 2)
    assert math.isnan(ours["ic_t"]) == (known < 3)
    assert sum(row["forecasts"] for row in ours["calibration"]) == known
    assert len(ours["decay"]) == 20


def test_skill_in_a_market_that_stands_still_is_not_defined():
    forecast, close = made_up(6)
    ours = skill(forecast, 0 * close + 100)
    for name in ("r2", "ic", "ic_t", "rank_ic", "hit_rate", "cw", "copy_actual_r2", "naive_price_r2"):
        assert math.isnan(ours[name]), name


# --- calibration, decay, rolling ---


def test_calibration_groups_are_pandas_deciles_and_their_intervals_hold_the_mean():
    forecast, close, f, y = traded("SPY")
    tenth = pd.qcut(f, 10, labels=False)
    rows = skill(forecast, close)["calibration"]
    assert [row["quantile"] for row in rows] == list(range(1, 11))
    for k, row in enumerate(rows):
        inside = y[tenth == k]
        error = 1.959964 * inside.std(ddof=1) / math.sqrt(len(inside))
        assert abs(row["forecasts"] - len(inside)) <= 1
        assert row["outcome_bps"] == pytest.approx(1e4 * inside.mean(), abs=0.5)
        assert row["high_bps"] - row["low_bps"] == pytest.approx(2e4 * error, rel=0.02)
        assert row["forecast_bps"] == pytest.approx(1e4 * f[tenth == k].mean(), abs=0.2)


def test_equal_forecasts_are_never_split_between_calibration_groups():
    forecast, close = made_up(7, 301)
    rows = skill(np.sign(forecast) * 0.01, close)["calibration"]
    assert [row["forecast_bps"] for row in rows] == pytest.approx([-100, 100])
    assert sum(row["forecasts"] for row in rows) == 300


def test_decay_is_the_correlation_with_each_later_return():
    forecast, close, *_ = traded("SPY")
    log = np.log(close)
    for row in skill(forecast, close)["decay"]:
        later = log.diff().shift(-row["lag"])
        assert row["ic"] == pytest.approx(forecast.corr(later), rel=1e-9)
        assert row["low"] < row["ic"] < row["high"]


def test_decay_at_lag_one_is_the_information_coefficient_and_its_interval_the_test():
    forecast, close = made_up(8, information=0.1)
    ours = skill(forecast, close)
    first = ours["decay"][0]
    assert first["ic"] == pytest.approx(ours["ic"])
    assert (first["high"] - first["low"]) / 2 == pytest.approx(1.959964 * ours["ic"] / ours["ic_t"], rel=1e-6)


@pytest.mark.parametrize("span", [None, 90])
def test_rolling_skill_is_the_skill_of_each_span(span):
    forecast, close, f, _ = traded("SPY")
    rolling = rolling_skill(forecast, close, span)
    span = span or len(f) // 20
    assert len(rolling) == len(f) - span + 1
    assert rolling.index[-1] == close.index[-2]
    for date in rolling.index[[0, 700, -1]]:
        whole = skill(forecast[:date].iloc[-span:], close)
        assert rolling.loc[date].to_dict() == pytest.approx({"ic": whole["ic"], "r2": whole["r2"]}, rel=1e-8)


def test_rolling_skill_of_a_forecast_that_stands_still_has_no_correlation():
    forecast, close = made_up(9)
    rolling = rolling_skill(forecast.where(close.index < close.index[100], 0.01), close, 50)
    assert rolling["ic"].iloc[:51].notna().all()
    assert rolling["ic"].iloc[100:].isna().all()
    assert rolling["r2"].notna().all()


def test_rolling_skill_of_too_few_forecasts_is_empty():
    forecast, close = made_up(10, 30)
    assert list(rolling_skill(forecast, close).columns) == ["ic", "r2"]
    assert rolling_skill(forecast, close).empty


def test_clark_and_west_find_knowledge_that_the_squared_error_hides():
    # A forecast that knows a little but says it too loudly loses to zero, and still knows.
    forecast, close = made_up(11, 4000, information=0.1)
    ours = skill(forecast, close)
    assert ours["r2"] < 0
    assert ours["dm_p"] > 0.9
    assert ours["cw_p"] < 0.01


@pytest.mark.timed
def test_skill_of_six_thousand_bars_takes_a_twentieth_of_a_second(spy):
    forecast = load("ema", span=50).predict(spy)
    skill(forecast, spy["close"])
    begun = time.process_time()
    skill(forecast, spy["close"])
    assert time.process_time() - begun < 0.05
