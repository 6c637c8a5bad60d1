"""The store: what is written is read back to the bit, what is damaged is refused, and a snapshot stays what it was."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests import atomic
from rollcast.backtests.data import store
from rollcast.backtests.data.bundled import bundled
from rollcast.backtests.data.load import load
from rollcast.backtests.data.options import DataOptions
from rollcast.backtests.data.store import append, checksum, locked, path_of, read, remove, stored_symbols, stored_table
from rollcast.backtests.owner import DRAFT
from tests.command import ROOT

ROWS = bundled()["SPY"].drop(columns="adj_close").assign(split=0.0).astype(float)[store.STORED]
ABOUT = {"source": "Yahoo", "symbol": "SPY", "exchange": "XNYS"}


def keep(rows=ROWS, symbol="SPY", when="2021-08-19 12:00:00 UTC", **options):
    with locked(symbol):
        return append(symbol, rows, ABOUT, when, **options)


def test_what_is_written_is_read_back_to_the_bit():
    keep()
    held = read("SPY")
    pd.testing.assert_frame_equal(held.rows, ROWS, check_exact=True, check_freq=False, check_index_type=False)
    assert held.about == ABOUT
    assert held.snapshots[-1].sha256 == checksum(ROWS)


def test_the_store_is_asked_before_the_bundle():
    assert load("SPY").pin["source"] == "bundled"
    keep(ROWS[:-5])
    assert load("SPY").pin["source"] == "store"
    assert load("SPY", DataOptions(source="bundled")).pin["source"] == "bundled"
    assert len(load("SPY").bars) == len(ROWS) - 5
    assert load("SPY").origin == (f"Yahoo SPY, downloaded 2021-08-19 12:00:00 UTC, sha256 {checksum(ROWS[:-5])[:12]}")
    with pytest.raises(LookupError, match=r"the store holds no 'SPX'\. Did you mean 'SPY'\? Known: SPY"):
        load("SPX", DataOptions(source="store"))
    with pytest.raises(LookupError, match=r"unknown source 'stoer'\. Did you mean 'store'\?"):
        load("SPY", DataOptions(source="stoer"))


@pytest.mark.parametrize("place", [0.01, 0.2, 0.5, 0.9, 0.99])
def test_no_flipped_bit_is_ever_traded(place):
    keep()
    content = bytearray(path_of("SPY").read_bytes())
    content[int(len(content) * place)] ^= 0x10
    path_of("SPY").write_bytes(content)
    with pytest.raises(store.CorruptStore, match=r"damaged .* was not traded; fetch it again: rollcast data fetch SPY"):
        load("SPY")


@pytest.mark.parametrize("left", [0, 4, 1000])
def test_a_torn_file_is_never_traded(left):
    keep()
    path_of("SPY").write_bytes(path_of("SPY").read_bytes()[:left])
    with pytest.raises(store.CorruptStore, match="damaged"):
        load("SPY")


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=2, max_size=5))
def test_every_snapshot_is_the_first_rows_of_what_follows(steps):
    remove("SPY") if path_of("SPY").exists() else None
    past, end = [], 0
    for number, step in enumerate(steps):
        end += step
        keep(ROWS[max(end - step - 7, 0) : end], when=f"2021-08-19 12:00:0{number} UTC")
        past.append((load("SPY"), end))
    for loaded, rows in past:
        again = load("SPY", DataOptions(snapshot=loaded.pin["snapshot"]))
        assert len(again.bars) == rows
        pd.testing.assert_frame_equal(again.bars, loaded.bars, check_exact=True)
    assert checksum(read("SPY").rows) == checksum(ROWS[:end])


def test_a_run_with_an_end_does_not_change_when_a_dividend_is_paid_later():
    keep(ROWS[:6000])
    end = str(ROWS.index[5900].date())
    before = load("SPY", DataOptions(start="2005", end=end)).bars
    keep()
    pd.testing.assert_frame_equal(load("SPY", DataOptions(start="2005", end=end)).bars, before, check_exact=True)
    raw = load("SPY", DataOptions(start="2005", end=end, adjust="none"))
    assert before["close"].iloc[-1] == raw.bars["close"].iloc[-1]


def test_a_snapshot_that_is_gone_is_missed_by_name():
    old = keep(ROWS[:100]).snapshots[-1].sha256
    keep(whole=True)
    with pytest.raises(
        LookupError, match=rf"no longer holds the snapshot {old} of SPY; it holds [0-9a-f]{{12}} of 2021"
    ):
        stored_table("SPY", old)


def test_the_same_rows_again_are_no_new_snapshot():
    keep()
    keep(when="2022-01-01 00:00:00 UTC")
    assert [one.time for one in read("SPY").snapshots] == ["2022-01-01 00:00:00 UTC"]


@pytest.mark.parametrize(
    "symbol", ["^GSPC", "EURUSD=X", "BTC-USD", "BRK/B", "..", "../SPY", "AAPL.1h", "a b", "7203.T"]
)
def test_any_symbol_has_a_file_of_its_own_inside_the_store(symbol, home):
    keep(symbol=symbol)
    assert stored_symbols() == [symbol]
    assert path_of(symbol).parent == home
    assert len(read(symbol).rows) == len(ROWS)
    assert remove(symbol) == path_of(symbol)
    assert stored_symbols() == []
    with pytest.raises(LookupError, match="the store holds no "):
        remove(symbol)


def test_what_interrupts_a_write_leaves_the_old_file(home, monkeypatch):
    keep(ROWS[:100])
    content = path_of("SPY").read_bytes()

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        keep()
    assert path_of("SPY").read_bytes() == content
    assert not list(home.glob(f"{DRAFT}*"))


def test_the_draft_of_a_download_that_was_killed_is_removed_by_the_next(home):
    keep(ROWS[:100])
    code = "from rollcast.backtests.owner import draft_name; print(draft_name('0-SPY.parquet'))"
    draft = home / subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip()
    draft.write_bytes(b"half")
    keep()
    assert not draft.exists()


def test_a_lock_that_is_held_is_waited_for_and_then_said():
    with locked("SPY"), pytest.raises(ValueError, match="another process is fetching SPY"), locked("SPY", wait=0.05):
        pass


@pytest.mark.timed
def test_one_symbol_loads_in_twenty_milliseconds():
    keep()
    load("SPY")
    times = []
    for _ in range(7):
        start = time.process_time()
        load("SPY")
        times.append(time.process_time() - start)
    assert min(times) < 0.02


def test_our_adjustment_is_the_bundle_s():
    keep()
    mine, theirs = load("SPY").bars, load("SPY", DataOptions(source="bundled")).bars
    np.testing.assert_allclose(
        mine["close"].pct_change().iloc[1:], theirs["close"].pct_change().iloc[1:], rtol=0, atol=3e-6
    )
    assert len(load("SPY").actions) == 115
