"""Yahoo's good answers, through yfinance's own code, from a server on this machine."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from cli import main
from rollcast.backtests.data import fetch as fetching
from rollcast.backtests.data import store
from rollcast.backtests.data.bundled import bundled
from rollcast.backtests.data.doctor import compare_calendar
from rollcast.backtests.data.fetch import canonical, split_symbol
from rollcast.backtests.data.load import load
from rollcast.backtests.data.options import DataOptions
from rollcast.backtests.data.yahoo_rows import YahooError
from rollcast.backtests.digests import seal
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result
from tests.data.loopback import connector, serve
from tests.data.market import AAPL, PRICES, SPY, get


def test_prices_come_back_as_they_were_traded_and_actions_with_them(yahoo):
    got = get(yahoo, "aapl")
    rows = got.stored.rows
    assert (got.symbol, got.added) == ("AAPL", len(AAPL))
    np.testing.assert_allclose(rows[[*PRICES, "volume"]], AAPL[[*PRICES, "volume"]], rtol=1e-12)
    np.testing.assert_allclose(rows[["dividend", "split"]], AAPL[["dividend", "split"]], rtol=1e-12)
    assert got.stored.about["exchange"] == "XNYS"
    assert not [sentence for sentence in got.statements if "parts from" in sentence]


def test_the_adjusted_close_of_a_download_is_that_of_the_bundle(yahoo):
    get(yahoo, "SPY")
    mine = load("SPY").bars["close"]
    assert load("SPY").origin.startswith("Yahoo SPY, downloaded 20")
    theirs = bundled()["SPY"]["adj_close"]
    np.testing.assert_allclose(mine / mine.iloc[-1], theirs / theirs.iloc[-1], rtol=2e-6)


def test_a_split_moves_neither_adjusted_prices_nor_dollar_volume(yahoo):
    get(yahoo, "AAPL")
    full, raw = load("AAPL", DataOptions(start="2005")), load("AAPL", DataOptions(start="2005", adjust="none"))
    assert raw.bars["close"].pct_change()["2005-02-28"] < -0.45
    assert abs(full.bars["close"].pct_change()["2005-02-28"]) < 0.05
    np.testing.assert_allclose(
        full.bars["close"] * full.bars["volume"], raw.bars["close"] * raw.bars["volume"], rtol=1e-12
    )
    assert raw.actions.loc["2005-02-28", "split"] == 2
    assert not raw.findings


def test_an_account_as_of_then_goes_through_a_split_as_the_adjusted_one_does(yahoo):
    get(yahoo, "AAPL")
    full, asof = (Request("ema", symbol="AAPL", start="2000", adjust=adjust).run() for adjust in ("full", "asof"))
    assert asof.payments["split"].max() == 2
    pd.testing.assert_series_equal(asof.forecast, full.forecast, check_exact=True)
    apart = np.log(asof.history / full.history)[["equity", "benchmark"]].abs().max()
    assert (apart < 0.001).all(), apart


@pytest.mark.slow
def test_a_portfolio_of_stored_symbols_as_of_then_is_run_verified_and_reported(yahoo, tmp_path):
    get(yahoo, "AAPL")
    get(yahoo, "SPY")
    words = ("-P", "ema", "-S", "top_k", "-s", "k=1", "--symbol", "AAPL,SPY", "--start", "2003", "--end", "2007")

    def said(*words: str) -> str:
        done = CliRunner().invoke(main, list(words))
        assert done.exit_code == 0, done.output
        return done.output

    runs = {}
    for adjust in ("full", "asof"):
        out = tmp_path / adjust
        said("backtest", *words, "--adjust", adjust, "--out", str(out))
        (runs[adjust],) = (path for path in out.iterdir() if path.is_dir())
    assert said("verify", str(runs["asof"])).count("identical") == 3
    said("report", str(runs["asof"]))
    full, asof = (Result.load(run) for run in runs.values())
    pd.testing.assert_frame_equal(asof.forecasts, full.forecasts, check_exact=True)
    assert asof.metrics["panel"]["rank_ic"] == full.metrics["panel"]["rank_ic"]
    assert asof.metrics["stress"]["engine"] == "fast"
    assert set(asof.payments["symbol"]) == {"AAPL", "SPY"}
    assert asof.payments["split"].max() == 2
    apart = np.log(asof.history / full.history)[["equity", "benchmark"]].abs().max()
    assert (apart < 0.002).all(), apart
    seen = pd.read_parquet(runs["asof"] / "panel_model_bars.parquet")
    seen.iloc[5, 0] += 0.01
    seen.to_parquet(runs["asof"] / "panel_model_bars.parquet")
    seal(runs["asof"], ["panel_model_bars.parquet"])
    spoilt = CliRunner().invoke(main, ["verify", str(runs["asof"])])
    assert "panel_model_bars.parquet is not what this run was made on: AAPL is not the recipe's" in spoilt.output
    made = json.loads(said("predict", "AAPL,SPY", *words[:6], *words[8:], "--adjust", "asof", "--json"))["forecasts"]
    assert [one["forecast"] for one in made] == asof.forecasts.iloc[-1].tolist()
    assert [one["position"]["units"] for one in made] == asof.positions.iloc[-1].tolist()


def test_only_what_is_lacking_is_downloaded(yahoo):
    yahoo.charts["GROW"] = serve("GROW", AAPL[:1000])
    get(yahoo, "GROW")
    first = load("GROW").bars
    yahoo.charts["GROW"] = serve("GROW", AAPL[:1010])
    yahoo.queries.clear()
    got = get(yahoo, "GROW")
    assert got.added == 10
    asked = pd.to_datetime(int(yahoo.queries[-1][1]["period1"]), unit="s")
    assert AAPL.index[999] - pd.Timedelta(days=12) < asked < AAPL.index[999]
    pd.testing.assert_frame_equal(
        load("GROW", DataOptions(end=str(AAPL.index[999].date()))).bars, first, check_exact=True
    )


def test_a_later_split_leaves_what_was_stored_and_a_past_run_to_the_bit(yahoo):
    before = AAPL[AAPL.index < "2005-02-25"]
    yahoo.charts["TWICE"] = serve("TWICE", before)
    get(yahoo, "TWICE")
    past = load("TWICE")
    after = AAPL[AAPL.index < "2005-04-01"]
    yahoo.charts["TWICE"] = serve("TWICE", after)
    got = get(yahoo, "TWICE")
    assert got.added == len(after) - len(before)
    np.testing.assert_allclose(got.stored.rows["close"], AAPL["close"][: len(got.stored.rows)], rtol=1e-12)
    again = load("TWICE", DataOptions(snapshot=past.pin["snapshot"]))
    pd.testing.assert_frame_equal(again.bars, past.bars, check_exact=True)
    assert (again.origin, again.pin) == (past.origin, past.pin)
    assert not np.allclose(load("TWICE").bars["close"].iloc[0], past.bars["close"].iloc[0])


def test_what_yahoo_revises_is_said_and_taken_only_when_asked(yahoo):
    yahoo.charts["MIND"] = serve("MIND", AAPL[:300])
    get(yahoo, "MIND")
    changed = AAPL[:305].copy()
    changed.iloc[296, :4] *= 1.01
    yahoo.charts["MIND"] = serve("MIND", changed)
    got = get(yahoo, "MIND")
    assert any("revised 1 bars, first" in sentence for sentence in got.statements)
    assert got.stored.rows["close"].iloc[296] == pytest.approx(AAPL["close"].iloc[296])
    assert get(yahoo, "MIND", whole=True).stored.rows["close"].iloc[296] == pytest.approx(changed["close"].iloc[296])
    assert len(store.read("MIND").snapshots) == 1


def test_holes_are_left_out_and_said_and_what_was_paid_in_one_is_kept(yahoo):
    holed = AAPL[:200].copy()
    day = holed.index[100]
    holed.loc[day, [*PRICES, "volume"]] = np.nan
    holed.loc[day, "dividend"] = 0.5
    yahoo.charts["HOLE"] = serve("HOLE", holed)
    got = get(yahoo, "HOLE")
    assert got.added == 199
    assert any(f"no prices for 1 bars, left out: {day:%Y-%m-%d}" in sentence for sentence in got.statements)
    assert got.stored.rows["dividend"].sum() == pytest.approx(0.5)
    assert any(
        f"1 sessions of XNYS have no bar: {day:%Y-%m-%d}" in sentence
        for sentence in compare_calendar(store.stored_table("HOLE"))
    )


@pytest.mark.parametrize(("minutes", "kept"), [(60, False), (-1, True)])
def test_a_bar_that_is_still_being_traded_is_left_out(minutes, kept, yahoo):
    now = pd.Timestamp.now("UTC")
    rows = SPY[:40].set_axis(pd.date_range(end=now.normalize().tz_localize(None), periods=40))
    name = f"LIVE{kept}-USD".upper()
    yahoo.charts[name] = serve(name, rows, session_ends=now + pd.Timedelta(minutes=minutes))
    got = get(yahoo, name)
    assert got.stored.rows.index[-1] == rows.index[-1 if kept else -2]
    assert any("was still being traded, and left out" in sentence for sentence in got.statements) != kept


def test_hours_are_dated_by_their_close_and_the_last_of_a_session_by_its_end(yahoo):
    hours = bundled()["AAPL.1h"].assign(dividend=0.0, split=0.0).astype(float)
    shift = (pd.Timestamp.now().normalize() - hours.index[-1].normalize()).days // 7 * 7
    hours.index += pd.Timedelta(days=shift)
    hours = hours[hours.index > pd.Timestamp.now() - pd.Timedelta(days=30)]
    hours = hours[hours.groupby(hours.index.normalize())["close"].transform("size") == 7]
    starts = hours.set_axis(hours.index - pd.Timedelta(hours=1))
    starts.index = starts.index.where(hours.index.strftime("%H:%M") != "16:00", starts.index + pd.Timedelta("30min"))
    yahoo.charts["AAPL-H"] = serve("AAPL-H", starts, "1h")
    got = get(yahoo, "aapl-h.1H")
    assert got.symbol == "AAPL-H.1h"
    assert (got.stored.rows.index == hours.index).all()
    np.testing.assert_allclose(got.stored.rows["close"], hours["close"])


def test_coins_are_days_of_utc_on_a_calendar_that_never_closes(yahoo):
    coins = bundled()["BTC-USD"].assign(dividend=0.0, split=0.0).astype(float)
    yahoo.charts["BTC-USD"] = serve("BTC-USD", coins)
    got = get(yahoo, "BTC-USD")
    assert got.stored.about["exchange"] == "24/7"
    assert (got.stored.rows.index == coins.index).all()
    assert compare_calendar(store.stored_table("BTC-USD")) == []


def test_source_yahoo_downloads_what_the_store_lacks_and_only_that(yahoo, monkeypatch):
    monkeypatch.setattr("yfinance._http.new_session", connector(yahoo.base))
    yahoo.asked.clear()
    bars = load("AAPL", DataOptions(source="yahoo")).bars
    asked = yahoo.asked["AAPL"]
    assert asked >= 1
    pd.testing.assert_frame_equal(load("AAPL", DataOptions(source="yahoo")).bars, bars, check_exact=True)
    pd.testing.assert_frame_equal(load("AAPL").bars, bars, check_exact=True)
    assert yahoo.asked["AAPL"] == asked
    with pytest.raises(YahooError, match="knows no 'NOPE'"):
        load("nope", DataOptions(source="yahoo"))


def test_an_old_download_is_brought_up_to_date_only_where_the_range_asks_for_it(yahoo, monkeypatch):
    get(yahoo, "AAPL")
    held = store.read("AAPL")
    store.append("AAPL", held.rows, held.about, "2013-03-02 00:00:00 UTC", whole=True)
    assert not fetching.needs_download("AAPL", pd.Timestamp("2012-12-31"))
    assert fetching.needs_download("AAPL", pd.Timestamp("2013-12-31"))
    assert fetching.needs_download("AAPL", None)


@pytest.mark.parametrize(
    ("symbol", "ticker", "interval"),
    [
        ("spy", "SPY", "1d"),
        ("AAPL.1h", "AAPL", "1h"),
        ("vod.l", "VOD.L", "1d"),
        ("7203.T.5M", "7203.T", "5m"),
        (".1h", ".1H", "1d"),
    ],
)
def test_a_symbol_holds_its_bar_size(symbol, ticker, interval):
    assert split_symbol(symbol) == (ticker, interval)
    assert canonical(canonical(symbol)) == canonical(symbol)
