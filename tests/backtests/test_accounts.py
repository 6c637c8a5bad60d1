"""Many accounts at once: each equal, to the last bit, to what backtrader makes of it alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from rollcast.backtests.account import Evaluation, Prices, compiled, evaluate, supports
from rollcast.backtests.account.engine import Account, Simulation, simulate
from rollcast.backtests.data.bars import load_bars
from rollcast.predictors.ema import EMA
from rollcast.predictors.sma import SMA
from rollcast.strategies import BUILT_IN
from rollcast.strategies.buy_and_hold import BuyAndHold
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.proportional import Proportional
from rollcast.strategies.rule import NameRule
from rollcast.strategies.sizing import Ruined

RULES = [BuyAndHold, LongFlat, LongShort, Proportional]
ACCOUNTS = [
    Account(commission_bps=0, slippage_bps=0, borrow_bps=0),
    Account(),
    Account(1e6, commission_bps=50, slippage_bps=30, borrow_bps=800, interest_bps=500),
    Account(12_345.67, commission_bps=10, slippage_bps=5, borrow_bps=200, interest_bps=300, fractional=True),
    Account(5_000, borrow_bps=0, interest_bps=400),
]

BUILT = pytest.param(compiled.library, id="compiled", marks=pytest.mark.skipif(
    compiled.library() is None, reason="the accounts are not built: there was no compiler"))  # fmt: skip


@pytest.fixture(scope="module", autouse=True, params=[BUILT, pytest.param(lambda: None, id="numpy")])
def library(request):
    """Every test holds for both twins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "library", request.param)
        yield


def assert_same(fast: Evaluation, i: int, slow: Simulation) -> None:
    """Variant i is the simulation: histories to the last bit, sums to the rounding of a sum."""
    for name in ("equity", "cash", "units"):
        ours, theirs = getattr(fast, name)[:, i], slow.history[name].to_numpy(float)
        assert np.array_equal(ours, theirs), (name, np.abs(ours - theirs).max())
    assert not fast.ruined[i]
    assert fast.orders[i] == len(slow.orders)
    assert (slow.orders["status"] == "completed").all()
    assert fast.too_small[i] == slow.too_small
    assert fast.traded[i] == pytest.approx(slow.orders["value"].abs().sum(), rel=1e-12)
    assert fast.commission[i] == pytest.approx(slow.orders["commission"].sum(), rel=1e-12)
    # A difference of two prices, which backtrader rounds once more.
    assert fast.slippage[i] == pytest.approx(slow.orders["slippage"].sum(), rel=1e-9, abs=1e-12 * fast.traded[i])


# --- against backtrader ---


@pytest.mark.parametrize("strategy", RULES)
@pytest.mark.parametrize(
    ("symbol", "start", "end"),
    [
        ("SPY", "2007", "2010"),
        ("BTC-USD", "2017", "2018"),
        ("AAPL.1h", "2025-01", "2025-06"),
        ("AAPL.sp20", "2000", "2001"),
    ],
)
def test_every_account_is_backtraders_on_real_bars(symbol, start, end, strategy):
    bars = load_bars(symbol, start, end)
    forecast = EMA(span=10).predict(bars)
    fast = evaluate(bars, forecast, strategy, {}, ACCOUNTS)
    for i, account in enumerate(ACCOUNTS):
        assert_same(fast, i, simulate(bars, forecast, strategy, {}, account))


@pytest.mark.parametrize("strategy", [LongFlat, LongShort])
def test_every_account_is_backtraders_over_all_of_spy(spy, strategy):
    forecast, account = EMA(span=20).predict(spy), Account(borrow_bps=0, interest_bps=200)
    fast = evaluate(spy, forecast, strategy, {}, account)
    assert_same(fast, 0, simulate(spy, forecast, strategy, {}, account))


