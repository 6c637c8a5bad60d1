"""The sheet of a run: one for every built-in predictor, headed by what was run."""

import re
from dataclasses import fields

import pytest

from backtests import load_bars, run, write_report
from backtests.report import facts
from predictors import BUILT_IN, Learner, WalkForward, load
from strategies.long_flat import LongFlat


def small(name):
    """The predictor of this name; a learner refitted rarely, a net for few epochs."""
    model = load(name)
    if not isinstance(model, Learner):
        return model
    quick = {"epochs": 2, "seeds": 2, "hidden": 4}
    names = {f.name for f in fields(model)}
    return WalkForward(load(name, **{k: v for k, v in quick.items() if k in names}), train=300, every=63)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_built_in_predictor_gets_a_whole_sheet_that_loads_nothing(name, tmp_path):
    result = run(load_bars("SPY", "2019-06-01"), small(name), LongFlat, symbol="SPY")
    write_report(result, tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 14
    assert not re.findall(r"""(?:src|action|data|srcset)\s*=\s*["']?(?:https?:)?//""", page)
    assert not re.findall(r"<(?:script|link|iframe|img)\b", page)
    assert result.recipe["look_ahead"]["passed"]


def test_the_head_says_what_was_run_its_costs_and_its_trades():
    result = run(load_bars("SPY", "2018-01-01"), small("ols-features"), LongFlat, symbol="SPY")
    shown = facts(result)
    scores, window = result.metrics["strategy"], result.recipe["evaluation"]
    assert shown["Predictor"].startswith("OLSFeatures(lags=5, features=('return', 'range', 'gap', 'volume'))")
    assert shown["Predictor"].endswith("refitted every 63 bars on the last 300")
    evaluated = f"{window['bars']:,} bars from {window['first']:%Y-%m-%d}, the first forecast"
    assert shown["Evaluated"] == f"{evaluated}; the 299 before it are not counted"
    assert shown["Trades"] == f"{scores['trades']:,} round trips, {scores['orders']:,} orders filled, none refused"
    assert "commission 1 bp and slippage 1 bp each way" in shown["Costs"]
    assert shown["Look-ahead"].startswith("none found")


def test_the_evaluation_window_starts_at_the_first_forecast_with_all_of_the_cash():
    bars = load_bars("SPY", "2018-01-01")
    result = run(bars, small("ols-features"), LongFlat, symbol="SPY")
    assert result.equity.index[0] == bars.index[299]
    assert result.equity.iloc[0] == 100_000
    assert result.returns.iloc[0] == result.benchmark_returns.iloc[0] == 0.0
    assert result.returns.index.equals(result.benchmark_returns.index)
