"""The user's index counts the runs of all workspaces, and whatever happens to it, no run fails."""

from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import rollcast
from rollcast import load
from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.ledger.book import HOME, OFF, Book, index_folder
from rollcast.backtests.ledger.database import NAME
from rollcast.backtests.ledger.ledger import Ledger
from rollcast.backtests.ledger.series import is_packed
from rollcast.backtests.ledger.trial_key import Row
from rollcast.backtests.pipeline.request import Request
from rollcast.strategies.long_flat import LongFlat

SAVED = Path(__file__).parent / "saved_0_1_0"
OLD = Request("sma", params={"window": "20"}, start="2018", end="2019")  # the one run in its ledger


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    bars = load_bars("SPY", "2014", "2016")
    return [Row.of(rollcast.run(bars, load("sma", window=w), LongFlat, symbol="SPY")) for w in (10, 20, 40)]


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(HOME, str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_runs_of_another_workspace_are_counted_even_when_it_was_deleted(home, tmp_path, rows):
    Book.of(tmp_path / "a").record(rows[0], tmp_path / "a" / "run")
    book = Book.of(tmp_path / "b")
    book.record(rows[1])
    found = book.trials(rows[1])
    assert (found.trials.count, found.trials.runs, found.notes) == (2, 2, ())
    assert [Path(row["workspace"]).name for row in found.listed()] == ["b", "a"]
    assert found.trials.returns.shape[1] == 2
    shutil.rmtree(tmp_path / "a")
    assert book.trials(rows[1]).trials == found.trials


def test_the_same_run_in_two_workspaces_is_one_trial(home, tmp_path, rows):
    for name in "ab":
        Book.of(tmp_path / name).record(rows[0])
    found = Book.of(tmp_path / "a").trials(rows[0]).trials
    assert (found.count, found.runs) == (1, 2)


def test_a_workspace_that_was_moved_or_copied_is_not_counted_twice(home, tmp_path, rows):
    Book.of(tmp_path / "a").record_many(rows[:2])
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    book = Book.of(tmp_path / "copy")
    book.check()
    assert (book.trials(rows[0]).trials.count, book.trials(rows[0]).trials.runs) == (2, 2)


def test_switched_off_nothing_is_written_or_counted_elsewhere_and_the_sheet_says_so(home, tmp_path, rows, monkeypatch):
    Book.of(tmp_path / "a").record(rows[0])
    monkeypatch.setenv(HOME, OFF)
    before = (home / NAME).read_bytes()
    book = Book.of(tmp_path / "b")
    book.record(rows[1])
    found = book.trials(rows[1])
    assert found.trials.count == 1
    assert found.notes == ("runs in other workspaces are not counted: ROLLCAST_LEDGER is off",)
    assert (home / NAME).read_bytes() == before


def test_the_index_is_in_the_users_data_directory_where_nothing_else_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv(HOME)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert index_folder() == tmp_path / "rollcast"
    assert Book.of(tmp_path / "a").index is not None
    assert not list(tmp_path.iterdir())


def notes_on(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("not a database, but someone's notes " * 99)


def newer(path: Path) -> None:
    Ledger(path).record_many([])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


BROKEN = {
    "no database": (notes_on, "is not a sound ledger"),
    "a folder": (lambda path: path.mkdir(parents=True), "cannot use"),
    "a file in the place of its folder": (lambda path: path.parent.write_text(""), "cannot use|File exists|Not a dir"),
    "of a newer rollcast": (newer, "update rollcast"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_index_fails_no_run_and_one_line_says_what_is_not_counted(home, tmp_path, rows, kind):
    damage, message = BROKEN[kind]
    damage(home / NAME)
    book = Book.of(tmp_path / "a")
    book.check()
    assert book.record(rows[0]) == 1
    found = book.trials(rows[0])
    assert found.trials.count == 1
    (note,) = found.notes
    assert note.startswith("runs in other workspaces are not counted: ")
    assert pd.Series([note]).str.contains(message).all()
    assert "\n" not in note


def test_an_index_that_another_process_holds_is_read_and_brought_up_to_date_later(home, tmp_path, rows, monkeypatch):
    monkeypatch.setattr("rollcast.backtests.ledger.book.PATIENCE", 0.05)
    Book.of(tmp_path / "a").record(rows[0])
    book = Book.of(tmp_path / "b")
    with closing(sqlite3.connect(home / NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        book.record(rows[1])
        found = book.trials(rows[1])
    assert found.trials.count == 2  # those of others are read
    (note,) = found.notes
    assert note.startswith("runs in this workspace are not counted in others: ")
    assert book.trials(rows[1]).notes == ()
    assert Book.of(tmp_path / "a").trials(rows[0]).trials.count == 2


WRITER = """
import pickle, sys
from pathlib import Path
from rollcast.backtests.ledger.book import Book
row = pickle.load(open(sys.argv[1], "rb"))
for k in range(6):
    recipe = {**row.recipe, "tag": f"{sys.argv[2]}-{k}"}
    columns = {**row.columns, "trial": recipe["tag"]}
    Book.of(Path(sys.argv[2])).record(type(row)(columns, recipe, row.returns, row.closes))
"""


def test_writers_of_several_workspaces_at_once_lose_no_run(home, tmp_path, rows):
    saved = tmp_path / "row.pickle"
    saved.write_bytes(pickle.dumps(rows[0]))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    words = [[sys.executable, "-c", WRITER, str(saved), str(tmp_path / name)] for name in "abcd"]
    writers = [subprocess.Popen(one, env=environment) for one in words]
    assert [writer.wait() for writer in writers] == [0] * 4
    for name in "abcd":
        Book.of(tmp_path / name).check()  # what waited too long is added now
    assert Ledger(home / NAME).size() == 24
    assert Book.of(tmp_path / "a").trials(rows[0]).trials.count == 25


def edit(path: Path, *statements: str) -> None:
    """Edits what is recorded, behind the triggers."""
    with closing(sqlite3.connect(path)) as connection, connection:
        guards = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for statement in (*(f"DROP TRIGGER {name}" for (name,) in guards), *statements):
            connection.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "sharpe = 9", "last = '2013-01-01T00:00:00'", "passed = 0", "symbol = 'IBM'", "sharpe = NULL",
        "trial = 'x'", "created = '1999'", "projection = x'00'", "workspace = ''",
    ],
)  # fmt: skip
def test_an_edited_row_is_named_and_not_counted(tmp_path, rows, change):
    ledger = Ledger(tmp_path / NAME)
    ledger.record_many(rows)
    edit(ledger.path, f"UPDATE runs SET {change} WHERE id = 2")
    found = Book.of(tmp_path).trials(rows[0])
    assert found.trials.count == 2
    assert f"1 damaged rows of {ledger.path} are not counted: run 2" in found.notes
    assert ledger.runs()["damaged"].to_dict() == {1: False, 2: True, 3: False}
    assert ledger.run(2)["damaged"]
    with pytest.raises(ValueError, match=r"run 2 of .* is damaged"):
        ledger.row(2)


def test_edited_returns_are_named_and_not_used_and_the_run_is_counted(tmp_path, rows):
    ledger = Ledger(tmp_path / NAME)
    ledger.record_many(rows)
    edit(ledger.path, "UPDATE details SET returns = (SELECT returns FROM details WHERE run = 1) WHERE run = 3")
    found = Book.of(tmp_path).trials(rows[0])
    assert (found.trials.count, found.trials.returns.shape[1]) == (3, 2)
    assert f"the returns of 1 runs of {ledger.path} are damaged and not used: run 3 …" in found.notes


def test_an_edited_market_is_named_and_its_runs_are_told_by_their_symbol(tmp_path, rows):
    ledger = Ledger(tmp_path / NAME)
    ledger.record_many(rows)
    edit(ledger.path, "UPDATE markets SET returns = zeroblob(9)")
    scaled = replace(rows[0], columns={**rows[0].columns, "trial": "x", "bars_sha256": "other", "symbol": "spy"})
    found = Book.of(tmp_path).trials(scaled)
    assert found.trials.count == 4
    assert f"1 markets in {ledger.path} are damaged: their runs are told by the symbol" in found.notes


def old_workspace(tmp_path: Path, *, folder: bool) -> Path:
    """A workspace of version 0.1.0, with the folder of its run or without."""
    out = tmp_path / "old"
    out.mkdir()
    shutil.copy(SAVED / NAME, out / NAME)
    with closing(sqlite3.connect(out / NAME)) as connection:
        (name,) = connection.execute("SELECT folder FROM runs").fetchone()
    if folder:
        (out / name).mkdir()
        OLD.run().save(out / name)
    return out


@pytest.mark.parametrize("folder", [True, False])
def test_a_ledger_of_an_earlier_version_is_migrated_without_loss(home, tmp_path, folder):
    out = old_workspace(tmp_path, folder=folder)
    query = "SELECT * FROM runs"
    with closing(sqlite3.connect(out / NAME)) as connection:
        before = connection.execute(query).fetchall()
        recipes = connection.execute("SELECT run, recipe, sketch FROM details").fetchall()
    listed = Ledger(out / NAME).runs()  # reading changes nothing
    with closing(sqlite3.connect(out / NAME)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    book = Book.of(out)
    book.check()
    with closing(sqlite3.connect(out / NAME)) as connection:
        after = connection.execute(query).fetchall()
        details = connection.execute("SELECT run, recipe, returns FROM details").fetchall()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert [row[: len(before[0])] for row in after] == before
    assert [row[:2] for row in details] == [row[:2] for row in recipes]
    assert is_packed(details[0][2]) == folder
    assert folder or details[0][2] == recipes[0][2]
    pd.testing.assert_frame_equal(book.ledger.runs(), listed)
    assert not listed["damaged"].any()
    assert Ledger(home / NAME).size() == len(before)
    with closing(sqlite3.connect(out / NAME)) as connection, pytest.raises(sqlite3.IntegrityError, match="not edited"):
        connection.execute("DELETE FROM runs")


@pytest.mark.parametrize(("symbol", "folder", "counted"), [("SPY", False, 2), ("x", True, 2), ("x", False, 1)])
def test_an_old_run_is_a_trial_by_its_bars_where_its_folder_is_there_and_by_its_symbol_where_not(
    home, tmp_path, symbol, folder, counted
):
    book = Book.of(old_workspace(tmp_path, folder=folder))
    book.check()
    bars = load_bars("SPY", "2018", "2019") * 1.0001
    row = Row.of(rollcast.run(bars, load("sma", window=30), LongFlat, symbol=symbol))
    assert book.trials(row).trials.count == counted


def test_an_old_run_made_again_is_the_same_trial(home, tmp_path):
    book = Book.of(old_workspace(tmp_path, folder=True))
    row = Row.of(OLD.run())
    assert book.record(row) == 2
    assert (book.trials(row).trials.count, book.trials(row).trials.runs) == (1, 2)
