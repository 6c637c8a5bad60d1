"""What happened has its own headline: each on a run of that kind."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from rollcast import Account, LongFlat, LongShort, Predictor, run
from rollcast.backtests.evidence import conclusion as headline
from rollcast.backtests.evidence.evidence import with_evidence
from rollcast.predictors.bars import random_walk


@dataclass(frozen=True)
class Constant(Predictor):
    """The same forecast at every bar."""

    value: float = 0.001

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        return pd.Series(self.value, bars.index, name="forecast")


@dataclass(frozen=True)
class Alternating(Predictor):
    """A forecast that changes its sign at every bar, and knows nothing."""

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        return pd.Series(np.where(np.arange(len(bars)) % 2, 0.01, -0.01), bars.index, name="forecast")


@dataclass(frozen=True)
class Informed(Predictor):
    """Forecasts with a known correlation to the next return of these very bars, which no probe on them can show."""

    closes: tuple[float, ...]
    ic: float = 0.15

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        y = np.diff(np.log(self.closes), append=math.nan)
        noise = np.random.default_rng(5).normal(0, np.nanstd(y), len(y))
        signal = np.nan_to_num(self.ic * (self.ic * y + math.sqrt(1 - self.ic**2) * noise))
        return pd.Series(signal[: len(bars)], bars.index, name="forecast")


def judged(bars, predictor, rule=LongFlat, **account):
    costs = Account(fractional=True, **account)
    return with_evidence(run(bars, predictor, rule, account=costs, allow_lookahead=True), rule, account=costs).metrics


def answers(metrics) -> dict[str, str]:
    return {entry["check"]: entry["answer"] for entry in metrics["verdict"]}


def rising(n: int = 1500, drift: float = 0.0008) -> pd.DataFrame:
    bars = random_walk(n, 1)
    growth = np.exp(drift * np.arange(n))
    return bars.assign(**{name: bars[name] * growth for name in ("open", "high", "low", "close")})


def test_what_never_traded_is_told_so_and_its_interest_is_no_skill():
    metrics = judged(rising(), Constant(0.0), interest_bps=500)
    assert metrics["conclusion"] == headline.NEVER_TRADED
    assert math.isnan(metrics["strategy"]["sharpe"])
    assert math.isnan(metrics["luck"]["psr"])
    assert metrics["strategy"]["cagr"] == pytest.approx(0.05, abs=0.003)
    assert {answers(metrics)[check] for check in ("forecast", "timing", "deflation", "costs")} == {"untested"}


def test_an_account_that_lost_nearly_everything_is_told_so():
    metrics = judged(random_walk(1500, 2), Alternating(), LongShort, commission_bps=20)
    assert metrics["strategy"]["total_return"] < -0.9
    assert metrics["conclusion"] == headline.WIPED_OUT


def test_what_was_bought_once_and_held_is_told_so_however_much_it_rose():
    metrics = judged(rising(), Constant())
    assert metrics["strategy"]["total_return"] > 0.5
    assert metrics["conclusion"] == headline.HELD
    assert answers(metrics)["timing"] == "untested"


def test_what_was_always_invested_is_told_so():
    bars = rising()
    flicker = (
        Alternating()
        .predict(bars)
        .where(np.arange(len(bars)) % 150 == 0, 0.001)
        .abs()
        .mul(np.where(np.arange(len(bars)) % 150 == 0, -1.0, 1.0))
    )  # out for one bar in a hundred and fifty

    @dataclass(frozen=True)
    class Flickering(Predictor):
        """In the market but for single bars."""

        def predict(self, bars: pd.DataFrame) -> pd.Series:
            return flicker.reindex(bars.index).rename("forecast")

    metrics = judged(bars, Flickering())
    assert metrics["strategy"]["trades"] > 5
    assert metrics["conclusion"] == headline.INVESTED


def test_a_leak_is_told_and_nothing_beside_it_is_green():
    bars = random_walk(400, 3)

    @dataclass(frozen=True)
    class Foresight(Predictor):
        """The next return itself."""

        def predict(self, bars: pd.DataFrame) -> pd.Series:
            return np.log(bars["close"]).diff().shift(-1).fillna(0.0).rename("forecast")

    metrics = judged(bars, Foresight())
    assert metrics["conclusion"] == headline.LOOKS_AHEAD
    assert set(answers(metrics).values()) == {"no", "untested"}


def test_half_a_year_is_too_short_to_say():
    assert judged(random_walk(140, 4), Alternating())["conclusion"] == headline.TOO_SHORT


def test_too_much_skill_is_too_good_to_be_true():
    bars = random_walk(1500, 5)
    metrics = judged(bars, Informed(tuple(bars["close"]), 0.6))
    assert metrics["conclusion"] == headline.TOO_GOOD
    assert "yes" not in {answers(metrics)[check] for check in ("forecast", "timing", "deflation", "holding", "costs")}


def test_a_true_edge_is_more_than_luck():
    bars = random_walk(2520, 6)
    metrics = judged(bars, Informed(tuple(bars["close"]), 0.15))
    assert metrics["conclusion"] in (headline.MORE, headline.ALL_PASSED)
    assert answers(metrics)["deflation"] == answers(metrics)["costs"] == "yes"
