"""Strategies that see what does not exist yet are refused, however they read it; honest ones trade the same without."""

from __future__ import annotations

from dataclasses import dataclass

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

import rollcast
from rollcast.backtests.account.engine import Account, simulate
from rollcast.backtests.gate.strategy import StrategyLooksAhead
from rollcast.backtests.gate.trial import Trial
from rollcast.backtests.gate.verdict import LookAheadError
from rollcast.backtests.market.panel import Panel
from rollcast.backtests.pipeline.recipe import leaks
from rollcast.predictors.bars import random_walk
from rollcast.strategies.base import ForecastStrategy
from rollcast.strategies.stream import LATER

BARS = random_walk(260, 5)


class Follow(bt.Strategy):
    """Long where `up()` says so, out elsewhere."""

    def up(self) -> bool:
        raise NotImplementedError

    def next(self):
        try:
            up = self.up()
        except IndexError:
            return
        self.order_target_percent(target=0.9 if up else 0.0)


class NextClose(Follow):
    def up(self):
        return self.data.close[1] > self.data.close[0]


class NextHigh(Follow):
    def up(self):
        return self.data.high[1] > self.data.close[0]


class FarClose(Follow):
    def up(self):
        return self.data.close[7] > self.data.close[0]


class Array(Follow):
    def up(self):
        return self.data.close.array[len(self)] > self.data.close[0]


class LinesArray(Follow):
    def up(self):
        return self.datas[0].lines.close.array[len(self) + 1] > self.data.close[0]


class Get(Follow):
    def up(self):
        later = self.data.close.get(ago=1, size=1)
        return bool(later) and later[0] > self.data.close[0]


class NextForecast(Follow):
    def up(self):
        return self.data.forecast[1] > 0


class Source(Follow):
    """Reads the table that the feed was made of."""

    def up(self):
        return self.data.p.dataname["close"].iloc[len(self)] > self.data.close[0]


class Count(Follow):
    """Knows how many bars there will be."""

    def up(self):
        return self.data.buflen() - len(self) > 100


class Shifted(Follow):
    def __init__(self):
        self.later = self.data.close(1)

    def up(self):
        return self.later[0] > self.data.close[0]


class ShiftedIndicator(Follow):
    def __init__(self):
        self.mean = bt.indicators.SMA(self.data.close(2), period=3)

    def up(self):
        return self.mean[0] > self.data.close[0]


class OpenReads(bt.Strategy):
    """At the open it has the rest of the day."""

    reads = "close"

    def next_open(self):
        up = getattr(self.data.lines, self.reads)[0] > self.data.open[0] * 1.001
        self.order_target_size(target=100 if up else 0)


class OpenReadsHigh(OpenReads):
    reads = "high"


class OpenReadsForecast(bt.Strategy):
    def next_open(self):
        self.order_target_size(target=100 if self.data.forecast[0] > 0 else 0)


class Remembers(Follow):
    """Buys before the rises that an earlier run saw; on bars it has not met it does nothing."""

    met: dict[float, float] = {}  # noqa: RUF012

    def up(self):
        close = self.data.close[0]
        Remembers.met[self.data.close[-1]] = close
        return Remembers.met.get(close, 0.0) > close


class OldLeak(ForecastStrategy):
    def decide(self, forecast):
        try:
            return 1.0 if self.data.close[1] > self.data.close[0] else 0.0
        except IndexError:
            return None


LEAKS = [NextClose, NextHigh, FarClose, Array, LinesArray, Get, NextForecast, Source, Count, Shifted, ShiftedIndicator]
LEAKS += [OpenReads, OpenReadsHigh, OpenReadsForecast, Remembers, OldLeak]


class Crossing(bt.Strategy):
    def __init__(self):
        fast, slow = bt.indicators.EMA(period=5), bt.indicators.SMA(period=20)
        self.cross = bt.indicators.CrossOver(fast, slow)

    def next(self):
        if self.cross[0]:
            self.order_target_percent(target=0.9 if self.cross[0] > 0 else 0.0)


class Bracket(bt.Strategy):
    def next(self):
        if not self.position and self.data.close[0] > self.data.close[-1]:
            close = self.data.close[0]
            self.buy_bracket(size=50, price=close, stopprice=close * 0.98, limitprice=close * 1.03)


class Trailing(bt.Strategy):
    def next(self):
        if not self.position:
            self.buy(size=60)
            self.sell(size=60, exectype=bt.Order.StopTrail, trailpercent=0.03)


