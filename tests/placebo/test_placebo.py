"""The same pipeline on every market, whatever they are shared out by, and where the real run stands."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

import rollcast
from rollcast import Predictor, WalkForward
from rollcast.backtests.account.engine import Account
from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.placebo import SCORES, SURROGATES, Pipeline, placebo, score
from rollcast.backtests.placebo.placebo import market_seed
from rollcast.predictors.bars import random_walk
from rollcast.predictors.kalman import KalmanMLE
from rollcast.predictors.ols import OLSFeatures
from rollcast.predictors.recurrent.learners import LSTM
from rollcast.predictors.sma import SMA
from rollcast.predictors.window import Window
from rollcast.strategies.buy_and_hold import BuyAndHold
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.proportional import Proportional

ACCOUNT = Account(commission_bps=3, slippage_bps=2, borrow_bps=150, interest_bps=100)
SLOW = WalkForward(OLSFeatures(lags=2), train=300, every=60)


@pytest.fixture(scope="module")
def years() -> pd.DataFrame:
    return load_bars("SPY", "2008", "2010")


# Not built in, so that backtrader runs it.
class Mine(LongFlat):
    """A strategy of the user's."""


@dataclass
class Counting(OLSFeatures):
    """Regression that notes how many windows it was handed."""

    calls: tuple[list[int], ...] = ([],)

    def forecast(self, windows: Sequence[Window]) -> Iterator[tuple[int, pd.Series]]:
        self.calls[0].append(len(windows))
        yield from super().forecast(windows)


@dataclass(frozen=True)
class Oracle(Predictor):
    """Knows the next return of one market."""

    close: tuple[float, ...]

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        outcome = np.diff(np.log(self.close), append=0.0)
        outcome[-1] = 0.0
        return pd.Series(outcome, index=bars.index)


class MyShort(LongShort):
    """Another."""


@dataclass(frozen=True)
class Down(Predictor):
    """Expects every market to fall, always."""

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        return pd.Series(-0.001, index=bars.index)


# --- the real market ---


@pytest.mark.parametrize("strategy", [LongFlat, LongShort, Proportional, Mine])
@pytest.mark.parametrize("predictor", [SMA(window=20), SLOW], ids=["sma", "ols-features"])
def test_the_real_row_is_the_run_to_the_last_bit(years, predictor, strategy):
    result = rollcast.run(years, predictor, strategy, {"tolerance": 0.2}, ACCOUNT)
    real = score(Pipeline(years, predictor, strategy, {"tolerance": 0.2}, ACCOUNT), "flipped", [None]).iloc[0]
    account, benchmark, forecast = (result.metrics[key] for key in ("strategy", "benchmark", "forecast"))
    excess = account["cagr"] - benchmark["cagr"]
    assert list(real) == [account["sharpe"], account["cagr"], excess, forecast["ic"], forecast["r2"]]


def test_a_request_is_tried_with_its_bars_strategy_costs_and_first_date():
    request = Request("ema", "long_short", "BTC-USD", start="2019", end="2020", since="2019-09-02", account=ACCOUNT)
    pipeline, result = Pipeline.of(request), request.run()
    real = score(pipeline, "flipped", [None]).iloc[0]
    assert real["sharpe"] == result.metrics["strategy"]["sharpe"]
    assert real["r2"] == result.metrics["forecast"]["r2"]
    assert pipeline.since == result.history.index[0]


@pytest.mark.parametrize("overnight", [False, True])
def test_the_real_row_of_bars_with_sessions_is_the_run(overnight):
    request = Request("ema", symbol="AAPL.1h", start="2026", overnight=overnight)
    real, result = score(Pipeline.of(request), "flipped", [None]).iloc[0], request.run()
    assert real["sharpe"] == result.metrics["strategy"]["sharpe"]
    assert real["r2"] == result.metrics["forecast"]["r2"]


def test_a_run_as_of_then_is_repeated_on_adjusted_prices():
    request = Request("sma", start="2019", adjust="asof")
    real, result = score(Pipeline.of(request), "flipped", [None]).iloc[0], request.run()
    assert real["ic"] == pytest.approx(result.metrics["forecast"]["ic"], abs=1e-6)
    assert real["cagr"] == pytest.approx(result.metrics["strategy"]["cagr"], abs=2e-3)


