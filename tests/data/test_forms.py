"""Whose file it is, what its times are of a bar, and one symbol of a file with several."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.data.files import read_file
from rollcast.backtests.data.load import load
from rollcast.backtests.data.options import DataOptions
from tests.data.dialects import COINS, DAYS, HOURS, table

NAMES = ["open", "high", "low", "close", "volume"]
HOUR = pd.Timedelta("1h")
COIN_HOURS = COINS.set_axis(pd.date_range("2021-03-05 01:00", periods=len(COINS), freq="h"))


def stamped(bars: pd.DataFrame) -> list[list[float]]:
    """Rows as ccxt's fetch_ohlcv returns them: dated by the start, in milliseconds."""
    starts = (bars.index - HOUR).as_unit("ms").asi8
    return [[int(start), *map(float, row)] for start, row in zip(starts, bars[NAMES].to_numpy(), strict=True)]


def ccxt_csv(path):
    pd.DataFrame(stamped(COIN_HOURS), columns=["timestamp", *NAMES]).to_csv(path, index=False)


def ccxt_parquet(path):
    pd.DataFrame(stamped(COIN_HOURS), columns=["timestamp", *NAMES]).to_parquet(path)


def freqtrade_json(path):
    path.write_text(json.dumps(stamped(COIN_HOURS)))


def freqtrade_feather(path):
    starts = (COIN_HOURS.index - HOUR).as_unit("ms").tz_localize("UTC")
    COIN_HOURS[NAMES].reset_index(drop=True).assign(date=starts)[["date", *NAMES]].to_feather(path)


def databento_csv(path):
    rows = COIN_HOURS[NAMES].set_axis(COIN_HOURS.index - HOUR)
    prices = rows[NAMES[:4]].mul(1e9).round().astype("int64")
    stamps = [f"{start:%Y-%m-%dT%H:%M:%S}.000000000Z" for start in rows.index]
    prices.assign(ts_event=stamps, rtype=34, volume=rows["volume"], symbol="BTC").to_csv(path, index=False)


@pytest.mark.parametrize(
    ("name", "write", "form"),
    [
        ("a.csv", ccxt_csv, "ccxt"),
        ("a.parquet", ccxt_parquet, "ccxt"),
        ("BTC_USDT-1h.json", freqtrade_json, "ccxt or freqtrade"),
        ("BTC_USDT-1h.feather", freqtrade_feather, "freqtrade"),
        ("a.csv", databento_csv, "Databento"),
    ],
)
def test_known_forms_are_named_and_their_starts_are_moved_to_closes(name, write, form, tmp_path):
    write(tmp_path / name)
    read = read_file(tmp_path / name)
    assert read.form == form
    assert f"a file as {form} writes it" in read.statements
    assert "bars were dated by their start; moved to their close, 0 days 01:00:00 later" in read.statements
    assert list(read.rows.index) == list(COIN_HOURS.index)
    np.testing.assert_allclose(read.rows[NAMES], COIN_HOURS[NAMES], rtol=1e-9)
    closes = read_file(tmp_path / name, DataOptions(stamps="close")).rows.index
    assert list(closes) == list(COIN_HOURS.index - HOUR)


def test_yfinances_hours_are_starts_and_the_last_ends_with_the_session(tmp_path):
    starts = HOURS.index - HOUR
    starts = starts.where(HOURS.index.minute == 30, HOURS.index - pd.Timedelta("30min"))  # 15:30 to 16:00
    rows = HOURS.set_axis(starts.tz_localize("America/New_York")).rename(columns=str.title)
    rows.assign(Dividends=0.0, **{"Stock Splits": 0.0}).to_csv(tmp_path / "hours.csv", index_label="Datetime")
    loaded = load(str(tmp_path / "hours.csv"))
    assert list(loaded.bars.index) == list(HOURS.index)
    assert loaded.findings == ()


