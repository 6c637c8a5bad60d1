"""Numbers as people write them: each text and the value it is, worked out by hand; and what is none."""

from __future__ import annotations

import math
import re

import pytest

from rollcast.backtests.data.numbers import MISSING, decimal_mark, parse_numbers, refuse_fractions

POINT = {
    "1234.56": 1234.56,
    "1,234.56": 1234.56,
    "1,234,567": 1_234_567.0,
    "12,34,567.5": 1_234_567.5,  # lakhs: two digits a group but the last
    "1'234.5": 1234.5,
    "1 234.5": 1234.5,
    "1\u202f234.5": 1234.5,
    "-5": -5.0,
    "+5.25": 5.25,
    "-1,234": -1234.0,
    "(12.5)": -12.5,
    "(1,234.5)": -1234.5,
    "$1,234.5": 1234.5,
    "-$3": -3.0,
    "£.5": 0.5,
    "5.": 5.0,
    "12 USD": 12.0,
    "12.5 USDT": 12.5,
    "CHF 1'000": 1000.0,
    "1.5k": 1500.0,
    "2K": 2000.0,
    "1.5M": 1.5e6,
    "3b": 3e9,
    "$2.5 T": 2.5e12,
    "1e3": 1000.0,
    "$1.5E-3": 0.0015,
    "¥2e+4": 20_000.0,
}
COMMA = {
    "1234,56": 1234.56,
    "1.234,56": 1234.56,
    "1.234.567": 1_234_567.0,
    "1.234": 1234.0,
    "0,5": 0.5,
    ",5": 0.5,
    "5,": 5.0,
    "-1.234,5": -1234.5,
    "(0,5)": -0.5,
    "€ 1.234,5": 1234.5,
    "1,5k": 1500.0,
    "7": 7.0,
    "1,5e3": 1500.0,
}


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [(text, decimal, value) for decimal, table in ((".", POINT), (",", COMMA)) for text, value in table.items()],
)
def test_every_way_to_write_a_number_is_its_value(text, decimal, value):
    values, wrong = parse_numbers([text], decimal)
    assert wrong is None
    assert values.tolist() == pytest.approx([value], rel=1e-15)


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("text", sorted(MISSING | {"N/A", "NaN", "NULL"}))
def test_what_stands_for_a_missing_number_is_nan(text, decimal):
    values, wrong = parse_numbers(["1", text, "2"], decimal)
    assert wrong is None
    assert math.isnan(values[1])
    assert values[[0, 2]].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        *(
            (text, ".")
            for text in (
                "x",
                "1.2.3",
                "1.234,5",
                "1234,567",
                ",234",
                "1,2345",
                "1,23",
                "1,234,5",
                "k",
                "(56",
                "56)",
                "1e",
                "--5",
            )
        ),
        *((text, ".") for text in ("inf", "1-2", "e3", "12x", "1.5kk", "0.5%")),
        *((text, ",") for text in ("x", "1,2,3", "1,234.5", "1234.567", ".234", "1.2345", "1.23", "(5", "1,5x")),
    ],
)
def test_what_is_no_number_is_told_by_its_place(text, decimal):
    assert parse_numbers(["1", text, "x"], decimal)[1] == 1
    assert parse_numbers(["1", "2"], decimal)[1] is None


# --- which comma it is ---


