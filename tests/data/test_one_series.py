"""One symbol, one series, one reading: what a file leaves open is refused by name, or decided by what it holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.data.doctor import examine, repair
from rollcast.backtests.data.files import read_file
from rollcast.backtests.data.options import DataOptions

DAYS = pd.bdate_range("2021-01-04", periods=4)


def write(folder: Path, *lines: str) -> Path:
    path = folder / "prices.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("column", ["Symbol", "ticker", "Contract", "Name", "instrument_code".removesuffix("_code")])
def test_rows_of_several_symbols_are_refused_by_name(column, tmp_path):
    rows = [f"{day:%Y-%m-%d},{symbol},10.5" for symbol in ("AAA", "BBB") for day in DAYS]
    path = write(tmp_path, f"Date,{column},Close", *rows)
    with pytest.raises(ValueError, match=rf"prices.csv: the column '{column}' has 2 values \(AAA, BBB\).* --only AAA"):
        read_file(path)
    assert len(read_file(write(tmp_path, f"Date,{column},Close", *rows[:4])).rows) == 4


def test_two_contracts_one_after_the_other_are_two_series_in_parquet_too(tmp_path):
    frame = pd.DataFrame({"date": DAYS, "contract": ["H1", "H1", "M1", "M1"], "close": 10.0})
    frame.to_parquet(tmp_path / "futures.parquet")
    with pytest.raises(ValueError, match=r"futures.parquet: the column 'contract' has 2 values \(H1, M1\)"):
        read_file(tmp_path / "futures.parquet")


@pytest.mark.parametrize("ticker", ["C", "V", "L", "O"])
def test_a_one_letter_ticker_of_a_wide_file_is_no_price_column(ticker, tmp_path):
    path = write(tmp_path, f"Date,AAPL,{ticker},MSFT", *(f"{day:%Y-%m-%d},1.5,2.5,3.5" for day in DAYS))
    with pytest.raises(ValueError, match=r"no column is the close.*--column close=NAME"):
        read_file(path)
    assert (read_file(path, DataOptions(columns={"close": ticker})).rows["close"] == 2.5).all()


def test_bare_letters_are_the_four_prices_where_all_four_are_there(tmp_path):
    path = write(tmp_path, "t,date,o,h,l,c,v", *(f"1,{day:%Y-%m-%d},2.5,4.5,1.5,3.5,7" for day in DAYS))
    assert read_file(path).rows.iloc[0].to_dict() == {"open": 2.5, "high": 4.5, "low": 1.5, "close": 3.5, "volume": 7}


def test_dates_in_a_first_column_without_a_name_are_read(tmp_path):
    table = read_file(write(tmp_path, ",Close", *(f"{day:%Y-%m-%d},1.5" for day in DAYS)))
    assert list(table.rows.index) == list(DAYS)
    assert "the dates are the first column, which has no name" in table.statements


def test_frames_with_two_levels_are_read_whichever_comes_first(tmp_path):
    values = np.arange(1.0, 9.0).reshape(4, 2)
    for order in (["Price", "Ticker"], ["Ticker", "Price"]):
        columns = pd.MultiIndex.from_product([["Close", "Volume"], ["SPY"]], names=["Price", "Ticker"])
        frame = pd.DataFrame(values, DAYS.rename("Date"), columns.reorder_levels(order))
        frame.to_parquet(tmp_path / "yahoo.parquet")
        assert list(read_file(tmp_path / "yahoo.parquet").rows["close"]) == [1, 3, 5, 7]
        frame.columns = pd.MultiIndex.from_product([["Close"], ["SPY", "QQQ"]]).reorder_levels(
            [order.index("Price"), 1 - order.index("Price")]
        )
        frame.to_parquet(tmp_path / "yahoo.parquet")
        with pytest.raises(ValueError, match=r"yahoo.parquet holds 2 symbols \(SPY, QQQ\)"):
            read_file(tmp_path / "yahoo.parquet")


def test_a_frame_indexed_by_symbol_and_time_is_read_and_two_symbols_are_refused(tmp_path):
    index = pd.MultiIndex.from_product([["SPY"], DAYS], names=["symbol", "timestamp"])
    frame = pd.DataFrame({"close": [1.0, 2, 3, 4]}, index)
    frame.to_parquet(tmp_path / "alpaca.parquet")
    assert list(read_file(tmp_path / "alpaca.parquet").rows["close"]) == [1, 2, 3, 4]
    pd.concat([frame, frame.rename({"SPY": "QQQ"})]).to_parquet(tmp_path / "alpaca.parquet")
    with pytest.raises(ValueError, match="the column 'symbol' has 2 values"):
        read_file(tmp_path / "alpaca.parquet")


def test_text_in_parquet_follows_the_rules_of_text(tmp_path):
    def saved(*texts: str) -> Path:
        pd.DataFrame({"date": DAYS[: len(texts)], "close": list(texts)}).to_parquet(tmp_path / "text.parquet")
        return tmp_path / "text.parquet"

    assert list(read_file(saved("1.234,5", "99,25")).rows["close"]) == [1234.5, 99.25]
    with pytest.raises(ValueError, match=r"'100,126', row 1, is 100126 with thousands apart, or 100\.126"):
        read_file(saved("100,126", "101,500"))
    for decimal, value in ((",", 100.126), (".", 100126.0)):
        table = read_file(saved("100,126", "101,500"), DataOptions(decimal=decimal))
        assert table.rows["close"].iloc[0] == value


def test_years_in_two_digits_are_of_the_past(tmp_path):
    lines = [
        f"{day:%m/%d/%y},{value}"
        for day, value in zip(pd.bdate_range("1962-01-02", periods=30), range(1, 31), strict=True)
    ]
    for options in (None, DataOptions(date_format="%m/%d/%y")):
        index = read_file(write(tmp_path, "Date,Close", *lines), options).rows.index
        assert (index[0], index[-1]) == (pd.Timestamp("1962-01-02"), pd.Timestamp("1962-02-12"))
    index = read_file(write(tmp_path, "Date,Close", "12/31/69,1", "01/02/70,2", "01/04/21,3")).rows.index
    assert list(index.year) == [1969, 1970, 2021]


def test_a_bar_in_the_future_stops_a_backtest(tmp_path):
    tomorrow = pd.Timestamp.now().normalize() + pd.Timedelta(days=3)
    table = read_file(write(tmp_path, "Date,Close", "2021-01-04,1.5", f"{tomorrow:%Y-%m-%d},1.6"))
    assert [finding.check for finding in examine(table) if finding.fatal] == ["future"]
    mended, sentences = repair(table)
    assert list(mended.rows["close"]) == [1.5]
    assert sentences == [f"dropped for a date in the future: {tomorrow:%Y-%m-%d} (row 3)"]


@pytest.mark.parametrize(("volume", "expected"), [("0", [40, 41, 42]), ("7", [7, 7, 7])])
def test_metatraders_ticks_stand_for_a_volume_that_is_zero_everywhere(volume, expected, tmp_path):
    header = "\t".join(f"<{name}>" for name in ("DATE", "OPEN", "HIGH", "LOW", "CLOSE", "TICKVOL", "VOL", "SPREAD"))
    rows = [f"{day:%Y.%m.%d}\t1.5\t2.5\t0.5\t1.5\t{40 + n}\t{volume}\t3" for n, day in enumerate(DAYS[:3])]
    table = read_file(write(tmp_path, header, *rows))
    assert list(table.rows["volume"]) == expected
    assert any("'<VOL>' is zero in every row" in sentence for sentence in table.statements) == (volume == "0")


def test_a_day_that_stands_there_twice_is_found(tmp_path):
    days = pd.bdate_range("2021-01-04", periods=30)
    rows = [*(f"{day:%Y-%m-%d} 00:00:00-05:00,1.5" for day in days), f"{days[-1]:%Y-%m-%d} 16:00:02-05:00,1.7"]
    table = read_file(write(tmp_path, "Date,Close", *rows))
    assert [finding.check for finding in examine(table) if finding.fatal] == ["duplicates"]


def test_each_stamp_since_1970_has_the_unit_of_its_digits(tmp_path):
    stamps = [1733788800000, 1733875200000, 1733961600000000, 1734048000000000]
    table = read_file(write(tmp_path, "Date,Close", *(f"{stamp},1.5" for stamp in stamps)))
    assert list(table.rows.index) == list(pd.date_range("2024-12-10", periods=4))
    assert "dates are milliseconds and microseconds since 1970" in table.statements


@pytest.mark.parametrize("first", ["1999-07-01", "1969-07-01", "1950-01-03"])
def test_seconds_before_2001_and_before_1970_are_read(first, tmp_path):
    days = pd.bdate_range(first, periods=4)
    rows = [f"{int(day.timestamp())},1.5" for day in days]
    assert list(read_file(write(tmp_path, "time,close", *rows)).rows.index) == list(days)


def test_a_form_of_the_date_alone_reads_dates_with_a_time(tmp_path):
    rows = [f"04.01.2021 {hour:02}:00:00.000,1.5" for hour in range(1, 5)]
    path = write(tmp_path, "Gmt time,Close", *rows)
    with pytest.raises(ValueError, match=r"say which with --date-format %d\.%m\.%Y or"):
        read_file(path)
    for form, month in (("%d.%m.%Y", 1), ("%m.%d.%Y", 4), ("%d.%m.%Y %H:%M:%S.%f", 1)):
        index = read_file(path, DataOptions(date_format=form)).rows.index
        assert (index[0].month, index[0].hour, index[-1].hour) == (month, 1, 4)


def test_columns_can_be_named_behind_a_preamble_and_where_two_have_one_name(tmp_path):
    lines = [
        "Security,SPX Index",
        "Period,D",
        "Date,PX_MID,PX_LAST,PX_LAST",
        *(f"{day:%Y-%m-%d},1.5,2.5,3.5" for day in DAYS),
    ]
    path = write(tmp_path, *lines)
    with pytest.raises(ValueError, match="two columns are called 'PX_LAST'; say which with --column close=PLACE"):
        read_file(path)
    for column, value in (("PX_MID", 1.5), ("px_last", 2.5), ("3", 3.5)):
        assert read_file(path, DataOptions(columns={"close": column})).rows["close"].iloc[0] == value
    with pytest.raises(ValueError, match="there is no column 'PX_BID'"):
        read_file(path, DataOptions(columns={"close": "PX_BID"}))


def test_a_local_hour_that_comes_twice_names_the_zone_that_tells_them_apart(tmp_path):
    times = pd.date_range("2021-11-06 22:00", periods=12, freq="h", tz="UTC").tz_convert("America/New_York")
    path = write(tmp_path, "time,close", *(f"{time.isoformat(sep=' ')},1.5" for time in times))
    with pytest.raises(ValueError, match="2021-11-07 01:00 comes twice, as clocks go back; say --time-zone UTC"):
        read_file(path)
    index = read_file(path, DataOptions(zone="UTC")).rows.index
    assert list(index) == list(times.tz_convert("UTC").tz_localize(None))


@pytest.mark.parametrize("zone", ["Europe/London", "Europe/Berlin", "Asia/Tokyo"])
def test_days_of_an_exchange_to_the_east_in_utc_are_refused_and_its_zone_reads_them(zone, tmp_path):
    days = pd.bdate_range("2021-03-15", periods=25)
    rows = [f"{day.tz_localize(zone).tz_convert('UTC').isoformat(sep=' ')},1.5" for day in days]
    path = write(tmp_path, "Date,Close", *rows)
    with pytest.raises(ValueError, match=r"there are bars on Sundays.*--time-zone Europe/London or Asia/Tokyo, or UTC"):
        read_file(path)
    assert list(read_file(path, DataOptions(zone=zone)).rows.index) == list(days)
