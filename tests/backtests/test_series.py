"""Returns survive packing, and a projection tells how alike they are."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.evidence.luck import expected_maximum
from rollcast.backtests.ledger.series import RUIN, effective, pack, projection, unpack


@st.composite
def returns(draw) -> pd.Series:
    """Simple returns on some of the bars of a real market or of a grid of minutes."""
    if draw(st.booleans()):
        index = load_bars(draw(st.sampled_from(["SPY", "BTC-USD", "AAPL.1h"]))).index
    else:
        index = pd.date_range("1969-12-31 23:00", periods=5000, freq=f"{draw(st.integers(1, 90))}min")
    first = draw(st.integers(0, len(index) - 50))
    index = index[first : draw(st.integers(first + 2, len(index)))]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return pd.Series(rng.normal(0, 0.01, len(index)), index)


@settings(max_examples=60)
@given(returns())
def test_packed_returns_keep_their_dates_and_a_two_hundredth_of_their_deviation(r):
    minutes, values = unpack(pack(r))
    np.testing.assert_array_equal(minutes, r.index.as_unit("s").asi8 // 60)
    logs = np.log1p(r.to_numpy())
    assert np.abs(values - logs).max() <= 0.5001 * max(logs.std() / 200, np.abs(logs).max() / 32767)


def test_a_return_a_bar_takes_less_than_one_and_a_half_bytes(spy):
    r = spy["close"].pct_change().iloc[1:]
    assert len(pack(r)) < 1.6 * len(r)


def test_a_ruin_and_a_price_a_thousand_times_too_high_leave_the_other_returns_exact_enough(spy):
    r = spy["close"].pct_change().iloc[1:].copy()
    r.iloc[100], r.iloc[200] = 999.0, RUIN
    _, values = unpack(pack(r))
    others = np.delete(np.arange(len(r)), [100, 200])
    error = values[others] - np.log1p(r.to_numpy()[others])
    assert error.std() < 0.04 * np.log1p(r.to_numpy()[others]).std()


def test_a_line_that_never_moves_has_no_projection():
    minutes = np.arange(100) * 1440
    assert projection(minutes, np.zeros(100)) is None
    assert projection(minutes, np.full(100, 0.01)) is None


def test_projections_are_correlated_as_the_returns_are():
    close = pd.DataFrame({s: load_bars(s)["close"] for s in ("SPY", "AAPL", "IBM", "GOOG", "MSFT")})
    r = np.log(close).diff().loc["2005":"2012"]
    minutes = r.index.as_unit("s").asi8 // 60
    table = np.array([np.frombuffer(projection(minutes, r[s].to_numpy()), np.int8) for s in r], float)
    np.testing.assert_allclose(table @ table.T / 30**2 / 256, r.corr(), atol=0.2)


def normals(count: int, rho: float = 0.0, bars: int = 2500) -> list[bytes]:
    rng = np.random.default_rng(1)
    x = np.sqrt(rho) * rng.normal(size=(bars, 1)) + np.sqrt(1 - rho) * rng.normal(size=(bars, count))
    return [projection(np.arange(bars) * 1440, column) for column in x.T]


@pytest.mark.parametrize("count", [3, 10, 100, 1000])
def test_independent_trials_are_as_many_as_there_are(count):
    assert effective(normals(count)) == pytest.approx(count, rel=0.3)


@pytest.mark.parametrize("rho", [0.3, 0.7, 0.95])
def test_alike_trials_are_as_many_as_have_their_expected_maximum(rho):
    """E[max] of N equicorrelated normals is √(1-ρ) of that of independent ones."""
    found = effective(normals(200, rho))
    assert expected_maximum(found) == pytest.approx(np.sqrt(1 - rho) * expected_maximum(200), rel=0.1)


@given(st.lists(st.integers(0, 39), min_size=1, max_size=30), st.integers(0, 39))
def test_one_trial_more_is_never_fewer_effective_ones_and_a_copy_none_more(chosen, another):
    table = normals(20, 0.5, 300) + normals(20, 0.0, 300)
    some = [table[k] for k in chosen]
    assert effective([*some, table[another]]) >= effective(some)
    assert effective([*some, some[0]]) == effective(some)
    assert effective(some[::-1]) == effective(some)
