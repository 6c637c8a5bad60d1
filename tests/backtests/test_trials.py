"""The count of trials cannot be fooled by another name, slice or scale, nor poisoned by a bad run, nor fall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rollcast
from rollcast import Predictor, load
from rollcast.backtests.account.engine import Account
from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.evidence.excess import excess
from rollcast.backtests.evidence.luck import deflated_threshold
from rollcast.backtests.ledger.database import NAME
from rollcast.backtests.ledger.ledger import Ledger
from rollcast.backtests.ledger.trial_key import Row
from rollcast.backtests.ledger.trials import Counted, count
from rollcast.backtests.pipeline.result import Result
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort


def made(bars: pd.DataFrame, symbol: str = "SPY", window: int = 10, **options) -> Result:
    predictor = options.pop("predictor", None) or load("sma", window=window)
    return rollcast.run(bars, predictor, options.pop("strategy", LongFlat), symbol=symbol, **options)


@pytest.fixture(scope="module")
def spy() -> pd.DataFrame:
    return load_bars("SPY", "2012", "2016")


@pytest.fixture(scope="module")
def honest(spy) -> Row:
    return Row.of(made(spy))


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(tmp_path / NAME)


def cell(bars: pd.DataFrame, column: str, factor: float) -> pd.DataFrame:
    changed = bars.copy()
    changed.iloc[400, changed.columns.get_loc(column)] *= factor
    changed["high"] = changed[["open", "high", "low", "close"]].max(axis=1)
    changed["low"] = changed[["open", "high", "low", "close"]].min(axis=1)
    return changed


def at_once(bars: pd.DataFrame) -> pd.DataFrame:
    return cell(cell(bars.iloc[1:] * 1.0001, "volume", 2), "close", 1.01).loc["2013":]


# Fault 8 of the verdict's review, and what else might empty the ledger: the same bars, made to look like others.
CHEATS: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "renamed": ("my-data", lambda bars: bars * 1.0),
    "renamed, first bar dropped": ("my-data", lambda bars: bars.iloc[1:]),
    "renamed, last year dropped": ("my-data", lambda bars: bars.loc[:"2015"]),
    "renamed, first years dropped": ("my-data", lambda bars: bars.loc["2014":]),
    "renamed, prices × 1.0001": ("my-data", lambda bars: bars * 1.0001),
    "renamed, prices × 250": ("my-data", lambda bars: bars * 250),
    "renamed, one volume changed": ("my-data", lambda bars: cell(bars, "volume", 2)),
    "renamed, one close changed": ("my-data", lambda bars: cell(bars, "close", 1.02)),
    "renamed, one close × 3": ("my-data", lambda bars: cell(bars, "close", 3)),
    "renamed, every tenth bar dropped": ("my-data", lambda bars: bars[np.arange(len(bars)) % 10 > 0]),
    "renamed, not adjusted": ("my-data", lambda bars: load_bars("SPY", "2012", "2016", adjusted=False)),
    "renamed, weekly": ("my-data", lambda bars: load_bars("SPY", "2012", "2016", bar="1wk")),
    "renamed, monthly, not adjusted": (
        "my-data",
        lambda bars: load_bars("SPY", "2012", "2016", bar="1mo", adjusted=False),
    ),
    "renamed, weeks that end on Wednesdays": (
        "my-data",
        lambda bars: bars.resample("W-WED").agg(
            {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
        ),
    ),
    "another case": ("spy", lambda bars: cell(bars, "volume", 2)),
    "all at once": ("my-data", at_once),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_market_that_was_made_to_look_like_another_is_counted(ledger, spy, honest, cheat):
    symbol, change = CHEATS[cheat]
    ledger.record(honest)
    cheated = Row.of(made(change(spy), symbol, window=5))
    assert count(cheated, [ledger]).trials.count == 2
    ledger.record(cheated)
    assert count(honest, [ledger]).trials.count == 2


def test_a_split_does_not_hide_a_market(ledger):
    ledger.record(Row.of(made(load_bars("AAPL", "2004", "2006"), "AAPL")))
    for bar in (None, "1wk", "1mo"):
        raw = load_bars("AAPL", "2004", "2006", bar=bar, adjusted=False)
        assert count(Row.of(made(raw, "apple", window=4)), [ledger]).trials.count == 2


def test_days_made_of_hours_are_the_market_of_the_hours(ledger):
    ledger.record(Row.of(made(load_bars("AAPL.1h"), "AAPL.1h")))
    days = load_bars("AAPL.1h", bar="1d")
    assert count(Row.of(made(days, "days")), [ledger]).trials.count == 2


OTHERS = {
    "another market under the same name": lambda: (load_bars("IBM", "2009", "2012"), "AAPL"),
    "another market": lambda: (load_bars("MSFT", "2009", "2012"), "MSFT"),
    "the same market in other years": lambda: (load_bars("AAPL", "2003", "2007"), "AAPL"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_market_is_not_counted_whatever_its_name(ledger, other):
    apple = Row.of(made(load_bars("AAPL", "2009", "2012"), "AAPL"))
    ledger.record(apple)
    row = Row.of(made(*OTHERS[other]()))
    ledger.record(row)
    assert count(row, [ledger]).trials.count == count(apple, [ledger]).trials.count == 1


def test_the_two_most_alike_of_twenty_stocks_in_their_most_alike_years_are_two_markets(ledger):
    years = ("2020", "2021")
    ledger.record(Row.of(made(load_bars("BAC.sp20", *years), "bank")))
    assert count(Row.of(made(load_bars("JPM.sp20", *years), "bank")), [ledger]).trials.count == 1


@dataclass(frozen=True)
class Coin(Predictor):
    """A coin at every bar, tossed by its date."""

    seed: int = 0

    def predict(self, bars):
        days = (bars.index.as_unit("s").asi8 // 86_400).astype(float)
        toss = np.sin(days * 78.233 + self.seed * 37.719) * 43758.5453 % 1 < 0.5
        return pd.Series(np.where(toss, 0.01, -0.01), bars.index)


@dataclass(frozen=True)
class Oracle(Predictor):
    """The next bar's return, from the next bar."""

    def predict(self, bars):
        return np.log(bars["close"]).diff().shift(-1).fillna(0.0)


