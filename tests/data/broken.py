"""Files that cannot be read, or not be traded, and what is wrong with each."""

from __future__ import annotations

import gzip

from tests.data.dialects import DAYS, HOURS, table, zipped

# name → (content, what the error says)
BAD: dict[str, tuple[str | bytes, str]] = {
    "empty.csv": ("", "the file is empty"),
    "header_only.csv": ("Date,Open,High,Low,Close,Volume\n", "a header and no rows"),
    "no_date.csv": (table().replace("Date", "Colour"), "no column is the date; .*--column date=NAME"),
    "no_close.csv": (table().replace("Close", "Colour"), "no column is the close; .*--column close=NAME"),
    "no_low.csv": (table().replace("Low", "Colour"), "there is open and high and no low"),
    "two_closes.csv": (
        table(header=["Date", "Close", "High", "Low", "Close", "Volume"]),
        "two columns are called 'Close'",
    ),
    "word.csv": (table().replace("2021-03-05,", "2021-03-05,x"), "row 6: open 'x.*' is not a number"),
    "day_30_of_february.csv": (table().replace("2021-03-05", "2021-02-30"), "row 6: '2021-02-30' is not a date"),
    "missing_date.csv": (table().replace("\n2021-03-05", "\n"), "row 6: the date is missing"),
    "mixed_dates.csv": (table().replace("2021-03-05", "05/03/2021"), "row 6: '05/03/2021' is not a date like"),
    "no_date_at_all.csv": (table(date=lambda d: "soon"), "row 2: 'soon' is not a date in a known form"),
    "ambiguous.csv": (
        table(DAYS[:9], date="%d/%m/%Y"),
        "row 2: '01/03/2021' can be read with .*--date-format %d/%m/%Y",
    ),
    "both_orders.csv": (
        table(DAYS[-9:], date="%d/%m/%Y").replace("05/04/2021", "04/15/2021").replace("13/04", "13/04"),
        "row .*another order",
    ),
    "decimal_doubt.csv": (
        "Date;Close\n2021-03-01;1,234\n2021-03-02;1,250\n",
        "'1,234', row 2, is 1234 with thousands apart, or 1.234 with a decimal comma; say which with --decimal",
    ),
    "decimal_quarrel.csv": (
        table(mark=";").replace(str(DAYS.open["2021-03-05"]), "374,51"),
        "decimal mark is a point in '.*', row 2, and a comma in '374,51', row 6; say which with --decimal",
    ),
    "truncated.csv": (table()[:-40], "row 32: . cells where the header has 6"),
    "extra_cell.csv": (table().replace("\n2021-03-05,", "\n2021-03-05,7,"), "row 6: 7 cells where the header has 6"),
    "nan.csv": (
        table()
        .replace("2021-03-05,", "2021-03-05,null,")
        .replace(",null,", ",null,", 1)
        .replace("null," + str(DAYS.open["2021-03-05"]), "null"),
        "a price is missing: 2021-03-05 .row 6.",
    ),
    "negative.csv": (table().replace("2021-03-05,", "2021-03-05,-"), "a price is not positive: 2021-03-05 .row 6."),
    "zero.csv": ("Date,Close\n2021-03-01,10.5\n2021-03-02,0\n2021-03-03,10.6\n", "not positive: 2021-03-02 .row 3."),
    "duplicate.csv": (
        table() + table().splitlines()[-1] + "\n",
        "share a date with an earlier one: 2021-04-13 .row 33.",
    ),
    "unsorted.csv": (table() + "2021-03-06,1,1,1,1,1\n", "bars stand after later ones: 2021-03-06 .row 33."),
    "high_low.csv": (
        table(header=["Date", "Open", "Low", "High", "Close", "Volume"]),
        "the high is below another price: 2021-03-01 .row 2.",
    ),
    "volume.csv": (
        table().replace(f"{int(DAYS.volume['2021-03-05'])}", "-5"),
        "the volume is negative or infinite: 2021-03-05",
    ),
    "broken.csv.gz": (gzip.compress(table().encode())[:-30], "cannot be unpacked"),
    "broken.zip": (zipped(table())[:200], "cannot be unpacked"),
    "not_text.csv": (bytes(range(256)) * 4, "is not a text file"),
    "odd_utf16.csv": (table().encode("utf-16")[:-1], "begins as utf-16 and is not"),
    "workbook.xlsx": (b"PK\x03\x04", "is an Excel workbook; save the sheet as CSV"),
    "old_workbook.csv": (b"\xd0\xcf\x11\xe0" + bytes(600), "is an Excel workbook; save the sheet as CSV"),
    "torn.parquet": (b"PAR1" + bytes(100), "is not a whole Parquet file"),
    "two_symbols.csv": ("Price,Close,Close\nTicker,SPY,QQQ\nDate,,\n2021-03-01,1,2\n", r"holds 2 symbols \(QQQ, SPY\)"),
    "html.csv": ("<html><body>Not Found</body></html>\n", "no column is the date"),
    "sentence.txt": ("There is nothing here to trade.\n", "no column is the date"),
    "quote_left_open.csv": (table().replace("2021-03-05", '"2021-03-05'), "row .* cells where the header has 6"),
    "hour_25.csv": (
        table(HOURS, date="%Y-%m-%d %H:%M").replace(" 16:00", " 25:00", 1),
        "row 8: .* no such time of day",
    ),
    "headless_nine.csv": (table(header=[]).replace("\n", ",1,2,3\n"), "no header and 9 columns"),
}
