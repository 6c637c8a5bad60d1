"""What a stranger or a typing error sends: one line of what was expected, or the right reading; never a traceback."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from rollcast.backtests.data.bundled import bundled
from rollcast.backtests.data.text import FREE
from rollcast.backtests.json_values import with_texts, without_formulas
from tests.command import cli

LINES = {
    "cash": (["--cash", "1e308"], 1, "cash must be at most 1e+15"),
    "whole number": (["-p", "window=99999999999999999999"], 1, "sma: window must be a whole number of 64 bits"),
    "leverage": (["--leverage", "1e308"], 1, "leverage must be at most 1000"),
    "digits": (["-p", f"window={'9' * 5000}"], 1, "sma: window must be a whole number"),
    "start": (["--start", "2020-01", "--end", "2019"], 2, "--start 2020-01 is after --end 2019"),
    "far year": (["--start", "9999"], 1, "SPY has no bars from 9999 to its end"),
}


@pytest.mark.parametrize("case", LINES)
def test_a_value_beyond_all_bounds_is_one_line(case, tmp_path):
    options, status, line = LINES[case]
    done = cli("backtest", "-P", "sma", *options, "--out", str(tmp_path / "runs"))
    *_, last = done.stderr.splitlines()
    assert (done.returncode, last[: len(line) + 7]) == (status, f"Error: {line}")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_month_to_its_year_is_the_rest_of_the_year(tmp_path):
    done = cli("backtest", "-P", "sma", "--start", "2019-06", "--end", "2019", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (bars,) = tmp_path.glob("*/bars.parquet")
    dates = pd.read_parquet(bars).index
    assert (str(dates[0].date()), str(dates[-1].date())) == ("2019-06-03", "2019-12-31")


def prices() -> bytes:
    return bundled()["SPY"].tail(300).drop(columns="adj_close").to_csv().encode()


def test_an_infinite_price_is_a_missing_one_and_show_takes_the_repair_that_it_advises(tmp_path):
    bars = bundled()["SPY"].tail(300).drop(columns="adj_close")
    bars.iloc[5, bars.columns.get_loc("close")] = float("inf")
    bars.to_parquet(tmp_path / "a.parquet")
    done = cli("data", "show", str(tmp_path / "a.parquet"))
    assert done.returncode == 1
    assert "a price is missing" in done.stderr
    assert "--repair mends" in done.stderr
    done = cli("data", "show", str(tmp_path / "a.parquet"), "--repair")
    assert done.returncode == 0
    assert "dropped for a price that is missing" in done.stdout


def with_password(content: bytes) -> bytes:
    """The zip, whose one file says that it is encrypted."""
    return content.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01").replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
    )


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("prices.csv", content)
    return buffer.getvalue()


PACKED = {
    "prices.csv.gz": (lambda: gzip.compress(b"0" * (FREE + 1)), "unpacks to more than 10 MB; at most 100 times"),
    "prices.zip": (lambda: zipped(b"0" * (FREE + 1)), "unpacks to more than 10 MB; at most 100 times"),
    "locked.zip": (lambda: with_password(zipped(prices())), "is a zip with a password; unpack it first"),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_bomb_and_a_password_are_refused_by_one_line(name, tmp_path):
    make, line = PACKED[name]
    file = tmp_path / name
    file.write_bytes(make())
    done = cli("data", "show", str(file))
    assert done.returncode == 1
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["prices.csv.gz", "prices.zip"])
def test_a_sound_packed_file_is_read(name, tmp_path):
    file = tmp_path / name
    file.write_bytes(gzip.compress(prices()) if name.endswith("gz") else zipped(prices()))
    assert cli("data", "show", str(file)).returncode == 0


def test_no_cell_of_an_exported_table_is_a_formula(tmp_path):
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''=1", "'", "SPY", "", "\tx"]
    table = pd.DataFrame({"symbol": texts, "units": range(len(texts))})
    exported = without_formulas(table)
    assert not exported["symbol"].str.match(r"[=+\-@\t\r]").any()
    assert exported["symbol"].is_unique
    pd.testing.assert_frame_equal(with_texts(exported), table)


def test_a_run_and_a_ledger_hold_no_formula(tmp_path):
    file = tmp_path / "=cmd.csv"
    file.write_bytes(prices())
    done = cli("backtest", "-P", "sma", "--symbol", "=cmd.csv", "--out", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert cli("ledger", "export", "all.csv", "--out", "runs", cwd=tmp_path).returncode == 0
    for table in [tmp_path / "all.csv", *tmp_path.glob("runs/*/*.csv")]:
        cells = pd.read_csv(table, dtype=str).select_dtypes(["object", "string"]).stack()
        numbers = pd.to_numeric(cells, errors="coerce").notna()
        assert not cells[~numbers].str.match(r"[=+\-@]").any(), Path(table).name
    (run,) = tmp_path.glob("runs/*/")
    assert cli("verify", str(run), cwd=tmp_path).returncode == 0


def test_a_symbol_twice_is_swept_once(tmp_path):
    sweep = ["sweep", "-P", "sma", "-p", "window=1e1:3e1:1e1", "--start", "2020", "--out", str(tmp_path)]
    done = cli(*sweep, "--symbol", "SPY", "--symbol", "SPY")
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("sweep-*"))) == 1
