"""What there is, and what is wrong with it."""

from __future__ import annotations

import pytest

from rollcast.backtests.data.bars import list_bars
from rollcast.backtests.data.report import check, inventory
from rollcast.backtests.data.store import path_of, remove, stored_symbols
from tests.data.broken import BAD
from tests.data.dialects import DAYS, table
from tests.data.loopback import serve
from tests.data.market import AAPL, get


def test_the_inventory_is_the_bundle_and_what_was_fetched(yahoo):
    assert inventory()["symbol"].tolist() == list_bars().index.tolist()
    get(yahoo, "AAPL")
    get(yahoo, "SPY")
    path_of("SPY").write_bytes(b"torn")
    rows = inventory().set_index(["source", "symbol"])
    assert len(rows) == 30
    assert rows.loc[("store", "AAPL"), "bars"] == len(AAPL)
    assert rows.loc[("store", "AAPL"), "frequency"] == "daily"
    assert rows.loc[("store", "SPY"), "downloaded"] == "damaged"
    remove("SPY")
    assert stored_symbols() == ["AAPL"]


@pytest.mark.parametrize("name", ["duplicate.csv", "nan.csv", "high_low.csv", "unsorted.csv"])
def test_a_check_says_what_stops_a_backtest_and_what_would_mend_it(name, tmp_path):
    path = tmp_path / name
    path.write_text(BAD[name][0])
    found = check(str(path))
    assert found.fatal
    assert found.repairs
    assert all("row" in sentence for sentence in found.fatal + found.repairs)


def test_a_check_asks_the_calendar(tmp_path, yahoo):
    path = tmp_path / "spy.csv"
    path.write_text(table(DAYS.drop(DAYS.index[7])))
    found = check(str(path))
    assert (found.fatal, found.repairs) == ((), ())
    assert found.doubts == (f"1 sessions of XNYS (assumed) have no bar: {DAYS.index[7]:%Y-%m-%d}",)
    yahoo.charts["GAP"] = serve("GAP", AAPL.drop(AAPL.index[50]))
    get(yahoo, "GAP")
    assert f"1 sessions of XNYS have no bar: {AAPL.index[50]:%Y-%m-%d}" in check("GAP").doubts
    assert check("SPY").doubts == ()