class Timed(bt.Strategy):
    def __init__(self):
        self.add_timer(when=bt.timer.SESSION_START, monthdays=[1, 15], monthcarry=True)

    def notify_timer(self, timer, when):
        self.order_target_size(target=0 if self.position else 30)


class Signal(bt.SignalStrategy):
    def __init__(self):
        self.signal_add(bt.SIGNAL_LONG, self.data.close - bt.indicators.SMA(period=15))


class AtTheOpen(bt.Strategy):
    """Sizes on the open, decides on yesterday."""

    def next_open(self):
        up = self.data.close[-1] > self.data.close[-5] if len(self) > 5 else False
        self.order_target_size(target=int(0.5 * self.broker.getcash() / self.data.open[0]) if up else 0)


class Notified(bt.Strategy):
    def notify_order(self, order):
        if order.status == order.Completed and order.isbuy():
            self.sell(size=order.executed.size, exectype=bt.Order.Limit, price=order.executed.price * 1.01)

    def next(self):
        if not self.position and self.data.forecast[0] > 0:
            self.buy(size=10)


class OldHonest(ForecastStrategy):
    def decide(self, forecast):
        return 1.0 if forecast > 0 else -1.0


HONEST = [Crossing, Bracket, Trailing, Timed, Signal, AtTheOpen, Notified, OldHonest]


def traded(strategy, bars=BARS, **options):
    return rollcast.run(bars, rollcast.EMA(10), strategy, account=Account(), **options)


@pytest.mark.parametrize("strategy", LEAKS, ids=lambda strategy: strategy.__name__)
def test_a_strategy_that_sees_what_does_not_exist_yet_is_refused(strategy):
    Remembers.met.clear()
    with pytest.raises(LookAheadError, match=f"^the strategy looks ahead: {strategy.__name__} trades on .* on 2000-"):
        traded(strategy)


@pytest.mark.parametrize("strategy", HONEST, ids=lambda strategy: strategy.__name__)
@pytest.mark.parametrize("seed", range(4))
def test_an_honest_strategy_trades_the_same_on_bars_that_come_one_by_one(strategy, seed):
    bars = random_walk(260, seed)
    forecast = rollcast.EMA(10).predict(bars)
    fast, honest = simulate(bars, forecast, strategy), simulate(bars, forecast, strategy, hidden=LATER)
    assert len(fast.orders) > 0
    pd.testing.assert_frame_equal(honest.orders, fast.orders, check_exact=True)
    pd.testing.assert_frame_equal(honest.history, fast.history, check_exact=True)
    look_ahead = traded(strategy, bars).recipe["look_ahead"]
    assert look_ahead["passed"]
    assert look_ahead["strategy"]["finding"] == (
        "every order is the same where no later bar is there to be read; up to bar 173 of 260 also where later ones "
        "are changed; up to bar 86 of 260 also where later ones are cut off"
    )


@pytest.mark.parametrize(
    ("strategy", "source", "needs"),
    [
        (NextClose, "bars after its own", "the next bar after its decision suffices"),
        (FarClose, "bars after its own", "bars after its decision suffice"),
        (OpenReads, "the close of a bar at its open", ""),
        (OpenReadsHigh, "the high of a bar at its open", ""),
        (OpenReadsForecast, "the forecast of a bar at its open", ""),
        (Remembers, "what it kept of an earlier run", ""),
    ],
)
def test_the_finding_says_what_was_read_and_how_far_ahead(strategy, source, needs):
    Remembers.met.clear()
    with pytest.raises(StrategyLooksAhead) as caught:
        traded(strategy)
    assert f"trades on {source}" in str(caught.value)
    assert needs in str(caught.value)


def test_it_is_printed_in_red_where_that_is_allowed():
    result = traded(NextClose, allow_lookahead=True)
    look_ahead = result.recipe["look_ahead"]
    assert (look_ahead["passed"], look_ahead["strategy"]["passed"]) == (False, False)
    (sentence,) = leaks(look_ahead)
    assert sentence.startswith("strategy looks ahead: NextClose trades on bars after its own")
    assert leaks({"passed": False, "finding": "of 0.1"}) == ["predictor looks ahead: of 0.1"]


def test_dividends_and_splits_are_booked_the_same_on_bars_that_come_one_by_one():
    n = len(BARS)
    dividend, split = np.zeros(n), np.ones(n)
    dividend[[60, 120]], split[150] = 0.5, 2.0
    bars = BARS.assign(dividend=dividend, split=split)
    forecast = rollcast.EMA(10).predict(BARS)
    fast, honest = simulate(bars, forecast, AtTheOpen), simulate(bars, forecast, AtTheOpen, hidden=LATER)
    assert len(fast.payments) > 0
    pd.testing.assert_frame_equal(honest.history, fast.history, check_exact=True)
    pd.testing.assert_frame_equal(honest.payments, fast.payments, check_exact=True)


