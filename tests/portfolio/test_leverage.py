"""Leverage: refused when decided, or borrowed for at a price, alike in both engines and the replay."""

from __future__ import annotations

import dataclasses

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.account.engine import Account, simulate
from rollcast.backtests.account.panel_engine import simulate_panel
from rollcast.backtests.account.replay import Stage, replay
from rollcast.backtests.market.panel import Panel
from rollcast.predictors.bars import random_walk
from rollcast.predictors.ema import EMA
from rollcast.strategies.base import ForecastStrategy
from rollcast.strategies.rule import NameRule, Rule
from rollcast.strategies.sizing import Ruined


@dataclasses.dataclass
class Times(NameRule):
    """So many times the account while the forecast is above zero, out below."""

    weight: float = 2.0

    def decide(self, state):
        return self.weight if state.forecast > 0 else 0.0


@dataclasses.dataclass
class Each(Rule):
    """The same weight of every name with a forecast."""

    weight: float = 0.8

    def decide(self, state):
        return np.where(np.isnan(state.forecasts) | ~state.listed, 0.0, self.weight)


class Old(ForecastStrategy):
    def decide(self, forecast):
        return 2.0


def still(n: int) -> pd.DataFrame:
    index = pd.date_range("2021-01-01", periods=n)
    return pd.DataFrame(100.0, index, ["open", "high", "low", "close"]).assign(volume=0.0)


@pytest.mark.parametrize(("strategy", "name"), [(Times, "Times"), (Old, "Old")])
def test_weights_beyond_the_account_are_refused_when_decided(strategy, name):
    bars = random_walk(20)
    message = rf"{name} wants weights of 2 times the equity on 2000-01-03, and the account may hold 1; .*--leverage"
    with pytest.raises(ValueError, match=message):
        simulate(bars, pd.Series(0.01, bars.index), strategy)
    table = pd.DataFrame(0.01, bars.index, ["A", "B"])
    panel = Panel("two", {"A": bars, "B": bars})
    for one in (lambda: simulate_panel(panel, table, Each), lambda: replay(Stage(panel), table.to_numpy(), Each)):
        with pytest.raises(ValueError, match=r"Each wants weights of 1\.6 times .* may hold 1"):
            one()


@dataclasses.dataclass
class Constant(Rule):
    """The same decision at every close."""

    decision: object = None

    def decide(self, state):
        return self.decision


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (0.5, r"Constant gave weights of shape \(\), not \(2,\)"),
        (np.array([0.5]), r"Constant gave weights of shape \(1,\), not \(2,\)"),
        (np.full(3, 0.1), r"Constant gave weights of shape \(3,\), not \(2,\)"),
        (np.array([0.5, np.nan]), "Constant wants a weight that is not a number on 2000-01-03"),
        (np.array([0.5, np.inf]), "Constant wants weights of inf times the equity"),
    ],
)
def test_a_decision_that_is_no_weight_for_each_name_is_refused(decision, message):
    bars = random_walk(20)
    panel, table = Panel("two", {"A": bars, "B": bars}), pd.DataFrame(0.01, bars.index, ["A", "B"])
    for trade in (
        lambda: simulate_panel(panel, table, Constant(decision=decision)),
        lambda: replay(Stage(panel), table.to_numpy(), Constant(decision=decision)),
    ):
        with pytest.raises(ValueError, match=message):
            trade()


@pytest.mark.parametrize("fractional", [False, True])
@pytest.mark.parametrize("strategy", [Times, Old])
def test_a_weight_that_is_not_a_number_is_refused(strategy, fractional, monkeypatch):
    bars = random_walk(20)
    monkeypatch.setattr(strategy, "decide", lambda rule, known: np.nan)
    with pytest.raises(ValueError, match=f"{strategy.__name__} wants a weight that is not a number on 2000-01-03"):
        simulate(bars, pd.Series(0.01, bars.index), strategy, {}, Account(fractional=fractional))


@dataclasses.dataclass
class Centred(Rule):
    """Takes the mean off the forecasts in place."""

    def decide(self, state):
        state.forecasts -= state.forecasts.mean()
        return np.zeros(2)


def test_a_rule_cannot_change_what_later_accounts_trade_on():
    bars = random_walk(20)
    panel, table = Panel("two", {"A": bars, "B": bars}), pd.DataFrame({"A": 0.01, "B": 0.02}, bars.index)
    values = table.to_numpy()
    for trade in (lambda: simulate_panel(panel, table, Centred), lambda: replay(Stage(panel), values, Centred)):
        with pytest.raises(ValueError, match="read-only"):
            trade()
    assert (values == [0.01, 0.02]).all()


@dataclasses.dataclass
class Turns(NameRule):
    """Short for nineteen closes, then what is wanted once."""

    tolerance: float = 0.9
    then: float = 0.0
    closes: int = dataclasses.field(default=0, init=False)

    def decide(self, state):
        self.closes += 1
        return -1.0 if self.closes < 20 else self.then if self.closes == 20 else None