def bars_to_pass(result: Result, counted: Counted) -> tuple[float, float]:
    """The deflated threshold of the Sharpe ratio, and the t that the best of the trials needs."""
    trials = counted.trials
    cash = pd.Series(0.0, result.returns.index)
    found = excess(result.returns, result.benchmark_returns, cash, 252, trials)
    return deflated_threshold(trials.sharpe_variance, trials.effective), found["needed_t"]


POISONS = {
    "a run that loses everything but a little": {
        "predictor": Coin(3), "strategy": LongShort, "account": Account(commission_bps=60)
    },
    "a leak": {"predictor": Oracle(), "strategy": LongShort, "allow_lookahead": True},
    "a run that never trades": {"predictor": load("naive")},
}  # fmt: skip


@pytest.fixture(scope="module")
def tried(spy) -> list[Row]:
    """Twenty honest tries: moving averages under two rules."""
    return [Row.of(made(spy, window=w, strategy=s)) for w in range(5, 105, 10) for s in (LongFlat, LongShort)]


@pytest.mark.parametrize("poison", POISONS)
def test_one_bad_run_moves_the_threshold_of_the_others_by_less_than_five_percent(ledger, spy, tried, poison):
    result = made(spy)
    ledger.record_many(tried)
    before = bars_to_pass(result, count(Row.of(result), [ledger]))
    bad = made(spy, **POISONS[poison])
    ledger.record(Row.of(bad))
    after = bars_to_pass(result, count(Row.of(result), [ledger]))
    assert np.abs(np.divide(after, before) - 1).max() < 0.05
    assert after >= before


def test_a_leak_is_no_trial_of_others_but_the_losing_and_the_flat_run_are(ledger, spy, honest):
    for counted, poison in zip((2, 2, 3), POISONS, strict=True):
        ledger.record(Row.of(made(spy, **POISONS[poison])))
        assert count(honest, [ledger]).trials.count == counted


