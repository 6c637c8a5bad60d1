"""The bundled prices: all there, all in order, and adjusted as they should be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.data.bars import FOLDER, bars_per_year, digest, frequency, list_bars, load_bars
from rollcast.predictors.bars import COLUMNS, check_bars

TABLE = list_bars()
SYMBOLS = list(TABLE.index)


def raw_file(name: str) -> pd.DataFrame:
    return pd.read_parquet(FOLDER / f"{name}.parquet").set_index("date")


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_bundled_symbol_loads_as_bars(symbol):
    bars = load_bars(symbol)
    check_bars(bars, symbol)
    assert list(bars.columns) == list(COLUMNS)
    assert set(map(str, bars.dtypes)) == {"float64"}
    row = TABLE.loc[symbol]
    assert (row["bars"], row["first"], row["last"]) == (len(bars), bars.index[0], bars.index[-1])


def test_the_list_has_every_series_that_was_promised():
    assert {"SPY", "BTC-USD", "AAPL.1h", "AAPL", "IBM", "MSFT", "GOOG", "FB"} <= set(SYMBOLS)
    assert sum(symbol.endswith(".sp20") for symbol in SYMBOLS) == 20
    assert len(SYMBOLS) == 28
    assert TABLE.loc["SPY"].tolist() == [
        7191,
        pd.Timestamp("1993-01-29"),
        pd.Timestamp("2021-08-18"),
        "daily",
        "raw+adjusted",
    ]
    assert TABLE.loc[["BTC-USD", "AAPL.1h", "XOM.sp20", "IBM"], "prices"].tolist() == [
        "raw",
        "raw",
        "adjusted",
        "raw+adjusted",
    ]
    assert TABLE.loc[["BTC-USD", "AAPL.1h", "XOM.sp20"], "frequency"].tolist() == ["daily", "hourly", "daily"]


@pytest.mark.parametrize(
    ("symbol", "file"), [("SPY", "spy"), ("AAPL", "us5"), ("MSFT", "us5"), ("FB", "us5"), ("KO.sp20", "sp20")]
)
def test_returns_of_adjusted_closes_are_those_of_adj_close(symbol, file):
    rows = raw_file(file)
    rows = rows[rows["symbol"] == symbol]
    np.testing.assert_allclose(
        load_bars(symbol)["close"].pct_change().iloc[1:], rows["adj_close"].pct_change().iloc[1:], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("symbol", ["SPY", "AAPL", "IBM"])
def test_adjusting_scales_the_four_prices_of_a_bar_alike_and_leaves_the_volume(symbol):
    adjusted, raw = load_bars(symbol), load_bars(symbol, adjusted=False)
    ratio = adjusted["close"] / raw["close"]
    for column in ("open", "high", "low"):
        np.testing.assert_allclose(adjusted[column] / raw[column], ratio, rtol=1e-12)
    assert (adjusted["volume"] == raw["volume"]).all()
    assert ratio.nunique() > 5


@pytest.mark.parametrize(("symbol", "file"), [("SPY", "spy"), ("AAPL", "us5"), ("BTC-USD", "btcusd")])
def test_raw_bars_are_the_file(symbol, file):
    rows = raw_file(file)
    rows = rows[rows["symbol"] == symbol]
    pd.testing.assert_frame_equal(
        load_bars(symbol, adjusted=False), rows[list(COLUMNS)].astype(float), check_exact=True, check_freq=False
    )


def test_a_split_moves_the_raw_price_and_not_the_adjusted_one():
    day = "2005-02-28"  # AAPL, two for one
    assert load_bars("AAPL", adjusted=False)["close"].pct_change()[day] < -0.45
    assert abs(load_bars("AAPL")["close"].pct_change()[day]) < 0.05


def test_a_series_of_closes_alone_has_no_raw_bars_and_says_so():
    with pytest.raises(ValueError, match=r"KO\.sp20 holds adjusted closes only"):
        load_bars("KO.sp20", adjusted=False)
    bars = load_bars("KO.sp20")
    assert (bars[["open", "high", "low"]].to_numpy() == bars[["close"]].to_numpy()).all()
    assert (bars["volume"] == 0).all()


# --- dates ---


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2010-01-04", "2010-01-06", "2010-01-04", "2010-01-06"),
        ("2010-01-02", "2010-01-10", "2010-01-04", "2010-01-08"),
        ("2010", "2011", "2010-01-04", "2011-12-30"),
        ("2010-06", "2010", "2010-06-01", "2010-12-31"),
        ("2010", "2010", "2010-01-04", "2010-12-31"),
        (None, "1993-02-01", "1993-01-29", "1993-02-01"),
        ("2021-08-17", None, "2021-08-17", "2021-08-18"),
        ("1900", "2100", "1993-01-29", "2021-08-18"),
    ],
)
def test_a_range_holds_both_its_ends(start, end, first, last):
    bars = load_bars("SPY", start, end)
    assert [bars.index[0], bars.index[-1]] == [pd.Timestamp(first), pd.Timestamp(last)]
    pd.testing.assert_frame_equal(bars, load_bars("SPY").loc[first:last])


def test_the_last_day_of_a_range_of_hours_is_whole():
    day = load_bars("AAPL.1h", "2025-03-03", "2025-03-03")
    assert len(day) == 7
    assert day.index[-1] == pd.Timestamp("2025-03-03 16:00")


@pytest.mark.parametrize(("start", "end"), [("2030", None), (None, "1980"), ("2010-01-02", "2010-01-03")])
def test_a_range_without_bars_says_what_there_is(start, end):
    with pytest.raises(ValueError, match=r"no bars from .* it has 7191 from 1993-01-29 to 2021-08-18"):
        load_bars("SPY", start, end)


def test_a_start_after_the_end_is_refused():
    with pytest.raises(ValueError, match="start 2012 is after end 2011"):
        load_bars("SPY", "2012", "2011")


@pytest.mark.parametrize("date", ["yesterday", "2021-02-30", "2021-13", ""])
@pytest.mark.parametrize("end", [True, False])
def test_a_date_that_is_none_is_refused_by_name_and_not_by_pandas(date, end):
    with pytest.raises(ValueError, match=rf"'{date}' is not a date"):
        load_bars("SPY", *((None, date) if end else (date, None)))


@pytest.mark.parametrize(
    ("wrong", "near"), [("SPX", "SPY"), ("BTCUSD", "BTC-USD"), ("AAPL.1H", "AAPL.1h"), ("XOM.sp2", "XOM.sp20")]
)
def test_an_unknown_symbol_is_answered_with_the_nearest_and_the_list(wrong, near):
    with pytest.raises(LookupError, match=rf"unknown symbol '{wrong}'\. Did you mean '{near}'\? Known: AAPL, .*SPY"):
        load_bars(wrong)


def test_writing_to_bars_does_not_change_what_is_loaded_next():
    bars = load_bars("SPY", "2020")
    bars.loc[:, "close"] = 1.0
    assert load_bars("SPY", "2020")["close"].min() > 200
    raw = load_bars("BTC-USD", adjusted=False)
    raw.iloc[:] = 0.0
    check_bars(load_bars("BTC-USD", adjusted=False))


# --- bars per year ---


@pytest.mark.parametrize("symbol", [s for s in SYMBOLS if s not in ("BTC-USD", "AAPL.1h")])
def test_a_year_of_stock_days_has_252_bars(symbol):
    assert bars_per_year(load_bars(symbol).index) == 252


def test_a_year_of_a_market_that_never_closes_has_365_days_and_a_year_of_stock_hours_7_a_session():
    assert bars_per_year(load_bars("BTC-USD").index) == 365
    hours = load_bars("AAPL.1h").index
    assert bars_per_year(hours) == round(len(hours) / hours.normalize().nunique() * 252)
    assert 1735 <= bars_per_year(hours) <= 1764


@pytest.mark.parametrize(
    ("rule", "expected"), [("W-FRI", 52), ("ME", 12), ("QE", 4), ("YE", 1), ("B", 252), ("D", 365), ("h", 8760)]
)
def test_bars_per_year_follow_from_the_index(rule, expected):
    assert bars_per_year(pd.date_range("2001-01-01", periods=240, freq=rule)) == expected


@pytest.mark.parametrize("n", [2, 3, 5, 10])
@pytest.mark.parametrize(
    ("rule", "low", "high"), [("W-FRI", 52, 53), ("ME", 11, 13), ("YE", 1, 1), ("2YE", 1, 1), ("B", 252, 252)]
)
def test_a_short_series_has_a_sensible_year_too(rule, low, high, n):
    assert low <= bars_per_year(pd.date_range("2001-01-01", periods=n, freq=rule)) <= high


def test_one_bar_has_a_year():
    assert bars_per_year(pd.DatetimeIndex(["2021-01-04"])) == 252


def test_any_stretch_of_spy_has_252_bars_in_a_year():
    index = load_bars("SPY").index
    stretches = [index[start : start + n] for start in range(0, 3000, 97) for n in (1, 2, 3, 4, 10, 300)]
    assert {bars_per_year(stretch) for stretch in stretches} == {252}


@pytest.mark.parametrize(
    ("rule", "name"), [("ME", "monthly"), ("W", "weekly"), ("B", "daily"), ("h", "hourly"), ("5min", "5min")]
)
def test_the_frequency_has_its_usual_name(rule, name):
    assert frequency(pd.date_range("2001-01-01", periods=60, freq=rule)) == name


# --- the digest ---


def test_the_digest_notices_any_bit_and_nothing_else():
    bars = load_bars("SPY", "2015", "2016")
    stamp = digest(bars)
    assert stamp == digest(bars.copy()) == digest(bars.set_axis(bars.index.as_unit("ns")))
    assert stamp == digest(bars[list(COLUMNS)[::-1]].assign(more=1.0))
    for column in COLUMNS:
        touched = bars.copy()
        touched.loc[touched.index[100], column] = np.nextafter(touched[column].iloc[100], np.inf)
        assert digest(touched) != stamp
    assert digest(bars.set_axis(bars.index + pd.Timedelta(minutes=1))) != stamp
    assert digest(bars.iloc[1:]) != stamp