# --- however they are shared out ---


@pytest.mark.parametrize(
    "predictor",
    [
        SMA(window=20),
        SLOW,
        WalkForward(KalmanMLE(), train=400, every=100),
        WalkForward(LSTM(hidden=4, epochs=2, lookback=5, seeds=2, device="cpu"), train=300, every=100),
    ],
    ids=["sma", "ols-features", "kalman-mle", "lstm"],
)
def test_sharing_out_the_markets_changes_no_bit(years, predictor):
    pipeline = Pipeline(years, predictor, Proportional, account=ACCOUNT)
    whole = placebo(pipeline, markets=5, seed=7)
    for at_once in (1, 2, 4):
        pd.testing.assert_frame_equal(
            placebo(pipeline, markets=5, seed=7, at_once=at_once).table, whole.table, check_exact=True
        )
    seeds = [market_seed(7, k) for k in range(5)]
    assert list(whole.table["seed"]) == seeds
    backwards = score(pickle.loads(pickle.dumps(pipeline)), "flipped", seeds[::-1])
    pd.testing.assert_frame_equal(backwards[::-1].reset_index(drop=True), whole.table[list(SCORES)], check_exact=True)
    pd.testing.assert_frame_equal(placebo(pipeline, markets=3, seed=7).table, whole.table.iloc[:3], check_exact=True)


def test_the_windows_of_all_markets_are_trained_together(years):
    learner = Counting(lags=2)
    pipeline = Pipeline(years, WalkForward(learner, train=300, every=60), LongFlat)
    placebo(pipeline, markets=6, at_once=3)
    assert learner.calls[0] == [pipeline.refits, 3 * pipeline.refits, 3 * pipeline.refits]


def test_no_more_markets_are_held_at_once_than_fit_in_memory(years):
    pipeline = Pipeline(years, SMA(), LongFlat)
    assert pipeline.at_once > 100
    assert replace(pipeline, bars=load_bars("SPY")).at_once < pipeline.at_once / 5
    assert replace(pipeline, predictor=WalkForward(OLSFeatures(), train=300, every=1)).at_once < 14


@pytest.mark.parametrize("null", SURROGATES)
def test_backtrader_and_the_fast_accounts_score_every_market_alike(years, null):
    fast, slow = (
        score(Pipeline(years, SMA(window=10), strategy, account=ACCOUNT), null, [1, 2]) for strategy in (LongFlat, Mine)
    )
    pd.testing.assert_frame_equal(fast, slow, check_exact=True)


def test_progress_counts_the_refits_of_all_markets(years):
    reports: list[tuple[int, int]] = []
    pipeline = Pipeline(years, SLOW, LongFlat)
    placebo(pipeline, markets=4, at_once=3, progress=lambda done, total: reports.append((done, total)))
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)
    assert {done for done, _ in reports} == set(range(4 * pipeline.refits + 1))
    assert {total for _, total in reports} == {4 * pipeline.refits}


# --- where the real run stands ---


def test_knowing_the_future_of_the_real_market_is_no_use_on_others(years):
    outcome = placebo(Pipeline(years, Oracle(tuple(years["close"])), LongFlat), markets=39)
    assert {name: outcome.chance(name).p for name in SCORES} == dict.fromkeys(SCORES, 1 / 40)
    assert outcome.table["ic"].abs().max() < 0.5 < outcome.real["ic"]


def test_buying_and_holding_has_no_excess_on_any_market(years):
    outcome = placebo(Pipeline(years, SMA(window=20), BuyAndHold), markets=9)
    assert (outcome.table["excess"] == 0).all()
    assert outcome.chance("excess").p == 1


def test_holding_what_ends_where_the_market_ended_earns_the_same_on_every_market():
    bars = load_bars("BTC-USD", "2017", "2017")
    table = placebo(Pipeline(bars, SMA(window=2), BuyAndHold, account=Account(fractional=True)), markets=9).table
    hold = placebo(Pipeline(bars, SMA(window=2), BuyAndHold, account=Account(fractional=True)), markets=1).real["cagr"]
    # All but the first bars, before anything was bought, and what the signs do not balance.
    assert np.abs(np.log1p(table["cagr"]) - np.log1p(hold)).max() < 0.4 < np.log1p(hold)