def market(seed: int, n: int, volatility: float, price: float, freq: str) -> pd.DataFrame:
    """Bars that gap overnight as far as they move by day, one of them ten times as far."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(0, volatility, 2 * n)
    moves[rng.integers(2 * n)] *= 10
    path = price * np.exp(np.cumsum(np.clip(moves, -3, 3)))
    opening, close = path[::2], path[1::2]
    columns = {"open": opening, "high": np.maximum(opening, close), "low": np.minimum(opening, close), "close": close}
    return pd.DataFrame(columns, index=pd.date_range("2021-01-01", periods=n, freq=freq)).assign(volume=0.0)


def parameters(strategy: type[NameRule]) -> st.SearchStrategy[dict[str, Any]]:
    tolerance = st.sampled_from([0.0, 0.02, 0.1, 0.3])
    if strategy is BuyAndHold:
        return st.fixed_dictionaries({"tolerance": tolerance})
    if strategy is Proportional:
        return st.fixed_dictionaries(
            {
                "tolerance": tolerance,
                "volatility_bps": st.floats(0, 500),
                "span": st.integers(2, 80),
                "cap": st.sampled_from([0.0, 0.5, 1.0]),
                "short": st.booleans(),
            }
        )
    return st.fixed_dictionaries(
        {
            "tolerance": tolerance,
            "dead_band_bps": st.sampled_from([0.0, 1.0, 10.0]),
            "exposure": st.sampled_from([0.0, 0.35, 0.7, 1.0]),
        }
    )


costs = st.one_of(st.just(0.0), st.floats(0, 100), st.floats(0, 3000))
books = st.builds(
    Account,
    cash=st.floats(100, 1e8),
    commission_bps=costs,
    slippage_bps=costs,
    borrow_bps=costs,
    interest_bps=costs,
    fractional=st.booleans(),
)
variants = st.sampled_from(RULES).flatmap(
    lambda s: st.tuples(
        st.just(s), st.lists(st.tuples(parameters(s), books, st.integers(0, 4)), min_size=1, max_size=4)
    )
)
markets = st.builds(
    market,
    st.integers(0, 10**6),
    st.integers(1, 60),
    st.sampled_from([0.0, 0.001, 0.02, 0.2]),
    st.sampled_from([1e-6, 0.3, 100.0, 40_000.0]),
    st.sampled_from(["D", "B", "h", "W"]),
)
STILL = market(0, 30, 0.0, 100.0, "D")


@settings(max_examples=60, deadline=None)
@given(markets, variants, st.integers(0, 10**6))
@example(STILL, (LongShort, [({"tolerance": 0.0}, Account(1e4, 7, 3, fractional=True), 0)]), 3)
@example(market(4, 40, 0.2, 100.0, "D"), (LongShort, [({}, Account(), 0), ({}, Account(fractional=True), 1)]), 5)
def test_every_variant_is_backtraders_on_any_market(bars, chosen, seed):
    strategy, rows = chosen
    rng = np.random.default_rng(seed)
    forecast = rng.normal(0, 1e-3, len(bars)) * (rng.random(len(bars)) < 0.8)
    forecast[: seed % 7] = np.nan
    settings_, accounts, delays = (list(x) for x in zip(*rows, strict=True))
    settings_ = [p if p.get("exposure", 1) > p.get("tolerance", 0.1) else p | {"exposure": 0.0} for p in settings_]
    fast = evaluate(bars, forecast, strategy, settings_, accounts, delays)
    for i, (p, account, delay) in enumerate(zip(settings_, accounts, delays, strict=True)):
        held_back = pd.Series(forecast, index=bars.index).shift(delay)
        try:
            slow = simulate(bars, held_back, strategy, p, account)
        except Ruined:
            assert fast.ruined[i]
        else:
            # Beyond 2^53 a float no longer holds every whole unit.
            assume(not slow.orders["units"].abs().gt(2**53).any())
            assert_same(fast, i, slow)


@pytest.mark.parametrize("strategy", [LongFlat, LongShort])
def test_a_change_of_less_than_a_unit_is_no_order_and_not_too_small_a_target(strategy):
    bars = load_bars("SPY", "2015", "2015")
    forecast, account = EMA(span=40).predict(bars), Account(1_000)
    slow = simulate(bars, forecast, strategy, {"exposure": 0.7, "tolerance": 0.0}, account)
    fast = evaluate(bars, forecast, strategy, {"exposure": 0.7, "tolerance": 0.0}, account)
    assert_same(fast, 0, slow)
    held = slow.history["units"] != 0
    assert fast.too_small[0] == 0 < held.sum() - fast.orders[0]


def test_a_position_within_the_tolerance_of_nothing_is_still_given_up():
    bars = market(0, 12, 0.0, 100.0, "D")
    bars.iloc[5:, :4] = 60.0
    forecast = pd.Series(np.r_[np.full(8, 0.01), np.full(4, -0.01)], index=bars.index)
    chosen = {"exposure": 0.35, "tolerance": 0.3}
    fast = evaluate(bars, forecast, LongFlat, chosen)
    assert fast.units[8, 0] * 60.0 / fast.equity[8, 0] < 0.3
    assert fast.units[9:, 0].tolist() == [0.0] * 3
    assert_same(fast, 0, simulate(bars, forecast, LongFlat, chosen))


def test_proportional_waits_for_a_market_that_has_not_moved_yet():
    bars = market(0, 40, 0.0, 100.0, "D")
    bars.iloc[10:] = market(1, 30, 0.02, 100.0, "D").to_numpy()
    forecast = pd.Series(np.random.default_rng(2).normal(0, 1e-3, 40), index=bars.index)
    fast = evaluate(bars, forecast, Proportional)
    assert not fast.units[:10].any()
    assert fast.units[11:].any()
    assert_same(fast, 0, simulate(bars, forecast, Proportional))


# --- what variants share, and what they do not ---


def test_each_column_of_forecasts_is_its_own_variant(spy):
    bars = spy.loc["2019":"2020"]
    columns = pd.DataFrame({w: SMA(window=w).predict(bars) for w in (5, 20, 100)})
    fast = evaluate(bars, columns, LongFlat, [{"dead_band_bps": b} for b in (0.0, 1.0, 3.0)])
    for i, (window, band) in enumerate(zip((5, 20, 100), (0.0, 1.0, 3.0), strict=True)):
        assert_same(fast, i, simulate(bars, columns[window], LongFlat, {"dead_band_bps": band}))


@pytest.mark.parametrize("strategy", RULES)
def test_each_market_is_its_own_variant(strategy):
    several = [load_bars(symbol, "2005", "2006") for symbol in ("AAPL", "IBM", "MSFT")]
    opening, close = (np.column_stack([b[name] for b in several]) for name in ("open", "close"))
    forecasts = np.column_stack([EMA(span=5).predict(b) for b in several])
    fast = evaluate(Prices(several[0].index, opening, close), forecasts, strategy)
    for i, bars in enumerate(several):
        assert_same(fast, i, simulate(bars, pd.Series(forecasts[:, i], index=bars.index), strategy))


def test_a_variant_does_not_depend_on_its_company(spy, monkeypatch):
    bars = spy.loc["2019":]
    forecasts = np.column_stack([SMA(window=w).predict(bars) for w in range(2, 12)])
    together = evaluate(bars, forecasts, Proportional)
    monkeypatch.setattr("rollcast.backtests.account.fast_accounts.BLOCK", 3)
    in_blocks = evaluate(bars, forecasts, Proportional)
    alone = [evaluate(bars, forecasts[:, i], Proportional) for i in range(10)]
    for name in Evaluation.__dataclass_fields__:
        assert np.array_equal(getattr(in_blocks, name), getattr(together, name)), name
        assert np.array_equal(np.concatenate([getattr(a, name) for a in alone], axis=-1), getattr(together, name)), name


@pytest.mark.parametrize("delay", [1, 3])
def test_a_delay_fills_every_order_of_a_band_rule_that_many_bars_later(spy, delay):
    bars = spy.loc["2018":"2019"]
    fast = evaluate(bars, EMA(span=20).predict(bars), LongFlat, {}, Account(), [0, delay])
    held = fast.units != 0
    assert held[:, 0].any()
    assert np.array_equal(held[delay:, 1], held[:-delay, 0])


# --- ruin ---


def test_a_wiped_out_account_is_nan_from_there_on_and_the_others_trade_on():
    bars = market(0, 20, 0.0, 100.0, "D")
    bars.iloc[10:, :4] = 250.0
    forecast = pd.Series(-0.01, index=bars.index)
    with pytest.raises(Ruined, match="wiped out on 2021-01-11"):
        simulate(bars, forecast, LongShort)
    fast = evaluate(bars, forecast, LongShort, [{}, {"exposure": 0.2}])
    assert fast.ruined.tolist() == [True, False]
    for history in (fast.equity, fast.cash, fast.units):
        assert np.isfinite(history[:10]).all()
        assert np.isnan(history[10:, 0]).all()
    assert_same(fast, 1, simulate(bars, forecast, LongShort, {"exposure": 0.2}))
    assert fast.orders[0] == 1


def test_an_account_under_water_at_a_close_is_over_though_the_next_open_would_save_it():
    bars = market(0, 20, 0.0, 100.0, "D")
    bars.iloc[10, 1] = bars.iloc[10, 3] = 250.0
    forecast = pd.Series(-0.01, index=bars.index).where(np.arange(20) >= 9)  # so that the order fills at that very open
    with pytest.raises(Ruined, match="wiped out on 2021-01-11"):
        simulate(bars, forecast, LongShort)
    fast = evaluate(bars, forecast, LongShort)
    assert fast.ruined.all()
    assert np.isfinite(fast.equity[:10]).all()
    assert np.isnan(fast.equity[10:]).all()
    assert fast.orders.tolist() == [1]


# --- what is refused ---


def test_every_built_in_rule_is_supported_and_no_subclass_of_one_is():
    from rollcast import STRATEGIES

    assert all(supports(STRATEGIES.find(name)) for name in BUILT_IN)

    class Contrarian(LongFlat):
        def decide(self, state):
            return super().decide(replace(state, forecast=-state.forecast))

    assert not supports(Contrarian)
    bars = market(0, 5, 0.01, 100.0, "D")
    with pytest.raises(TypeError, match="Contrarian has no fast rule"):
        evaluate(bars, np.zeros(5), Contrarian)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parameters": {"exposure": 2.0}}, "exposure must be at least 0 and at most 1; got 2"),
        ({"accounts": [Account()] * 2, "delays": [0, 1, 2]}, "there are 3 variants, .* 1 or 3 accounts; got 2"),
        ({"forecasts": np.zeros(4)}, r"forecasts must be \(5,\) or \(5, N\); got \(4,\)"),
        ({"forecasts": pd.Series(np.zeros(5))}, "same dates"),
        ({"accounts": Account(commission_bps=9000, slippage_bps=9000)}, "less than 100 %"),
        ({"delays": -1}, "a delay must be at least 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments, message):
    bars = market(0, 5, 0.01, 100.0, "D")
    with pytest.raises(ValueError, match=message):
        evaluate(bars, **{"forecasts": np.zeros(5), "strategy": LongFlat} | arguments)


def test_an_unknown_parameter_is_a_type_error_as_it_is_for_backtrader():
    bars = market(0, 5, 0.01, 100.0, "D")
    with pytest.raises(TypeError):
        simulate(bars, pd.Series(0.0, index=bars.index), LongFlat, {"deadband": 1.0})
    with pytest.raises(TypeError, match="LongFlat has no parameter 'deadband'"):
        evaluate(bars, np.zeros(5), LongFlat, {"deadband": 1.0})


def test_prices_of_different_shape_or_sign_are_refused():
    index = pd.date_range("2020", periods=3)
    with pytest.raises(ValueError, match="open and close"):
        Prices(index, np.ones((3, 2)), np.ones(3))
    with pytest.raises(ValueError, match="not positive"):
        Prices(index, np.ones(3), np.array([1.0, 0.0, 1.0]))
