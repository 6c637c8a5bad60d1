"""The alarm for skill that honest forecasts do not have: its limits by hand, quiet on honest runs, loud on leaks."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

import rollcast
from rollcast.backtests.evidence.evidence import with_evidence
from rollcast.backtests.evidence.plausibility import plausibility
from rollcast.backtests.evidence.verdict import _plausibility
from rollcast.predictors.bars import random_walk

RETURNS = pd.Series(np.tile([0.01, -0.009], 250))


def found(yearly: int = 252, returns: pd.Series = RETURNS, held: float = 0.5, interest: float = 0.0, **skill):
    """The alarm on metrics written by hand."""
    forecast = {"ic": 0.03, "ic_t": 2.0, "hit_rate": 0.5, "opinions": 10**12, "base_rate": 0.54, **skill}
    metrics = {"bars_per_year": yearly, "forecast": forecast, "benchmark": {"sharpe": held}}
    return plausibility(metrics, returns, pd.Series(interest / 1e4 / yearly, returns.index))


@pytest.mark.parametrize(
    ("yearly", "ic", "sharpe"),
    [(252, 0.2, 3.175), (52, 0.4403, 3.175), (12, 0.9165, 3.175), (1764, 0.2, 8.4), (1, 1.0, 1.0), (19656, 0.2, 28.04)],
)
def test_the_limits_are_those_of_the_size_of_the_bars(yearly, ic, sharpe):
    limits = found(yearly, held=-1.0)
    assert limits["ic_limit"] == pytest.approx(ic, rel=1e-3)
    assert limits["sharpe_limit"] == pytest.approx(sharpe, rel=1e-3)


def test_the_limit_of_hits_begins_at_always_forecasting_the_more_frequent_sign():
    assert found(base_rate=0.5)["hit_rate_limit"] == pytest.approx(0.5 + math.asin(0.2) / math.pi)
    assert found(base_rate=0.9)["hit_rate_limit"] == pytest.approx(0.9 + math.asin(0.2) / math.pi)
    assert found(base_rate=0.1)["hit_rate_limit"] == found(base_rate=0.9)["hit_rate_limit"]
    assert found(base_rate=None)["hit_rate_limit"] == found(base_rate=0.5)["hit_rate_limit"]


@pytest.mark.parametrize(
    ("skill", "beyond"),
    [
        ({"ic": 0.3, "ic_t": 3.09 * 3.1}, ["ic"]),  # a bound of 0.3 - 0.3/3.1, above 0.2
        ({"ic": 0.3, "ic_t": 3.09 * 2.9}, []),
        ({"ic": 1.0, "ic_t": math.nan}, ["ic"]),  # perfect, so without an error
        ({"ic": None, "ic_t": None}, []),
        ({"hit_rate": 0.54 + math.asin(0.2) / math.pi + 2e-6}, ["hit_rate"]),
        ({"hit_rate": 0.54 + math.asin(0.2) / math.pi + 1e-6}, []),
    ],
)
def test_a_measure_is_beyond_when_its_bound_is(skill, beyond):
    assert found(**skill)["beyond"] == beyond


def test_a_sharpe_ratio_counts_beyond_that_of_holding_and_without_the_interest_on_cash():
    steady = pd.Series(0.001 + 0.002 * np.tile([1.0, -1.0], 500))
    assert found(returns=steady)["beyond"] == ["sharpe"]  # 7.9 a year
    assert found(returns=steady, held=9.0)["beyond"] == []
    with_interest = found(returns=steady, interest=1e4 * 252 * 0.001)
    assert with_interest["sharpe"] == pytest.approx(0.0, abs=1e-9)
    assert with_interest["beyond"] == []


def test_an_account_that_never_moved_is_no_alarm():
    assert found(returns=pd.Series(np.zeros(300)))["beyond"] == []


@dataclasses.dataclass(frozen=True)
class Oracle(rollcast.Predictor):
    """Knows the closes of SPY by heart, which no re-run on other bars can show."""

    ic: float = 0.6

    def predict(self, bars):
        closes = rollcast.load_bars("SPY")["close"]
        outcome = np.log(closes.shift(-1) / closes).fillna(0.0)
        noise = pd.Series(np.random.default_rng(1).normal(0, outcome.std(), len(closes)), closes.index)
        return (self.ic * outcome + math.sqrt(1 - self.ic**2) * noise).reindex(bars.index)


def entry(result, account=None):
    metrics = with_evidence(result, rollcast.LongFlat, account=account).metrics
    (line,) = [line for line in metrics["verdict"] if line["check"] == "plausibility"]
    return line, metrics


def test_forecasts_known_by_heart_raise_the_alarm_though_no_probe_finds_a_leak(spy):
    line, metrics = entry(rollcast.run(spy["2010":"2015"], Oracle(), rollcast.LongFlat))
    assert line["answer"] == "no"
    assert "The forecasts' correlation with the next returns is 0.53" in line["sentence"]
    assert metrics["plausibility"]["beyond"][0] == "ic"
    assert metrics["conclusion"].startswith("This is too good to be true.")


@pytest.mark.parametrize("seed", range(20))
def test_an_honest_run_on_a_random_market_raises_no_alarm(seed):
    result = rollcast.run(random_walk(400, seed), rollcast.EMA(10), rollcast.LongShort)
    line, metrics = entry(result, rollcast.Account(interest_bps=300))
    assert line["answer"] == "yes", metrics["plausibility"]


def test_the_alarm_names_each_measure_and_what_to_look_for():
    limits = {"ic_limit": 0.2, "hit_rate_limit": 0.56, "sharpe": 9.0, "sharpe_limit": 3.7}
    metrics = {
        "plausibility": limits | {"beyond": ["rank_ic", "hit_rate", "sharpe"]},
        "forecast": {"ic": 0.1, "hit_rate": 0.8},
        "panel": {"dates": 9, "rank_ic": {"mean": 0.5, "t": 9.0}},
    }
    assert _plausibility(metrics)["sentence"] == (
        "Too good: look for a leak. Their rank correlation across names is 0.50 and their sign is right in 80% and the "
        "Sharpe ratio is 9.00; honest forecasts of such bars do not reach a correlation of 0.20, 56% of signs right or "
        "a Sharpe ratio of 3.7. Look for columns that already hold the future, other data joined by a date on which it "
        "was not known yet, and weights or lists made with these bars in sight."
    )