@pytest.mark.parametrize("strategy", [LongShort, MyShort])
def test_a_market_that_wipes_the_account_out_ranks_below_all_that_do_not(strategy):
    bars = random_walk(60, seed=3, volatility=0.005)
    bars.iloc[40:, :4] *= 3.0
    outcome = placebo(Pipeline(bars, Down(), strategy), markets=19)
    # Of a jump mirrored or not, one half ruins who is short.
    ruined = outcome.table["cagr"] == -1
    assert 4 < ruined.sum() < 15
    assert outcome.table["sharpe"].isna().equals(ruined)
    assert outcome.real["cagr"] == -1
    assert [outcome.chance(name).p for name in ("sharpe", "cagr", "excess")] == [1.0, 1.0, 1.0]
    spared = replace(outcome, real=outcome.table[list(SCORES)][~ruined].min())
    assert spared.chance("sharpe").as_good == spared.chance("cagr").as_good == (~ruined).sum()
    # A forecast without a view has no correlation, and counts as 0.
    assert outcome.table["ic"].isna().all()
    assert outcome.chance("ic").p == 1
    json.dumps(outcome.metrics(), allow_nan=False)


@pytest.mark.parametrize(("window", "most"), [(20, 40), (100, 99)])
def test_until_it_is_decided_fewer_markets_say_the_same(years, window, most):
    pipeline = Pipeline(years, SMA(window=window), LongFlat)
    all_of_them = placebo(pipeline, markets=99)
    stopped = placebo(pipeline, markets=99, until=0.05)
    # What has an edge at this level takes them all.
    assert len(stopped.table) <= most
    assert (all_of_them.chance("sharpe").p <= 0.05) == (most == 99)
    pd.testing.assert_frame_equal(stopped.table, all_of_them.table.iloc[: len(stopped.table)])
    for name in SCORES:
        assert (stopped.chance(name).p <= 0.05) == (all_of_them.chance(name).p <= 0.05)
    for at_once in (1, 50):
        other = placebo(pipeline, markets=99, until=0.05, at_once=at_once)
        assert other.metrics() == stopped.metrics()


def test_what_is_saved_is_plain_json_and_a_table(years, tmp_path):
    outcome = placebo(Pipeline(years, SMA(window=20), LongFlat), markets=5, null="garch", seed=3)
    outcome = replace(outcome, real=outcome.real.copy())
    outcome.real["ic"] = np.nan  # a forecast without a view
    outcome.save(tmp_path)
    metrics = json.loads((tmp_path / "placebo.json").read_text())
    assert metrics == outcome.metrics()
    assert [metrics[key] for key in ("null", "markets", "limit", "until", "seed")] == ["garch", 5, 5, None, 3]
    assert metrics["ic"]["real"] is None
    assert metrics["sharpe"]["null"] == list(outcome.table["sharpe"])
    assert metrics["sharpe"]["low"] <= metrics["sharpe"]["p"] <= metrics["sharpe"]["high"]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "placebo.parquet"), outcome.table)


def test_what_cannot_be_tried_is_one_clear_line(years):
    pipeline = Pipeline(years, SMA(), LongFlat)
    with pytest.raises(LookupError, match=r"unknown null 'fliped'\. Did you mean 'flipped'\?"):
        placebo(pipeline, markets=1, null="fliped")
    with pytest.raises(ValueError, match="markets must be at least 1; got 0"):
        placebo(pipeline, markets=0)
    with pytest.raises(ValueError, match=r"10 markets cannot show p ≤ 0.05"):
        placebo(pipeline, markets=10, until=0.05)
    with pytest.raises(TypeError, match=r"is a Learner, which is traded as WalkForward\(learner\)"):
        Pipeline(years, OLSFeatures(), LongFlat)
    with pytest.raises(ValueError, match="tolerance"):
        Pipeline(years, SMA(), LongFlat, {"tolerance": 2.0})
    with pytest.raises(ValueError, match="needs at least train=1000 bars"):
        placebo(replace(pipeline, predictor=WalkForward(OLSFeatures())), markets=1)
