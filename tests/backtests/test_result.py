"""The result of a run, what is saved of it, and the folder that appears whole or not at all."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rollcast
from rollcast import Predictor, WalkForward, load
from rollcast.backtests.account.engine import Account
from rollcast.backtests.data.bars import digest, load_bars
from rollcast.backtests.pipeline.result import Result
from rollcast.predictors.bars import random_walk
from rollcast.strategies.buy_and_hold import BuyAndHold
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.rule import NameState

FILES = [
    "SHA256SUMS",
    "bars.parquet",
    "equity.parquet",
    "forecasts.parquet",
    "metrics.json",
    "orders.csv",
    "positions.parquet",
    "recipe.json",
    "trades.csv",
]


@pytest.fixture(scope="module")
def result() -> Result:
    account = Account(50_000, 5, 5, fractional=True)
    return rollcast.run(load_bars("SPY", "2015", "2017"), load("ema"), LongShort, {}, account, symbol="SPY")


def folder_of(result: Result, path: Path) -> Path:
    path.mkdir()
    result.save(path)
    return path


def test_a_saved_result_loads_back_equal(result, tmp_path):
    folder = folder_of(result, tmp_path / "run")
    assert sorted(p.name for p in folder.iterdir()) == FILES
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "equity.parquet"), result.history, check_exact=True, check_freq=False
    )
    forecasts = pd.read_parquet(folder / "forecasts.parquet")["forecast"]
    pd.testing.assert_series_equal(forecasts, result.forecast, check_exact=True, check_names=False, check_freq=False)
    for name, parse_dates in (("orders", ["date"]), ("trades", ["entry_date", "exit_date"])):
        table = pd.read_csv(folder / f"{name}.csv", parse_dates=parse_dates)
        pd.testing.assert_frame_equal(table, getattr(result, name), rtol=1e-14, atol=0, check_dtype=False)


def same(saved, value) -> bool:
    """Whether a value read back from JSON is the one that was written."""
    if isinstance(value, dict):
        return set(saved) == set(value) and all(same(saved[k], v) for k, v in value.items())
    if isinstance(value, float) and not math.isfinite(value):
        return saved is None
    if isinstance(value, pd.Timestamp):
        return pd.Timestamp(saved) == value
    return saved == value


def test_metrics_and_recipe_keep_every_digit_and_write_nan_as_null(result, tmp_path):
    folder = folder_of(result, tmp_path / "run")
    for name in ("metrics", "recipe"):
        text = (folder / f"{name}.json").read_text()
        assert "NaN" not in text
        assert "Infinity" not in text
        assert same(json.loads(text), getattr(result, name)), name


def test_a_result_without_a_single_trade_is_saved_too(tmp_path):
    quiet = rollcast.run(load_bars("SPY", "2015", "2015"), load("naive"), LongFlat)
    assert quiet.trades.empty
    folder = folder_of(quiet, tmp_path / "run")
    for name in ("orders", "trades"):
        assert list(pd.read_csv(folder / f"{name}.csv").columns) == list(getattr(quiet, name).columns)
    assert json.loads((folder / "metrics.json").read_text())["strategy"]["sharpe"] is None


@dataclass(frozen=True)
class Odd(Predictor):
    """Hyper-parameters as people pass them from a notebook."""

    window: int = 5
    rate: float = 0.1
    since: pd.Timestamp | None = None
    weights: tuple = (1, 2)
    inner: Predictor | None = None

    def predict(self, bars):
        return bars["close"].pct_change()


@pytest.mark.parametrize(
    "fields",
    [
        {"window": np.int64(7)},
        {"rate": np.float32(0.5)},
        {"window": np.bool_(True)},
        {"weights": np.arange(3)},
        {"since": pd.Timestamp("2020-01-02").date()},
        {"since": pd.NaT},
        {"since": pd.Timedelta(days=1)},
        {"weights": {1, 2}},
        {"weights": (float("inf"), Path("x"))},
        {"inner": load("sma", window=9)},
    ],
    ids=lambda fields: f"{type(next(iter(fields.values()))).__name__}",
)
def test_no_hyper_parameter_however_odd_loses_a_finished_run(fields, tmp_path):
    odd = rollcast.run(random_walk(60), Odd(**fields), LongFlat)
    recipe = json.loads((folder_of(odd, tmp_path / "run") / "recipe.json").read_text())
    assert set(recipe["predictor"]) == {"class", "window", "rate", "since", "weights", "inner"}
    if "inner" in fields:
        assert recipe["predictor"]["inner"] == {"class": "SMA", "window": 9}


def test_the_recipe_says_how_to_make_the_result_again(result):
    bars = load_bars("SPY", "2015", "2017")
    recipe = result.recipe
    assert recipe["bars"] == {
        "count": len(bars),
        "first": bars.index[0],
        "last": bars.index[-1],
        "sha256": digest(bars),
    }
    assert recipe["account"] == {
        "cash": 50_000,
        "commission_bps": 5,
        "slippage_bps": 5,
        "borrow_bps": 50,
        "interest_bps": 0,
        "fractional": True,
    }
    assert recipe["predictor"]["class"] == "EMA"
    assert recipe["strategy"] == {"class": "LongShort", "tolerance": 0.1, "dead_band_bps": 1.0, "exposure": 1.0}
    assert recipe["versions"]["backtrader"] == "1.9.78.123"
    again = rollcast.run(bars, load("ema"), LongShort, {}, Account(**recipe["account"]))
    pd.testing.assert_frame_equal(again.history, result.history, check_exact=True)


def test_the_recipe_of_a_walk_forward_names_the_learner_and_its_schedule():
    made = rollcast.run(random_walk(200), WalkForward(load("ols-features"), train=100, every=50), LongFlat)
    assert made.recipe["predictor"]["train"] == 100
    assert made.recipe["predictor"]["learner"]["class"] == "OLSFeatures"


def test_extra_facts_join_the_recipe_and_leave_the_result_alone(result):
    more = result.with_recipe(command="rollcast backtest")
    assert more.recipe == {**result.recipe, "command": "rollcast backtest"}
    assert "command" not in result.recipe
    assert more.history is result.history


# --- the evaluation window ---


def test_the_result_begins_at_the_first_forecast_with_the_whole_of_the_cash():
    bars = load_bars("SPY", "2015", "2016")
    made = rollcast.run(bars, load("sma", window=100), BuyAndHold)
    assert made.history.index[0] == bars.index[99]
    assert len(made.returns) == len(made.forecast) == len(made.history) == len(bars) - 99
    assert made.history["equity"].iloc[0] == 100_000
    assert made.returns.iloc[0] == 0
    assert made.forecast.notna().all()
    assert (1 + made.returns).prod() * 100_000 == pytest.approx(made.equity.iloc[-1], rel=1e-12)
    pd.testing.assert_series_equal(made.returns, made.benchmark_returns, check_names=False)


class BuysAtOnce(BuyAndHold):
    """Deaf to the forecast, so that it trades before there is one."""

    def target(self, state: NameState) -> float:
        return 1.0


def test_what_was_traded_before_the_first_forecast_is_not_in_the_scores_of_the_window():
    bars = load_bars("SPY", "2015", "2016")
    made = rollcast.run(bars, load("sma", window=300), BuysAtOnce)
    scores = made.metrics["strategy"]
    assert made.positions.iloc[:, 0].iloc[0] > 0
    assert scores["time_in_market"] == 1
    assert scores["turnover"] == 0
    assert scores["orders"] == 0
    assert scores["commission"] == 0


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda b: b["close"] * np.nan, ValueError, "still warming up after all 60 bars"),
        (lambda b: b["close"].where(b.index != b.index[30]), ValueError, "NaN on .* after its warm-up"),
        (lambda b: b["close"] * np.inf, ValueError, "infinite"),
        (lambda b: b["close"].where(b.index == b.index[-1]), ValueError, "no bar after the first forecast"),
        (lambda b: b["close"].astype("int64"), ValueError, "must return floats; got int64"),
        (lambda b: b["close"].iloc[1:], ValueError, "on the index of its bars"),
        (lambda b: b["close"].to_numpy(), ValueError, "on the index of its bars"),
    ],
)
def test_a_forecast_that_breaks_the_contract_is_refused(make, error, words):
    class Broken(Predictor):
        def predict(self, bars):
            return make(bars)

    with pytest.raises(error, match=words):
        rollcast.run(random_walk(60), Broken(), LongFlat)


def test_a_learner_out_of_its_walk_forward_is_refused():
    with pytest.raises(TypeError, match="WalkForward"):
        rollcast.run(random_walk(60), load("ols-features"), LongFlat)