def test_starts_are_said_where_no_form_tells(tmp_path):
    path = tmp_path / "hours.csv"
    path.write_text(table(HOURS.set_axis(HOURS.index - HOUR), date="%Y-%m-%d %H:%M"))
    assert list(read_file(path).rows.index) == list(HOURS.index - HOUR)
    assert list(read_file(path, DataOptions(stamps="start")).rows.index) == list(HOURS.index)
    with pytest.raises(ValueError, match="--stamps is one of start, close, and not 'begin'"):
        DataOptions(stamps="begin")


def test_days_that_begin_in_utc_before_new_yorks_are_refused(tmp_path):
    days = pd.bdate_range("2021-03-15", periods=25)
    opens = [(day + pd.Timedelta("9h30min")).tz_localize("Asia/Hong_Kong").tz_convert("UTC") for day in days]
    path = tmp_path / "hongkong.csv"
    path.write_text("Date,Close\n" + "".join(f"{start.isoformat()},1.5\n" for start in opens))
    with pytest.raises(ValueError, match=r"bars on Sundays, at 21:30 New York's time.*--time-zone"):
        read_file(path)
    assert list(read_file(path, DataOptions(zone="Asia/Hong_Kong")).rows.index) == list(days)


def test_one_symbol_of_a_long_a_wide_and_a_two_level_file(tmp_path):
    two = pd.concat([DAYS.assign(symbol="AAA"), (DAYS * 2).assign(symbol="BBB")]).reset_index(names="date")
    wide = pd.DataFrame({"AAA": DAYS["close"], "BBB": DAYS["close"] * 2}).rename_axis("Date")
    levels = pd.concat({"AAA": DAYS, "BBB": DAYS * 2}, axis=1).swaplevel(axis=1).rename_axis("Date")
    levels.columns.names = ["Price", "Ticker"]
    two.to_csv(tmp_path / "long.csv", index=False)
    two.to_parquet(tmp_path / "long.parquet")
    wide.to_csv(tmp_path / "wide.csv")
    levels.rename(columns=str.title, level=0).to_csv(tmp_path / "levels.csv")
    levels.to_parquet(tmp_path / "levels.parquet")
    for path in sorted(tmp_path.iterdir()):
        for only, times in (("AAA", 1), ("BBB", 2)):
            rows = read_file(path, DataOptions(only=only)).rows
            assert list(rows.index) == list(DAYS.index), path
            np.testing.assert_allclose(rows["close"], DAYS["close"] * times)
        with pytest.raises(ValueError, match=r"--only AAA|--column close=NAME"):
            read_file(path)
        with pytest.raises(ValueError, match=r"CCC|AAA"):
            read_file(path, DataOptions(only="CCC"))


@pytest.mark.parametrize(
    ("text", "form", "value"),
    [
        ("112'045", "32nds", 112 + 4.5 / 32),
        ("112-04+", "32nds", 112 + 4.5 / 32),
        ("112'047", "32nds", 112 + 4.75 / 32),
        ("112'046", "32nds", 112 + 4.75 / 32),
        ("112'04", "32nds", 112.125),
        ("455'4", "8ths", 455.5),
    ],
)
def test_prices_in_fractions_are_read_as_said(text, form, value, tmp_path):
    path = tmp_path / "bond.csv"
    path.write_text(f"Date,Close\n2021-01-04,{text}\n2021-01-05,{text}\n")
    assert read_file(path, DataOptions(fractions=form)).rows["close"].tolist() == [value, value]
    with pytest.raises(ValueError, match=rf"--fractions {form}" if "'" in text else "is not a number"):
        read_file(path)


@pytest.mark.parametrize("orient", ["split", "records", "columns"])
def test_what_pandas_writes_as_json_is_read(orient, tmp_path):
    path = tmp_path / "a.json"
    frame = DAYS.rename_axis("date")
    (frame.reset_index() if orient == "records" else frame).to_json(path, orient=orient, date_format="iso")
    pd.testing.assert_frame_equal(load(str(path)).bars, DAYS, check_freq=False, check_index_type=False, rtol=1e-9)
    path.write_text('{"chart": {"result": [1, 2]}, "error": null}')
    with pytest.raises(ValueError, match=r"a.json: JSON of prices is a list of"):
        read_file(path)
