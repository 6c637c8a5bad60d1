"""Files of prices: every dialect read alike, every broken one refused with a line that names the row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.data.files import read_file
from rollcast.backtests.data.load import is_file, load
from rollcast.backtests.data.numbers import decimal_mark, parse_numbers
from rollcast.backtests.data.options import DataOptions
from rollcast.predictors.bars import check_bars
from tests.data.broken import BAD
from tests.data.dialects import ADJUSTED, DAYS, GOOD, HOURS, table


def put(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def refusal(path):
    """What the reader says of a file it refuses; the file's name for one it reads."""
    try:
        load(str(path))
    except (ValueError, LookupError) as refused:
        return str(refused)
    return path.name


def test_the_corpus_is_as_large_as_was_asked():
    assert len(GOOD) + len(BAD) >= 80


@pytest.mark.parametrize("name", GOOD)
def test_every_dialect_reads_as_the_same_bars(name, tmp_path):
    content, bars, said = GOOD[name]
    loaded = load(put(tmp_path, name, content))
    pd.testing.assert_frame_equal(loaded.bars, bars, check_freq=False, rtol=2e-6, check_index_type=False)
    assert said in " | ".join(loaded.statements)
    check_bars(loaded.bars)


@pytest.mark.parametrize("name", BAD)
def test_every_broken_file_is_refused_by_name_and_row(name, tmp_path):
    content, words = BAD[name]
    with pytest.raises(ValueError, match=words) as refused:
        load(put(tmp_path, name, content))
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "name", ["duplicate.csv", "unsorted.csv", "nan.csv", "negative.csv", "high_low.csv", "volume.csv"]
)
def test_damage_is_mended_only_when_asked_and_each_repair_is_named(name, tmp_path):
    loaded = load(put(tmp_path, name, BAD[name][0]), DataOptions(repair=True))
    check_bars(loaded.bars)
    assert loaded.repairs
    assert all("2021-" in sentence and "row" in sentence for sentence in loaded.repairs)


def test_a_sound_file_is_not_repaired(tmp_path):
    path = put(tmp_path, "plain.csv", table())
    assert load(path, DataOptions(repair=True)).repairs == ()
    pd.testing.assert_frame_equal(load(path, DataOptions(repair=True)).bars, load(path).bars)


def test_columns_can_be_said(tmp_path):
    path = put(tmp_path, "odd.csv", table(header=["Wann", "A", "B", "C", "D", "E"]))
    chosen = {"date": "Wann", "open": "A", "high": "B", "low": "C", "close": "D", "volume": "5"}
    loaded = load(path, DataOptions(columns=chosen))
    pd.testing.assert_frame_equal(loaded.bars, DAYS, check_freq=False, check_index_type=False)
    assert "close is the column 'D', as asked" in loaded.statements
    with pytest.raises(ValueError, match=r"--column close=Z: there is no column 'Z'"):
        load(path, DataOptions(columns={"date": "Wann", "close": "Z"}))
    with pytest.raises(ValueError, match=r"--column clsoe=…: there is no column 'clsoe'\. Did you mean 'close'\?"):
        load(path, DataOptions(columns={"clsoe": "D"}))


def test_an_ambiguous_date_is_settled_by_its_format(tmp_path):
    path = put(tmp_path, "ambiguous.csv", BAD["ambiguous.csv"][0])
    assert load(path, DataOptions(date_format="%d/%m/%Y")).bars.index[0] == pd.Timestamp("2021-03-01")
    with pytest.raises(ValueError, match=r"is not a date of the form %d\.%m\.%Y"):
        load(path, DataOptions(date_format="%d.%m.%Y"))


def test_an_ambiguous_comma_is_settled_by_decimal(tmp_path):
    path = put(tmp_path, "doubt.csv", BAD["decimal_doubt.csv"][0])
    assert load(path, DataOptions(decimal=",")).bars["close"].tolist() == [1.234, 1.25]
    assert load(path, DataOptions(decimal=".")).bars["close"].tolist() == [1234, 1250]


def test_utc_times_are_those_of_the_exchange_that_is_said(tmp_path):
    content = table(HOURS, date=lambda d: d.tz_localize("Asia/Tokyo").tz_convert("UTC").isoformat())
    path = put(tmp_path, "tokyo.csv", content)
    assert load(path, DataOptions(zone="Asia/Tokyo")).bars.index.equals(HOURS.index)
    with pytest.raises(ValueError, match="'Tokyo' is not a time zone"):
        load(path, DataOptions(zone="Tokyo"))


def test_a_close_alone_makes_bars_and_adjusted_closes_no_raw_ones(tmp_path):
    closes = "Date,Close\n" + "".join(f"{d:%Y-%m-%d},{c}\n" for d, c in DAYS["close"].items())
    bars = load(put(tmp_path, "closes.csv", closes)).bars
    assert (bars[["open", "high", "low"]].to_numpy() == bars[["close"]].to_numpy()).all()
    path = put(tmp_path, "adjusted.csv", closes.replace("Close", "Adj Close"))
    with pytest.raises(ValueError, match="holds adjusted closes only"):
        load(path, DataOptions(adjust="none"))
    assert load(path).bars["close"].equals(bars["close"])