@pytest.mark.parametrize("account", ["one name", "panel", "replay"])
def test_what_prices_made_of_a_position_is_forgiven_on_its_own_side_only(account):
    bars = still(40)
    bars.iloc[10:, :4] = 115.0  # the short is worth 1.35 times the equity by now
    forecasts, panel = pd.Series(0.01, bars.index), Panel("one", {"A": bars})
    trade = {
        "one name": lambda rule: simulate(bars, forecasts, rule),
        "panel": lambda rule: simulate_panel(panel, forecasts.to_frame("A"), rule),
        "replay": lambda rule: replay(Stage(panel), forecasts.to_frame("A").to_numpy(), rule),
    }[account]
    trade(Turns(then=-1.3))
    with pytest.raises(ValueError, match=r"Turns wants weights of 1\.3 times the equity"):
        trade(Turns(then=1.3))


def test_borrowed_cash_pays_its_loan_by_calendar_time():
    bars = still(4)
    account = Account(1000, 0, 0, 0, fractional=True, leverage=2, loan_bps=365)
    run = simulate(bars, pd.Series(0.01, bars.index), Times, {}, account)
    assert run.history["units"].iloc[1:].to_numpy() == pytest.approx(20, rel=1e-8)
    # 1,000 borrowed at 3.65 % a year: 0.1 a day, on which interest is paid in turn.
    assert run.history["equity"].to_numpy() == pytest.approx([1000, 1000, 999.9, 999.79999], abs=1e-4)


@pytest.mark.parametrize("fractional", [False, True])
@pytest.mark.parametrize("rule", [Times(weight=1.7, tolerance=0.05), Each(weight=0.9)])
def test_a_leveraged_account_is_the_same_in_every_engine_and_never_borrows_beyond_its_leverage(rule, fractional):
    account = Account(1e5, 10, 5, 100, 100, fractional=fractional, leverage=2)
    panel = Panel("two", {name: random_walk(150, seed, volatility=0.01) for seed, name in enumerate("AB")})
    if isinstance(rule, Times):
        panel = Panel("one", {"A": panel.bars["A"]})
    table = pd.DataFrame({name: EMA(5).predict(bars) for name, bars in panel.bars.items()})
    many, again = (
        simulate_panel(panel, table, rule, {}, account),
        replay(Stage(panel), table.to_numpy(), rule, {}, account),
    )
    assert (many.orders["status"] == "completed").all()
    assert many.history["cash"].min() < -0.5 * many.history["equity"].min()
    np.testing.assert_allclose(again.equity, many.history["equity"], rtol=1e-9)
    np.testing.assert_allclose(again.units, many.positions, rtol=1e-9, atol=1e-6)
    opens = panel.table("open")
    for date in many.orders["date"].unique():
        value = (many.positions.loc[date] * opens.loc[date]).abs().sum()
        equity = many.history["cash"][date] + (many.positions.loc[date] * opens.loc[date]).sum()
        assert value <= 2 * equity * (1 + 1e-9)
    if isinstance(rule, Times):
        one = simulate(panel.bars["A"], table["A"], rule, {}, account)
        np.testing.assert_allclose(one.history["equity"], many.history["equity"], rtol=1e-9)
        np.testing.assert_allclose(one.history["units"], many.positions["A"], rtol=1e-9)


def test_a_leveraged_account_is_ruined_when_closing_would_leave_nothing():
    bars = still(4)
    bars.iloc[2:, :4] = 50.5
    with pytest.raises(Ruined) as ruined:
        simulate(bars, pd.Series(0.01, bars.index), Times, {}, Account(1000, 0, 100, 0, 0, True, 2, 0))
    assert ruined.value.date == pd.Timestamp("2021-01-03")


class Greedy(bt.Strategy):
    """Buys for twice the cash."""

    def next(self):
        if not self.position:
            self.buy(size=2 * self.broker.getcash() / self.data.close[0])


def test_the_orders_of_a_plain_strategy_are_checked_against_the_cash_whatever_the_leverage():
    bars = still(4)
    for leverage in (1, 3):
        run = simulate(bars, pd.Series(0.01, bars.index), Greedy, {}, Account(leverage=leverage))
        assert set(run.orders["status"]) == {"margin"}
        assert (run.history["cash"] == 100_000).all()


@pytest.mark.parametrize(("field", "value"), [("leverage", 0.5), ("leverage", np.inf), ("loan_bps", -1.0)])
def test_an_account_that_cannot_borrow_so_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        Account(**{field: value})


def test_an_account_without_leverage_is_the_trial_it_was_before_there_was_any():
    assert set(Account().as_dict()) == {
        *("cash", "commission_bps", "slippage_bps", "borrow_bps", "interest_bps", "fractional")
    }
    assert Account(**Account(leverage=2).as_dict()) == Account(leverage=2)
