"""find_leak: what it sees, what it says about it, and what it does not hold against an honest predictor."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.predictors.bars import COLUMNS, check_bars, log_returns, random_walk
from rollcast.predictors.checks.lookahead import find_leak, tolerance
from rollcast.predictors.checks.perturbations import PERTURBATIONS, PRICES, VOLUME, changed, eventful_market

BARS = eventful_market(60)


def momentum(bars):
    return log_returns(bars).rolling(5).mean()


def peeking(bars, ahead=1, share=1.0, column="close"):
    """Momentum and a share of what this column does later."""
    return momentum(bars) + share * np.log(bars[column]).diff().shift(-ahead).fillna(0.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 120), st.integers(0, 10_000))
def test_the_eventful_market_is_bars(n, seed):
    bars = eventful_market(n, seed)
    check_bars(bars)
    assert len(bars) == n


def test_the_eventful_market_has_jumps_busy_days_missing_days_and_a_turn_of_the_year():
    bars = eventful_market(45)
    assert bars.index[-10].year < bars.index[-1].year
    assert (bars["volume"] > 3 * bars["volume"].median()).any()
    assert (np.abs(log_returns(bars)) > 0.04).any()
    assert len(pd.bdate_range(bars.index[0], bars.index[-1])) > len(bars)


@pytest.mark.parametrize("name", [t for t in PERTURBATIONS if "NaN" not in t])
def test_perturbed_bars_are_bars_and_the_earlier_ones_are_untouched(name):
    perturbed = PERTURBATIONS[name](BARS, 40)
    check_bars(perturbed)
    pd.testing.assert_frame_equal(perturbed.iloc[:40], BARS.iloc[:40], check_freq=False, check_dtype=False)


@pytest.mark.parametrize("name", [t for t in PERTURBATIONS if t != "cut off"])
def test_prices_and_volume_are_perturbed_apart(name):
    others = VOLUME if "price" in name else PRICES
    pd.testing.assert_frame_equal(PERTURBATIONS[name](BARS, 40)[list(others)], BARS[list(others)], check_dtype=False)


def test_changed_prices_change_every_price_and_every_range():
    perturbed = changed(BARS, 40, COLUMNS).iloc[40:]
    assert (perturbed["close"] != BARS["close"].iloc[40:]).all()
    assert (perturbed["high"] / perturbed["low"] != BARS["high"].iloc[40:] / BARS["low"].iloc[40:]).all()


def test_an_honest_forecast_has_no_leak():
    assert find_leak(momentum, BARS) is None


@pytest.mark.parametrize("name", PERTURBATIONS)
@pytest.mark.parametrize("ahead", [1, 2, 9])
def test_a_leak_has_its_first_bar_its_reach_its_column_and_its_size(name, ahead):
    column = "volume" if "volume" in name else "close"
    leak = find_leak(partial(peeking, ahead=ahead, column=column), BARS, perturbations=[name])
    assert leak is not None
    assert leak.date == BARS.index[5]  # the first number of a momentum of five returns
    assert (leak.ahead, leak.columns, leak.noise) == (ahead, (column,), 0.0)
    assert leak.size > 1e-5
    assert leak.cut > 5


def test_the_sentence_says_all_of_it():
    text = str(find_leak(peeking, BARS, perturbations=["cut off"]))
    assert text == (
        "the forecast at 2003-10-16 looked 1 bar ahead, reading close: it moved by 0.0341 when the bars after the "
        "first 6 were cut off (by 0 when only run again)"
    )


def test_dependence_on_the_number_of_bars_is_not_mistaken_for_reading_values():
    leak = find_leak(lambda bars: momentum(bars) / len(bars), BARS)
    assert leak is not None
    assert leak.columns == ()
    assert "reading how many bars there are" in str(leak)
    assert (
        find_leak(
            lambda bars: momentum(bars) / len(bars), BARS, perturbations=[t for t in PERTURBATIONS if t != "cut off"]
        )
        is None
    )


def test_a_leak_at_one_single_bar_is_found_wherever_it_is():
    for at in range(6, len(BARS) - 1):
        date = BARS.index[at]
        leak = find_leak(
            lambda b, date=date: momentum(b).where(b.index != date, peeking(b)), BARS, perturbations=["cut off"]
        )
        assert leak is not None
        assert (leak.date, leak.cut) == (date, at + 1)


@pytest.mark.parametrize("share", [1e-3, 1e-6])
def test_a_leak_of_a_millionth_is_found_in_exact_forecasts(share):
    assert find_leak(partial(peeking, share=share), BARS) is not None


def test_noise_of_re_running_is_measured_and_hides_what_is_smaller():
    rng = np.random.default_rng(0)

    def noisy(bars, share):
        return peeking(bars, share=share) + rng.normal(0, 1e-4, len(bars))

    assert find_leak(partial(noisy, share=0.0), BARS) is None
    leak = find_leak(partial(noisy, share=1.0), BARS)
    assert leak is not None
    assert leak.noise > 1e-4


def test_rounding_that_depends_on_the_number_of_bars_is_no_leak():
    def float32(bars):
        return momentum(bars) * (1 + np.float64(np.float32(1 + 1e-7 * len(bars)) - 1))

    assert find_leak(float32, BARS) is None
    assert find_leak(lambda bars: momentum(bars) * (1 + 1e-2 * len(bars)), BARS) is not None


def test_nan_spread_by_a_product_of_matrices_is_no_leak():
    def product(bars):
        return pd.Series(np.tril(np.ones((len(bars), len(bars)))) @ np.log(bars["close"].to_numpy()), index=bars.index)

    assert product(PERTURBATIONS["given NaN prices"](BARS, 40)).isna().all()
    assert find_leak(product, BARS, perturbations=["given NaN prices"]) is None


def test_a_predictor_may_refuse_bars_that_are_too_few_but_not_all_of_them():
    def long_only(bars, least):
        if len(bars) < least:
            raise ValueError(f"needs {least} bars")
        return peeking(bars)

    assert find_leak(partial(long_only, least=50), BARS, perturbations=["cut off"]) is not None
    with pytest.raises(ValueError, match="needs 60 bars"):
        find_leak(partial(long_only, least=60), BARS, perturbations=["cut off"])


def test_tolerance_is_eight_times_the_noise_or_a_billionth_of_the_size():
    assert tolerance(np.array([np.nan, 3.0, 4.0, -3.0, -4.0]), 0.0) == pytest.approx(np.sqrt(12.5) * 1e-9)
    assert tolerance(np.array([1.0]), 0.5) == 4.0
    assert tolerance(np.array([np.nan]), 0.0) > 0


def test_bars_come_back_untouched():
    bars = random_walk(60)
    before = bars.copy()
    find_leak(peeking, bars)
    pd.testing.assert_frame_equal(bars, before)
