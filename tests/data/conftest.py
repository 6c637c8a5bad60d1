"""A server that answers as Yahoo does, and a store of its own for every test."""

from __future__ import annotations

import pytest

from rollcast.backtests.data import store


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv(store.HOME, str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture(scope="module")
def yahoo(tmp_path_factory):
    import yfinance

    from tests.data.loopback import Yahoo, serve
    from tests.data.market import AAPL, SPY

    yfinance.set_tz_cache_location(str(tmp_path_factory.mktemp("zones")))
    server = Yahoo()
    server.charts = {"AAPL": serve("AAPL", AAPL), "SPY": serve("SPY", SPY)}
    yield server
    server.close()
