"""Every way a download fails, through yfinance's own code: the cause is named and the store keeps what it held."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from rollcast.backtests.data import store
from rollcast.backtests.data.fetch import fetch
from rollcast.backtests.data.load import load
from rollcast.backtests.data.yahoo_rows import YahooError
from rollcast.backtests.owner import DRAFT
from tests.data.loopback import Yahoo, connector, serve
from tests.data.market import AAPL, get

ROOT = Path(__file__).parents[2]
FAILURES = {
    "RATE-1": "refuses RATE-1 after 8 tries: too many requests .429.; wait",
    "ERR500-1": "server failed for ERR500-1 after 8 tries: status 500",
    "ERR502-1": "server failed for ERR502-1 after 8 tries: status 502",
    "ERR403-1": "server failed for ERR403-1 after 1 try: status 403",
    "NOPE": "knows no 'NOPE'; look the ticker up",
    "NONE-1": "answer for NONE-1 cannot be read after 1 try: TypeError",
    "EMPTY-1": "has no bars of EMPTY-1: .*no price data found",
    "PAST-1": "has no bars of PAST-1: .*1m data not available for startTime=1",
    "CUT-1": "answer for CUT-1 broke off after 8 tries",
}


@pytest.mark.parametrize("ticker", FAILURES)
def test_every_failure_names_its_cause_and_stores_nothing(ticker, yahoo, home):
    with pytest.raises(YahooError, match=FAILURES[ticker]) as failed:
        get(yahoo, ticker, pause=0.002)
    assert "\n" not in str(failed.value)
    assert store.stored_symbols() == []
    assert not list(home.glob(f"{DRAFT}*"))


def hung(yahoo: Yahoo) -> float:
    """Fetches what the server never answers; returns the seconds until that was said."""
    start = time.monotonic()
    with pytest.raises(YahooError, match=r"did not answer for HANG-1 within 1 s after \d tr"):
        get(yahoo, "HANG-1", deadline=1.0, timeout=0.3)
    return time.monotonic() - start


def test_a_hung_socket_ends_at_the_deadline(yahoo):
    hung(yahoo)


@pytest.mark.timed
def test_a_hung_socket_ends_within_two_seconds_of_the_deadline(yahoo):
    assert hung(yahoo) < 3


def test_a_server_that_is_not_there_cannot_be_reached():
    with pytest.raises(YahooError, match=r"cannot be reached for SPY|did not answer for SPY"):
        fetch("SPY", connect=connector("http://127.0.0.1:9"), deadline=1.0, pause=0.01)


def test_a_passing_failure_is_tried_again(yahoo):
    assert get(yahoo, "FLAKY-1").added == len(AAPL)
    assert yahoo.asked["FLAKY-1"] >= 3


@pytest.mark.parametrize("failing", ["RATE", "ERR500", "NOPE", "CUT", "EMPTY"])
def test_a_failed_download_leaves_what_the_store_held(failing, yahoo, home):
    name = f"{failing}-KEEP"
    yahoo.charts[name] = serve(name, AAPL[:300])
    get(yahoo, name)
    content = store.path_of(name).read_bytes()
    del yahoo.charts[name]
    with pytest.raises(YahooError, match=rf"; the store still holds {name} to 2001-"):
        get(yahoo, name, pause=0.002)
    assert store.path_of(name).read_bytes() == content


def test_an_interrupt_leaves_what_the_store_held(yahoo, home, monkeypatch):
    yahoo.charts["STOP"] = serve("STOP", AAPL[:300])
    get(yahoo, "STOP")
    content = store.path_of("STOP").read_bytes()
    yahoo.charts["STOP"] = serve("STOP", AAPL[:310])

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        get(yahoo, "STOP")
    monkeypatch.undo()
    monkeypatch.setenv(store.HOME, str(home))
    assert store.path_of("STOP").read_bytes() == content
    assert not list(home.glob(f"{DRAFT}*"))
    assert get(yahoo, "STOP").added == 10  # the lock is free again


def test_a_damaged_file_is_never_traded_and_is_downloaded_again(yahoo):
    get(yahoo, "AAPL")
    path = store.path_of("AAPL")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        store.CorruptStore, match=r"the store's AAPL is damaged .* fetch it again: rollcast data fetch AAPL"
    ):
        load("AAPL")
    got = get(yahoo, "AAPL")
    assert "the store's AAPL was damaged, and was downloaded again whole" in got.statements
    assert len(load("AAPL").bars) == len(AAPL)


def test_processes_that_fetch_one_symbol_at_once_leave_it_whole(yahoo, home):
    code = (
        "from rollcast.backtests.data.fetch import fetch\nfrom tests.data.loopback import connector\n"
        f"print(fetch('AAPL', connect=connector({yahoo.base!r})).added)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    added = sorted(int(process.communicate(timeout=600)[0]) for process in running)
    assert added == [0, len(AAPL)]
    held = store.read("AAPL")
    assert len(held.rows) == len(AAPL)
    assert [path.name for path in home.glob("*.parquet")] == ["AAPL.parquet"]
    assert not list(home.glob(f"{DRAFT}*"))


def test_a_ticker_is_quoted_in_the_address(yahoo):
    with pytest.raises(YahooError, match=r"'AAPL\?X=1/\.\.'"):
        get(yahoo, "AAPL?x=1/..", pause=0.002)
    ticker, query = yahoo.queries[-1]
    assert (ticker.upper(), "x" in query) == ("AAPL%3FX=1%2F..", False)
