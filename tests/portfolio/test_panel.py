"""Panels: what they are made of, and what they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.market.panel import Panel, load_panel
from rollcast.predictors.bars import check_bars
from rollcast.strategies.portfolio.calendar import BAR, ENDED, PAUSED, UNLISTED, on_calendar


def test_a_universe_is_a_bundled_panel_a_list_of_symbols_or_a_file(tmp_path):
    file = tmp_path / "tech.txt"
    file.write_text("# large\nAAPL\nMSFT  # since 1986\n\n")
    assert len(load_panel("sp20").bars) == 20
    assert load_panel("us5").symbols == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert load_panel("AAPL, MSFT").symbols == load_panel(file).symbols == load_panel(["AAPL", "MSFT"]).symbols
    assert load_panel(file).name == "tech"


def test_a_symbol_named_twice_and_an_unknown_one_are_refused():
    with pytest.raises(ValueError, match="AAPL is named twice"):
        load_panel("AAPL,MSFT,AAPL")
    with pytest.raises(LookupError, match="unknown symbol 'APPL'"):
        load_panel("APPL,MSFT")
    with pytest.raises(ValueError, match="at least one symbol"):
        Panel("nothing", {})


def test_dates_and_adjustment_reach_every_symbol():
    panel = load_panel("AAPL,IBM", "2010", "2011", adjusted=False)
    for symbol, bars in panel.bars.items():
        pd.testing.assert_frame_equal(bars, load_bars(symbol, "2010", "2011", adjusted=False))


def test_the_index_grows_by_the_mean_return_of_the_names_that_trade():
    panel = load_panel("us5", "2010", "2012")
    check_bars(panel.index)
    closes = panel.table("close")
    mean = (closes / closes.ffill().shift(1) - 1).mean(axis=1).fillna(0.0)
    np.testing.assert_allclose(panel.index["close"], 100 * (1 + mean).cumprod(), rtol=1e-12)
    assert closes["FB"].isna().any()


def test_on_a_date_without_a_bar_a_feed_keeps_the_last_close_and_has_no_forecast():
    fb, spy = load_bars("FB", end="2012-12"), load_bars("SPY", "2012", "2013")
    calendar, gap = spy.index.union(fb.index), fb.index[10]
    rows = on_calendar(fb.drop(gap), pd.Series(1.0, fb.index).drop(gap), calendar)
    before, over = calendar < fb.index[0], calendar > fb.index[-1]
    assert (rows["status"][before] == UNLISTED).all()
    assert (rows["close"][before] == 0).all()
    assert (rows["status"][over] == ENDED).all()
    assert (rows["open"][over] == fb["close"].iloc[-1]).all()
    assert rows.loc[gap, "status"] == PAUSED
    assert rows.loc[gap, "close"] == fb["close"].iloc[9]
    own = rows[rows["status"] == BAR]
    pd.testing.assert_frame_equal(own[list(fb.columns)], fb.drop(gap), check_freq=False, check_names=False)
    assert rows["forecast"].notna().equals(rows["status"] == BAR)