def test_closes_without_opens_or_volumes_say_so_and_name_their_fills(tmp_path):
    closes = "Date,Close\n" + "".join(f"{d:%Y-%m-%d},{c}\n" for d, c in DAYS["close"].items())
    loaded = load(put(tmp_path, "closes.csv", closes))
    assert loaded.missing == ("open", "high", "low", "volume")
    assert loaded.as_dict()["missing"] == loaded.missing
    assert any("filled at the next close" in sentence for sentence in loaded.cautions)
    assert any("no volume" in sentence for sentence in loaded.cautions)
    quiet = load(put(tmp_path, "all.csv", table()))
    assert (quiet.missing, quiet.cautions) == ((), ())


def test_an_adjusted_close_is_used_for_returns_and_left_out_of_raw_prices(tmp_path):
    path = put(tmp_path, "page.csv", GOOD["yahoo_page.csv"][0])
    np.testing.assert_allclose(load(path).bars["close"], ADJUSTED["close"], rtol=1e-12)
    np.testing.assert_allclose(load(path, DataOptions(adjust="none")).bars["close"], DAYS["close"], rtol=1e-12)


@pytest.mark.parametrize("keep_index", [True, False])
def test_parquet_reads_as_it_was_written(keep_index, tmp_path):
    path = tmp_path / "prices.parquet"
    (DAYS if keep_index else DAYS.reset_index()).to_parquet(path)
    pd.testing.assert_frame_equal(load(str(path)).bars, DAYS, check_freq=False, check_index_type=False)


def test_parquet_with_a_time_zone_loses_it_and_says_so(tmp_path):
    path = tmp_path / "hours.parquet"
    HOURS.tz_localize("America/New_York").rename(columns=str.title).to_parquet(path)
    loaded = load(str(path))
    assert loaded.bars.index.equals(HOURS.index)
    assert "the offset from UTC was dropped; times are exchange time as written" in loaded.statements


def test_the_file_is_pinned_by_its_bytes(tmp_path):
    path = put(tmp_path, "plain.csv", table())
    one, other = load(path), load(put(tmp_path, "other.csv", table() + "\n"))
    assert one.bars.equals(other.bars)
    assert one.pin["sha256"] != other.pin["sha256"]
    assert one.pin["sha256"][:12] in one.origin


def test_what_is_a_file_and_what_a_symbol():
    assert all(map(is_file, ["prices.csv", "a/b", "x.parquet", "x.csv.gz"]))
    assert not any(map(is_file, ["SPY", "AAPL.1h", "BRK.B", "^GSPC", "BTC-USD", "EURUSD=X"]))
    with pytest.raises(LookupError, match=r"there is no file .*missing\.csv"):
        load("missing.csv")
    with pytest.raises(ValueError, match="date_format settles how a file is read, and 'SPY' is no file"):
        load("SPY", DataOptions(date_format="%Y"))


def test_a_range_of_a_file_is_cut_before_it_is_judged(tmp_path):
    path = put(tmp_path, "negative.csv", BAD["negative.csv"][0])
    assert len(load(path, DataOptions(start="2021-03-08")).bars) == (DAYS.index >= "2021-03-08").sum()


def test_a_hundred_thousand_rows_read_as_written(tmp_path):
    bars = load_bars("BTC-USD")
    bars = pd.concat([bars] * 23).set_axis(pd.date_range("2019-01-01 00:01", periods=23 * len(bars), freq="min"))
    path = put(tmp_path, "minutes.csv", bars.to_csv(index_label="date"))
    table = read_file(path)
    assert np.array_equal(table.rows.to_numpy(), bars.to_numpy())
    assert table.rows.index.equals(bars.index)


@settings(deadline=None)
@given(
    st.lists(st.decimals(min_value="0.01", max_value=9_999_999, places=2), min_size=1, max_size=20),
    st.sampled_from([".", ","]),
    st.booleans(),
    st.sampled_from(["", "$", "€", " CHF"]),
)
def test_a_price_of_two_decimals_reads_back_however_it_was_written(values, decimal, grouped, sign):
    swap = str.maketrans(",.", ",." if decimal == "." else ".,")
    texts = [f"{value:,.2f}" if grouped else f"{value:.2f}" for value in values]
    texts = [sign + text.translate(swap) for text in texts]
    mark, _ = decimal_mark({"volume": texts}, ",", range(len(texts)))
    got, wrong = parse_numbers(texts, mark)
    assert wrong is None
    assert got.tolist() == [float(value) for value in values]


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_bytes(content)
    assert "any.csv" in refusal(path)


@settings(deadline=None)
@given(st.text(alphabet="Date,CloseOpn0123456789.-:;/\n\"' PMNaN+eZ", max_size=200), st.booleans())
def test_no_text_crashes_the_reader(tmp_path_factory, text, headed):
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_text(("Date,Close\n2021-03-01,1\n" if headed else "") + text)
    assert "any.csv" in refusal(path)
