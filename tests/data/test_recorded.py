"""Prices against their own dividends and splits: every way that sources write them is told from the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.data.load import load
from rollcast.backtests.data.options import DataOptions
from rollcast.backtests.data.recorded import settle
from rollcast.backtests.data.table import PRICES, Table
from rollcast.backtests.data.yahoo_rows import YahooError, as_traded
from tests.data.variants import SYMBOLS, adjusted, inverted, one_not_applied, split_adjusted, written_on
from tests.data.variants import as_traded as traded

WRITTEN = {"as traded": lambda raw: raw, "splits": split_adjusted, "both": adjusted, "inverted": inverted}
TRUE = {"as traded": "no", "splits": "for splits", "both": "for splits and dividends", "inverted": "no"}


def settled(rows, form=None, prices=None):
    return settle(Table(rows, "a test", pin={"source": "file"}, form=form), prices)


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(SYMBOLS),
    st.integers(0, 1000),
    st.lists(st.sampled_from([2.0, 3.0, 7.0, 1.5, 1.25, 0.5, 0.1]), min_size=1, max_size=3).map(tuple),
    st.sampled_from([0.001, 0.005, 0.02]),
    st.sampled_from(list(WRITTEN)),
)
def test_every_way_to_write_prices_is_recognised(symbol, seed, ratios, share, written):
    raw = traded(symbol, seed, ratios, share)
    found = settled(WRITTEN[written](raw)).adjusted
    # dividends that are too small to see, of prices split into whole cents
    assumed = {"for splits and dividends (assumed)"} if written == "splits" else set()
    assert found in {TRUE[written], *assumed}


@pytest.mark.parametrize("share", [0.001, 0.005, 0.02])
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_dividends_alone_are_never_taken_for_the_wrong_ones(symbol, share):
    raw = traded(symbol, 7, (), share)
    assert settled(adjusted(raw)).adjusted == "for splits and dividends"  # the digits show a tenth of a per cent
    assert settled(raw).adjusted in ("no", "no (assumed)")
    rounded = settled(adjusted(raw).round(dict.fromkeys(PRICES, 2)), "yfinance").adjusted
    assert rounded in ("for splits and dividends", "for splits and dividends (assumed)")


def test_what_is_assumed_is_said_with_the_option_that_says_otherwise():
    rows = traded("SPY", 1, (), 0.001, last=300)
    assert settled(rows).cautions == (
        "prices are taken to be as traded: the 5 dividends and splits on record are too small to see in them; "
        "say --prices as-traded, split-adjusted or adjusted if they are",
    )
    said = settled(rows, prices="adjusted")
    assert (said.adjusted, list(said.rows)) == ("for splits and dividends (as said)", [*PRICES, "volume"])
    assert settled(rows, prices="as-traded").rows is not rows
    pd.testing.assert_frame_equal(settled(rows, prices="as-traded").rows, rows)


def test_a_split_that_was_not_applied_yet_and_a_file_of_two_downloads_are_refused_with_their_dates():
    raw = traded("SPY", 3, (4.0, 2.0), 0.02)
    first, last = raw.index[raw["split"] > 0]
    with pytest.raises(ValueError, match=rf"adjusted for the split of {first:%Y-%m-%d} and not .* {last:%Y-%m-%d}"):
        settled(one_not_applied(raw))
    raw = traded("SPY", 3, (), 0.02)
    place = 800
    later = raw.index[place:][raw["dividend"].iloc[place:] > 0][0]
    with pytest.raises(ValueError, match=rf"not adjusted for those from {later:%Y-%m-%d} on, as of two downloads"):
        settled(written_on(raw, place))
    wrong = raw.assign(split=0.0)
    wrong.loc[wrong.index[500:], PRICES] /= 3
    wrong.loc[wrong.index[500], "split"] = 5.0
    with pytest.raises(ValueError, match=f"the prices of {wrong.index[500]:%Y-%m-%d} do not move as the split"):
        settled(wrong)


def test_yfinances_own_file_is_used_as_it_is_and_its_returns_are_those_of_the_market(tmp_path):
    raw = traded("MSFT", 5, (4.0,), 0.005)
    names = {name: name.title() for name in (*PRICES, "volume")}
    rows = adjusted(raw).rename(columns=names | {"dividend": "Dividends", "split": "Stock Splits"})
    path = tmp_path / "history.csv"
    rows.tz_localize("America/New_York").to_csv(path, index_label="Date")
    loaded = load(str(path))
    np.testing.assert_allclose(loaded.bars[PRICES], rows[["Open", "High", "Low", "Close"]], rtol=1e-12)
    assert loaded.adjusted == "for splits and dividends"
    assert loaded.cautions == ("prices are adjusted for splits and dividends already, and used as they are",)
    assert loaded.as_dict()["adjusted"] == loaded.adjusted
    with pytest.raises(ValueError, match=r"adjusted for splits and dividends, and --adjust asof .* --adjust full"):
        load(str(path), DataOptions(adjust="asof"))
    traded_rows = raw.rename(columns={"dividend": "Dividends", "split": "Stock Splits"})
    traded_rows.to_csv(path, index_label="Date")
    np.testing.assert_allclose(load(str(path)).bars["close"], rows["Close"], rtol=1e-4)  # raw is in whole cents
    assert load(str(path), DataOptions(adjust="asof")).adjusted == "no"


def test_a_download_whose_split_yahoo_has_not_applied_is_refused():
    raw = traded("SPY", 3, (4.0,), 0.0)
    names = {name: name.title() for name in (*PRICES, "volume")} | {"dividend": "Dividends", "split": "Stock Splits"}
    meta = {"exchangeTimezoneName": "America/New_York"}
    frame = split_adjusted(raw).rename(columns=names).tz_localize("America/New_York")
    np.testing.assert_allclose(as_traded(frame, meta, "1d", "SPY").rows["close"], raw["close"])
    with pytest.raises(YahooError, match=r"not adjusted for its splits, the last of .*; fetch it again in a day"):
        as_traded(raw.rename(columns=names).tz_localize("America/New_York"), meta, "1d", "SPY")
