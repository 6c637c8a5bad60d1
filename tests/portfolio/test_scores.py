"""The cross-section's scores against other implementations, and against what they must be by construction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rollcast import load
from rollcast.backtests.account.engine import Account
from rollcast.backtests.account.panel_engine import simulate_panel
from rollcast.backtests.account.panel_scores import (
    aligned,
    contribution,
    hac_mean,
    panel_scores,
    quantile_spread,
    rank_ic,
)
from rollcast.backtests.market.panel import Panel, load_panel
from rollcast.strategies.portfolio.top_k import TopK


@pytest.fixture(scope="module")
def panel() -> Panel:
    return load_panel("sp20", "2007", "2008")


@pytest.fixture(scope="module")
def table(panel) -> pd.DataFrame:
    ema = load("ema", span=20)
    return pd.DataFrame({s: ema.predict(bars) for s, bars in panel.bars.items()}, index=panel.calendar)


def test_rank_ic_is_spearmans_correlation_of_each_date(panel, table):
    from scipy.stats import spearmanr

    f, y = aligned(panel, table)
    ic = rank_ic(f, y)
    for date in ic.index[::37]:
        both = f.loc[date].notna()
        assert ic[date] == pytest.approx(spearmanr(f.loc[date][both], y.loc[date][both]).statistic, abs=1e-12)
    assert len(ic) == table.notna().all(axis=1).sum() - 1  # the last date has no outcome


def test_quantile_spread_is_the_top_fifth_less_the_bottom_fifth(panel, table):
    f, y = aligned(panel, table)
    spread = quantile_spread(f, y)
    for date in spread.index[::37]:
        row = f.loc[date]
        by_hand = y.loc[date, row.nlargest(4).index].mean() - y.loc[date, row.nsmallest(4).index].mean()
        assert spread[date] == pytest.approx(by_hand, abs=1e-15)


def test_a_forecast_that_knows_the_next_return_has_a_rank_ic_of_one(panel):
    outcome = panel.table("close").pct_change().shift(-1)
    scores = panel_scores(panel, outcome, 252)
    assert scores["rank_ic"]["mean"] == pytest.approx(1.0, abs=1e-12)
    worst = panel_scores(panel, -outcome, 252)
    assert worst["rank_ic"]["mean"] == pytest.approx(-1.0, abs=1e-12)
    assert worst["quantile_spread"]["mean"] == pytest.approx(-scores["quantile_spread"]["mean"], rel=0.01)


def test_a_forecast_without_a_view_has_no_rank_ic(panel):
    scores = panel_scores(panel, pd.DataFrame(0.0, panel.calendar, panel.symbols), 252)
    assert scores["dates"] == 0
    assert np.isnan([scores["rank_ic"]["mean"], scores["rank_ic"]["t"], scores["quantile_spread"]["mean"]]).all()


def test_hac_t_is_that_of_statsmodels(panel, table):
    import statsmodels.api as sm

    x = rank_ic(*aligned(panel, table)).to_numpy()
    lags = int(4 * (len(x) / 100) ** (2 / 9))
    fit = sm.OLS(x, np.ones(len(x))).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    assert hac_mean(x) == pytest.approx((fit.params[0], fit.tvalues[0]), rel=1e-10)


def test_an_outcome_is_at_the_names_own_next_bar(panel):
    symbol = panel.symbols[0]
    bars = dict(panel.bars) | {symbol: panel.bars[symbol].iloc[::3]}
    _, y = aligned(Panel("thin", bars), pd.DataFrame(1.0, panel.calendar, panel.symbols))
    closes = panel.bars[symbol]["close"].to_numpy()
    assert y[symbol].iloc[0] == closes[3] / closes[0] - 1
    assert y[symbol].iloc[1:3].isna().all()


def test_contributions_add_up_to_the_total_return(panel, table):
    account = Account(interest_bps=300, borrow_bps=200)
    found = simulate_panel(panel, table, TopK, {"short": True}, account)
    parts = contribution(panel, found, account.cash)
    total = found.history["equity"].iloc[-1] / account.cash - 1
    assert sum(parts.values()) == pytest.approx(total, abs=1e-9)
    years = (panel.calendar[-1] - panel.calendar[0]).days / 365
    assert 0 < parts["carry"] < 0.03 * years * 1.2
