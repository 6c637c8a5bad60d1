"""Ruin: a short that can no longer be bought back, its cost included, ends the account, by hand and in both engines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.account import evaluate
from rollcast.backtests.account.engine import Account, simulate
from rollcast.strategies.long_short import LongShort

# Selling short 10,000 at a commission of 90 % leaves u = 10,000 / 1.9 / 100 = 52.63 units sold and a cash of
# 10,000 + 0.1 · 5,263 = 10,526, which buys them back, at 1.9 times the price, up to a price of 105.26.
ACCOUNT = Account(10_000, commission_bps=9000, slippage_bps=0, borrow_bps=0, fractional=True)
# So wide that nothing is traded to keep the position's size.
CHOSEN = {"tolerance": 0.3}


def market(opening: float) -> pd.DataFrame:
    """Ten bars at 100, but for one that opens elsewhere, and closes at 100 again."""
    bars = pd.DataFrame(100.0, pd.bdate_range("2021-01-04", periods=10), ["open", "high", "low", "close"])
    bars.iloc[6, [0, 1]] = opening
    return bars.assign(volume=0.0)


def forecast(bars: pd.DataFrame) -> pd.Series:
    return pd.Series(-0.01, bars.index)


def test_an_account_that_has_equity_but_not_the_cost_of_buying_back_is_wiped_out():
    bars = market(106.0)
    with pytest.raises(ValueError, match="wiped out on 2021-01-12"):
        simulate(bars, forecast(bars), LongShort, CHOSEN, ACCOUNT)
    fast = evaluate(bars, forecast(bars), LongShort, CHOSEN, ACCOUNT)
    assert fast.ruined.all()
    assert np.isfinite(fast.equity[:6]).all()
    assert np.isnan(fast.equity[6:]).all()


def test_an_account_that_can_still_buy_back_goes_on():
    bars = market(105.0)
    slow = simulate(bars, forecast(bars), LongShort, CHOSEN, ACCOUNT)
    fast = evaluate(bars, forecast(bars), LongShort, CHOSEN, ACCOUNT)
    assert not fast.ruined.any()
    np.testing.assert_array_equal(fast.equity[:, 0], slow.history["equity"])
    assert fast.equity[-1, 0] == pytest.approx(10_000 / 1.9, rel=1e-3)
