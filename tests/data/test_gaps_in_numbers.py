"""A space or an apostrophe between digits parts thousands, and nothing else; a refusal is short and names the file."""

from __future__ import annotations

import pandas as pd
import pytest

from rollcast.backtests.data.files import read_file
from rollcast.backtests.data.numbers import parse_numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12 345.5", 12345.5),
        ("1'234'567", 1234567.0),
        ("12\u202f34\u202f567", 1234567.0),
        ("$ 12.5", 12.5),
        ("1 234 K", 1234e3),
    ],
)
def test_thousands_apart_are_read(text, value):
    assert parse_numbers([text]) == ([value], None)


@pytest.mark.parametrize("text", ["12 34", "1 2345", "12 345 67", "4 5", "1'23", "1 234.5 6", "1 234 567.8 9"])
def test_other_gaps_make_no_number(text):
    assert parse_numbers([text])[1] == 0


def written(tmp_path, dates, cell="100.5") -> str:
    rows = [f"{date},{cell},{cell},{cell},{cell}" for date in dates]
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(["date,open,high,low,close", *rows]))
    return str(path)


def test_a_cell_of_any_length_is_refused_in_a_short_line_with_the_file(tmp_path):
    with pytest.raises(ValueError, match=r"prices\.csv, row 2: .* is not a number") as refused:
        read_file(written(tmp_path, ["2020-01-02", "2020-01-03"], "9" * 400 + "x"))
    assert len(str(refused.value)) < 150


def test_midnights_of_another_exchange_in_utc_are_refused_with_the_file(tmp_path):
    days = pd.bdate_range("2020-03-02", periods=60, tz="Europe/London").tz_convert("UTC")
    with pytest.raises(ValueError, match=r"^prices\.csv: .*time-zone"):
        read_file(written(tmp_path, [f"{day:%Y-%m-%dT%H:%M:%SZ}" for day in days]))