@pytest.mark.parametrize(
    ("cells", "mark", "said"),
    [
        (["7"], ".", None),
        (["1.5"], ".", None),
        (["-0.123"], ".", None),
        ([".5"], ".", None),
        (["1.5e-3"], ".", None),
        (["1,234.56"], ".", None),
        (["1,234,567"], ".", None),
        (["1,23,456.5"], ".", None),
        (["1.234"], ".", None),  # with nothing against it a point is a point
        (["x,y", "1,2,3", "1,234,56"], ".", None),
        (["1,5"], ",", "decimal comma, as in '1,5'"),
        (["7", "2,25", "1,5"], ",", "decimal comma, as in '2,25'"),
        (["0,123"], ",", "decimal comma, as in '0,123'"),
        ([",5"], ",", "decimal comma, as in ',5'"),
        (["1,5e-3"], ",", "decimal comma, as in '1,5e-3'"),
        (["1.234,56"], ",", "decimal comma, as in '1.234,56'"),
        (["1.234.567"], ",", "decimal comma, as in '1.234.567'"),
        (["1.234", "0,5"], ",", "decimal comma, as in '0,5'"),
        (["$1,5"], ",", "decimal comma, as in '$1,5'"),
        (["-1,5"], ",", "decimal comma, as in '-1,5'"),
        (["(1,5)"], ",", "decimal comma, as in '(1,5)'"),
        (["1,5M"], ",", "decimal comma, as in '1,5M'"),
        (["0,5%"], ",", "decimal comma, as in '0,5%'"),
        (["1234,567"], ",", "decimal comma, as in '1234,567'"),
        (["12,3456"], ",", "decimal comma, as in '12,3456'"),
        (["1,234"], ".", "commas separate thousands, as in '1,234'"),
        (["999,999", "1,234"], ".", "commas separate thousands, as in '999,999'"),
        (["1,234", "0.5"], ".", "commas separate thousands, as in '1,234'"),
    ],
)
def test_the_decimal_mark_is_what_a_cell_proves(cells, mark, said):
    assert decimal_mark({"volume": cells}, ",", range(2, 2 + len(cells))) == (mark, said)


@pytest.mark.parametrize(
    ("text", "delimiter", "whole", "mark"),
    [("1,234", ";", "1234", "comma"), ("1,234", ",", "1234", "comma"), ("13.022", ";", "13022", "point")],
)
def test_a_price_that_could_be_either_is_refused_with_its_row_and_both_readings(text, delimiter, whole, mark):
    words = (
        rf"^'{text}', row 5, is {whole} with thousands apart, or [0-9.]+ with a decimal {mark}; say .* --decimal \.$"
    )
    with pytest.raises(ValueError, match=words):
        decimal_mark({"open": ["7", "8"], "close": ["9", text]}, delimiter, [3, 5])


def test_a_price_that_could_be_either_is_read_as_another_cell_proves():
    thousands = (".", "commas separate thousands, as in '1,234'")
    for delimiter in ",;":
        assert decimal_mark({"close": ["1.5", "1,234"]}, delimiter, [3, 5]) == thousands
        assert decimal_mark({"close": ["1,234,567", "1,234"]}, delimiter, [3, 5]) == thousands
        assert decimal_mark({"close": ["1,234"], "volume": ["0.5"]}, delimiter, [3]) == thousands
        assert decimal_mark({"close": ["1,5", "1,234"]}, delimiter, [3, 5]) == (",", "decimal comma, as in '1,5'")
    assert decimal_mark({"close": ["13.022"]}, ",", [3]) == (".", None)  # three decimals are usual there
    assert decimal_mark({"close": ["7"], "volume": ["1,234"]}, ",", [3]) == thousands


@pytest.mark.parametrize("text", ["112'045", "112'31", "112'16+"])
def test_an_apostrophe_that_could_part_thousands_or_32nds_is_refused(text):
    with pytest.raises(ValueError, match=rf"{re.escape(repr(text))}, row 4, has an apostrophe between thousands or"):
        refuse_fractions([["7", text]], [3, 4])


@pytest.mark.parametrize("texts", [["1'234.50", "1'120"], ["112'345"], ["1'234'000", "112'000"], ["112.5"], []])
def test_an_apostrophe_that_only_parts_thousands_is_read(texts):
    refuse_fractions([texts], range(len(texts)))


def test_cells_that_contradict_each_other_are_named_with_the_first_rows_they_stand_on():
    columns = {"open": ["1", "2,5", "3"], "close": ["2,5", "1.5", "1.5"]}
    words = (
        r"^the decimal mark is a point in '1\.5', row 7, and a comma in '2,5', row 4; "
        r"say which with --decimal \. or --decimal ,$"
    )
    with pytest.raises(ValueError, match=words):
        decimal_mark(columns, ",", [4, 7, 9])
    with pytest.raises(ValueError, match=words):
        decimal_mark(dict(reversed(columns.items())), ";", [4, 7, 9])