def test_what_lost_everything_and_what_never_moved_are_counted_but_hand_no_returns_on(ledger, spy, honest):
    for name in ("a run that loses everything but a little", "a run that never trades"):
        ledger.record(Row.of(made(spy, **POISONS[name])))
    ruined = ledger.runs()["max_drawdown"].min()
    assert ruined < -0.99
    trials = count(honest, [ledger]).trials
    assert (trials.count, trials.returns.shape[1], trials.effective) == (3, 1, 1.0)


def test_the_returns_handed_on_are_those_of_each_trial_on_the_runs_own_bars(ledger, spy, honest):
    others = [made(spy, window=50), made(spy.loc["2014":], window=20), made(spy.loc["2016":], window=20)]
    for result in others:
        ledger.record(Row.of(result))
    table = count(honest, [ledger]).trials.returns
    assert table.index.equals(honest.returns.index)
    assert table.shape[1] == 3  # the last one has a year of these five
    np.testing.assert_array_equal(table[0], honest.returns)
    for result in others[:2]:
        expected = result.returns.reindex(table.index)
        (error,) = [e for e in (np.abs(table[k] - expected).max() for k in (1, 2)) if e < 1e-4]
        assert error < expected.std() / 300


def test_daily_trials_of_a_weekly_run_are_compounded_to_weeks(ledger, spy):
    daily = made(spy, window=50)
    ledger.record(Row.of(daily))
    weekly = Row.of(made(load_bars("SPY", "2012", "2016", bar="1wk")))
    table = count(weekly, [ledger]).trials.returns
    growth = (1 + daily.returns).cumprod().reindex(table.index)
    error = (table[1] - growth.pct_change()).dropna()
    assert len(error) > 200
    assert error.abs().max() < 2e-4


@pytest.fixture(scope="module")
def pool(spy, tried) -> list[Row]:
    """Runs of every kind: alike and unlike, other windows, another market, a leak, a flat one, a ruined one, a copy."""
    rows = [*tried[:4], tried[0], *(Row.of(made(spy, **options)) for options in POISONS.values())]
    rows += [Row.of(made(spy.loc["2014":] * 1.0001, "other")), Row.of(made(load_bars("IBM", "2010", "2012"), "SPY"))]
    return [*rows, Row.of(made(spy.loc[:"2012"], "SPY"))]


@settings(max_examples=6)
@given(data=st.data())
def test_the_count_never_falls_as_more_are_tried_and_does_not_depend_on_their_order(
    tmp_path_factory, pool, honest, data
):
    order = data.draw(st.permutations(range(len(pool))))[: data.draw(st.integers(1, len(pool)))]
    ledgers = [Ledger(tmp_path_factory.mktemp("order") / NAME) for _ in range(2)]
    before = count(honest, ledgers[:1]).trials
    for k in order:
        ledgers[0].record(pool[k])
        after = count(honest, ledgers[:1]).trials
        assert after.count >= before.count
        assert after.effective >= before.effective
        assert after.runs >= before.runs
        before = after
    ledgers[1].record_many(pool[k] for k in sorted(order))
    last = count(honest, ledgers[1:]).trials
    assert (last.count, last.effective) == (before.count, before.effective)


def test_a_run_that_is_in_two_ledgers_is_one_run(tmp_path, honest, tried):
    ledgers = [Ledger(tmp_path / name / NAME) for name in "ab"]
    ledgers[0].record(honest)
    ledgers[0].record(tried[0])
    ledgers[0].copy_to(ledgers[1])
    assert ledgers[0].copy_to(ledgers[1]) == 0
    found = count(honest, ledgers).trials
    assert (found.count, found.runs) == (2, 2)


def test_the_trials_are_listed_the_runs_own_first_with_what_tells_them_apart(ledger, honest, tried):
    ledger.record_many(tried[:3])
    listed = count(honest, [ledger]).as_dict()["listed"]
    assert [one["name"] for one in listed][:1] == ["SMA · LongFlat"]
    assert listed[0]["parameters"].startswith("window=10 · ")
    assert listed[1]["workspace"] == "/".join(Path(ledger.workspace).parts[-2:])
    assert (listed[0]["created"], listed[0]["workspace"]) == ("", ""), "so that the same run writes the same bytes"
    sharpe = [one["sharpe"] for one in listed[1:]]
    assert sharpe == sorted(sharpe, reverse=True)
    assert len(listed) == 4
