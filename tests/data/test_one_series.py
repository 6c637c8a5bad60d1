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
    with pytest.raises(ValueError, match=rf"prices.csv: the column '{column}' has 2 values \(AAA, BBB\).* a file of"):
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