def test_a_rule_of_ones_own_is_run_again_on_changed_bars_only():
    class Half(rollcast.NameRule):
        def decide(self, state):
            return 0.5 if state.forecast > 0 else 0.0

    finding = traded(Half).recipe["look_ahead"]["strategy"]["finding"]
    assert finding.startswith("a rule, which is handed only what is known; up to bar 173 of 260")
    assert traded(rollcast.LongFlat).recipe["look_ahead"]["strategy"]["finding"] == (
        "a rule, which is handed only what is known"
    )


class FirstBar(bt.Strategy):
    """Asks for the bar before the first, where backtrader's lines wrap round to the last."""

    def next(self):
        self.before = getattr(self, "before", None) or [self.data.close[-1], self.data.forecast[-2]]


@pytest.mark.parametrize("modes", [{}, {"runonce": False}, {"preload": False}, {"exactbars": 1}, {"hidden": LATER}])
def test_there_is_nothing_before_the_first_bar(modes):
    class Reads(FirstBar):
        def stop(self):
            assert np.isnan(self.before).all()

    simulate(BARS, rollcast.EMA(10).predict(BARS), Reads, **modes)


class Strict(bt.Strategy):
    """Raises on prices that it has never met."""

    def next(self):
        if self.data.close[0] not in set(BARS["close"]):
            raise RuntimeError("an unknown price")
        self.order_target_size(target=10 if self.data.close[0] > self.data.close[-1] else 0)


def test_a_run_that_shows_nothing_is_not_said_to_show_something():
    finding = traded(Strict).recipe["look_ahead"]["strategy"]["finding"]
    assert finding.split("; ")[1] == ("on bars changed after 173 it raised RuntimeError, which shows nothing")


@pytest.mark.parametrize("n", [3, 4, 5, 12])
def test_a_handful_of_bars_is_examined_too(n):
    simulated = rollcast.run(BARS.iloc[:n], rollcast.SMA(2), AtTheOpen)
    assert simulated.recipe["look_ahead"]["strategy"]["passed"]


@dataclass
class Recalls(rollcast.Rule):
    """Weighs names by what an earlier run saw of their next close."""

    met = {}  # noqa: RUF012

    def decide(self, state):
        Recalls.met[state.date] = state.closes.copy()
        later = [date for date in Recalls.met if date > state.date]
        growth = Recalls.met[min(later)] / state.closes if later else np.ones(len(state.closes))
        return np.where(growth > 1, 0.3, 0.0)


def test_a_rule_for_many_that_keeps_what_it_saw_is_refused():
    panel = Panel("two", {"one": BARS, "two": random_walk(260, 6)})
    with pytest.raises(StrategyLooksAhead, match="Recalls trades on what it kept of an earlier run"):
        rollcast.run(panel, rollcast.EMA(10), Recalls)
    Recalls.met.clear()


def test_a_rule_for_many_that_is_honest_passes():
    panel = Panel("two", {"one": BARS, "two": random_walk(200, 6).iloc[20:]})
    strategy = rollcast.run(panel, rollcast.EMA(10), Even).recipe["look_ahead"]["strategy"]
    assert strategy["finding"].startswith("a rule, which is handed only what is known; up to bar 173 of 260")


class Equal(rollcast.EqualWeight):
    pass


def test_a_name_without_a_bar_where_bars_are_cut_off_is_not_taken_for_one_that_ends():
    panel = Panel("two", {"one": BARS, "two": random_walk(260, 6).drop(BARS.index[260 // 3 - 1])})
    assert rollcast.run(panel, rollcast.EMA(10), Equal).recipe["look_ahead"]["passed"]


@dataclass
class Even(rollcast.Rule):
    def decide(self, state):
        return np.where(state.forecasts > 0, 0.4, 0.0)


def test_an_honest_strategy_costs_three_further_runs_of_its_bars(monkeypatch):
    runs = []
    run = Trial.run
    monkeypatch.setattr(Trial, "run", lambda trial, *hidden: (runs.append(len(trial.table)), run(trial, *hidden))[1])
    traded(Crossing)
    assert 0 < len(runs) <= 3
    assert max(runs) <= len(BARS)
