"""quantstats' figures against ours: noted where they differ, silent where they do not, and ours are the textbook's."""

from pathlib import Path

import numpy as np
import pytest

from rollcast.backtests.sheet.audit import REASONS, audit, figures
from rollcast.backtests.sheet.performance import performance


@pytest.fixture(scope="module")
def rows(made):
    result = made("winning")
    names = {"strategy_name": "a", "benchmark_name": "b", "periods_per_year": result.metrics["bars_per_year"]}
    return performance(result.returns, result.benchmark_returns, **names).rows


def noted(made, rows, kind="winning", **changed):
    result = made(kind)
    metrics = {**result.metrics, "strategy": {**result.metrics["strategy"], **changed}}
    return audit(rows, metrics, result.returns, result.benchmark_returns)


def test_our_figures_are_those_of_empyrical(made):
    import empyrical

    result = made("winning")
    r, b, yearly = result.returns, result.benchmark_returns, result.metrics["bars_per_year"]
    ours, _ = figures(result.metrics, r, b)
    alpha, beta = empyrical.alpha_beta(r, b, annualization=yearly)
    assert ours["Alpha"] == pytest.approx(alpha, rel=1e-9)
    assert ours["Beta"] == pytest.approx(beta, rel=1e-9)
    assert ours["Value-at-Risk per Bar"] == pytest.approx(empyrical.value_at_risk(r, 0.05), rel=1e-9)
    assert ours["Expected Shortfall (cVaR)"] == pytest.approx(r[r <= r.quantile(0.05)].mean(), rel=1e-9)
    excess = empyrical.excess_sharpe(r, b)
    assert ours["Information Ratio"] == pytest.approx(excess * np.sqrt(yearly), rel=1e-9)
    cagr = empyrical.cagr(r, annualization=yearly)
    assert ours["Treynor Ratio"] == pytest.approx(cagr / beta, rel=1e-9)
    assert ours["Recovery Factor"] == pytest.approx(
        empyrical.cum_returns_final(r) / -empyrical.max_drawdown(r), rel=1e-9
    )
    under = empyrical.cum_returns(r, 1) / empyrical.cum_returns(r, 1).cummax().clip(lower=1) - 1
    assert ours["Ulcer Performance Index"] == pytest.approx(cagr / np.sqrt((under**2).mean()), rel=1e-9)


def test_every_row_that_is_compared_is_a_row_quantstats_prints(rows):
    assert set(REASONS) == set(rows) & set(REASONS)


def test_every_row_that_is_compared_is_defined_in_the_documentation():
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8").split("## audit")[1]
    for row in REASONS:
        assert row.removesuffix(" (ann.)") in text, row


def test_the_traps_of_quantstats_are_noted_and_what_it_has_right_is_not(made, rows):
    notes = noted(made, rows)
    different = {
        "Information Ratio",
        "Ulcer Performance Index",
        "Value-at-Risk per Bar",
        "Recovery Factor",
        "Treynor Ratio",
    }
    assert different <= set(notes)
    right = {"Cumulative Return", "CAGR", "Sharpe", "Sortino", "Max Drawdown", "Volatility (ann.)", "Calmar", "Beta"}
    assert not (right | {"Correlation", "R^2", "Best Bar", "Worst Bar", "Prob. Sharpe Ratio"}) & set(notes)


@pytest.mark.parametrize(("key", "row"), [("sharpe", "Sharpe"), ("cagr", "CAGR"), ("max_drawdown", "Max Drawdown")])
def test_a_figure_that_drifted_from_quantstats_is_noted_and_rounding_is_not(made, rows, key, row):
    value = made("winning").metrics["strategy"][key]
    unit = REASONS[row][0]
    shown = float(rows[row][1].rstrip("%").replace(",", ""))
    assert row not in noted(made, rows, **{key: (shown + 0.0049) / unit})
    note = noted(made, rows, **{key: value + 0.02 / unit})[row]
    assert note.ours[0] == ""
    assert note.ours[1].startswith("ours ")


def test_a_figure_we_call_undefined_is_noted_as_a_dash(made, rows):
    assert noted(made, rows, sharpe=None)["Sharpe"].ours == ("", "ours –")


@pytest.mark.parametrize("kind", ["flat", "ten bars", "hourly", "losing"])
def test_every_kind_of_run_can_be_audited(made, rows, kind):
    result = made(kind)
    for name, note in noted(made, rows, kind).items():
        assert note.reason == REASONS[name][1]
    for side in figures(result.metrics, result.returns, result.benchmark_returns):
        assert set(side) <= set(REASONS)
