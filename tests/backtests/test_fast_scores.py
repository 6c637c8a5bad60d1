"""Many accounts scored at once: those of one at a time, and in C++ and numpy the same to the last bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast import EMA, Account, BuyAndHold, LongFlat, LongShort, Proportional, load_bars, run
from rollcast.backtests.account import compiled
from rollcast.backtests.account.fast_scores import score

built = pytest.mark.skipif(compiled.library() is None, reason="the accounts are not built: there was no compiler")
FIRST = 40


def forecasts(bars: pd.DataFrame, n: int = 9) -> np.ndarray:
    columns = np.column_stack([EMA(span=5 + 3 * k).predict(bars) for k in range(n)])
    columns[:FIRST] = np.nan
    return columns


def twins(*arguments, **options):
    """The same in C++ and in numpy."""
    with pytest.MonkeyPatch.context() as patch:
        fast = score(*arguments, **options)
        patch.setattr(compiled, "library", lambda: None)
        return fast, score(*arguments, **options)


@built
@settings(max_examples=40)
@given(
    st.integers(0, 10**6),
    st.sampled_from([BuyAndHold, LongFlat, LongShort, Proportional]),
    st.floats(0.001, 0.2),
    st.builds(Account, st.floats(1e3, 1e7), *[st.floats(0, 300)] * 4, fractional=st.booleans()),
)
def test_moments_in_cpp_are_those_of_numpy_to_the_last_bit_ruined_accounts_too(seed, strategy, volatility, account):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, volatility, 80)))
    opening = close * np.exp(rng.normal(0, volatility, 80))
    bars = pd.DataFrame({"open": opening, "high": np.maximum(opening, close), "low": np.minimum(opening, close),
                         "close": close, "volume": 1.0}, pd.bdate_range("2020", periods=80))  # fmt: skip
    signals = rng.normal(0, 1e-3, (80, 7))
    signals[: seed % 60] = np.nan
    fast, slow = twins(bars, signals, strategy, {}, account, seed % 60, 252, returns=True)
    assert np.array_equal(fast.returns, slow.returns)
    pd.testing.assert_frame_equal(fast.scores, slow.scores, check_exact=True)


@built
@pytest.mark.parametrize("threads", ["1", "2", "7"])
def test_no_bit_depends_on_threads_or_on_who_is_traded_beside_whom(monkeypatch, threads):
    bars = load_bars("SPY", "2019", "2020")
    table = forecasts(bars)
    together = score(bars, table, LongShort, {}, Account(), FIRST, 252, returns=True)
    monkeypatch.setenv("ROLLCAST_THREADS", threads)
    for k in range(table.shape[1]):
        alone = score(bars, table[:, k], LongShort, {}, Account(), FIRST, 252, returns=True)
        assert np.array_equal(alone.returns[:, 0], together.returns[:, k])
        pd.testing.assert_series_equal(alone.scores.iloc[0], together.scores.iloc[k], check_names=False)


@pytest.mark.parametrize("strategy", [BuyAndHold, LongFlat, LongShort, Proportional])
def test_the_scores_are_those_of_a_backtest(strategy):
    bars, account = load_bars("SPY", "2015", "2019"), Account(commission_bps=3, interest_bps=200, fractional=True)
    result = run(bars, EMA(span=20), strategy, account=account)
    ours = score(bars, result.forecast.reindex(bars.index), strategy, {}, account,
                 bars.index.get_loc(result.forecast.index[0]), 252).scores.iloc[0]  # fmt: skip
    theirs = result.metrics["strategy"]
    for name in set(ours.index) - {"too_small", "ruined"}:
        assert ours[name] == pytest.approx(theirs[name], rel=1e-9), name


def test_returns_are_kept_where_they_are_wanted_alone():
    bars = load_bars("SPY", "2019", "2020")
    table = forecasts(bars)
    assert score(bars, table, LongFlat, {}, Account(), FIRST, 252).returns.shape == (0, table.shape[1])
    kept = score(bars, table, LongFlat, {}, Account(), FIRST, 252, returns=True).returns
    assert kept.shape == (len(bars) - FIRST, table.shape[1])
