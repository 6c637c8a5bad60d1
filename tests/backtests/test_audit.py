"""The watch over what a predictor opens: it sees files and hosts, and nothing of the built-in predictors."""

from __future__ import annotations

import socket
import sqlite3
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from rollcast import Predictor, WalkForward, load, run
from rollcast.backtests.gate.audit import watching
from rollcast.backtests.pipeline.request import Request
from rollcast.predictors.bars import log_returns, random_walk
from rollcast.strategies.long_flat import LongFlat

BARS = random_walk(300, seed=1)


def test_files_are_listed_once_and_only_inside_the_block(tmp_path):
    prices, weights, written = (tmp_path / name for name in ("prices.csv", "net.npz", "log.txt"))
    prices.write_text("date,v\n2020-01-01,1\n")
    np.savez(weights, w=np.ones(2))
    prices.read_text()
    with watching() as opened:
        assert prices.read_text()
        assert len(pd.read_csv(prices)) == 1
        np.load(weights)["w"]
        written.write_text("written")
    prices.read_text()
    assert opened.files == [str(prices), str(weights)]
    assert opened.weights == [str(weights)]
    assert opened.sentence == f"Plugins opened {prices}, whose contents no run again can examine."
    assert opened.record["opened"]["weights"] == [str(weights)]


def test_a_database_is_a_file(tmp_path):
    with watching() as opened:
        sqlite3.connect(tmp_path / "prices.db").close()
        sqlite3.connect(":memory:").close()
    assert opened.files == [str(tmp_path / "prices.db")]


def test_a_connection_is_a_host():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = server.getsockname()
        with watching() as opened, socket.create_connection(address):
            pass
    assert opened.hosts == [f"127.0.0.1:{address[1]}"]
    assert "127.0.0.1" in opened.sentence


def test_records_may_be_nested(tmp_path):
    (tmp_path / "a.csv").write_text("a")
    with watching() as outer, watching() as inner:
        (tmp_path / "a.csv").read_text()
    assert outer.files == inner.files == [str(tmp_path / "a.csv")]


@pytest.mark.parametrize("name", ["naive", "sma", "ema", "kalman", "ols-features"])
def test_a_built_in_predictor_opens_nothing(name):
    model = load(name)
    predictor = model if isinstance(model, Predictor) else WalkForward(model, train=100, every=50)
    with watching() as opened:
        predictor.predict(BARS)
    assert opened.record == {}


@dataclass(frozen=True)
class Reads(Predictor):
    """Momentum, and a file that it does nothing with.

    path: of the file.
    """

    path: str = ""

    def predict(self, bars):
        with open(self.path) as file:
            file.read()
        return log_returns(bars).rolling(5).mean()


def test_the_recipe_names_what_a_predictor_opened(tmp_path):
    (tmp_path / "later.csv").write_text("1")
    recipe = run(BARS, Reads(str(tmp_path / "later.csv")), LongFlat).recipe
    assert recipe["look_ahead"]["opened"]["files"] == [str(tmp_path / "later.csv")]
    assert "opened" not in run(BARS, load("sma", window=5), LongFlat).recipe["look_ahead"]


PLUGIN = """
from dataclasses import dataclass
from pathlib import Path
from rollcast import NameRule, Predictor, load_bars

LATER = load_bars("SPY")["close"].shift(-1)
TEXT = Path({prices!r}).read_text()


@dataclass(frozen=True)
class Merged(Predictor):
    def predict(self, bars):
        return bars["close"].pct_change().astype(float)


@dataclass
class Told(NameRule):
    def decide(self, state):
        open({orders!r}).close()
        return 1.0
"""


def test_what_a_plugin_reads_when_it_is_imported_or_trades_is_named(tmp_path):
    prices, orders, plugin = tmp_path / "prices.csv", tmp_path / "orders.csv", tmp_path / "plugin.py"
    for file in (prices, orders):
        file.write_text("1")
    plugin.write_text(PLUGIN.format(prices=str(prices), orders=str(orders)))
    request = Request(predictor=f"{plugin}:Merged", strategy="long_flat", start="2019", end="2019")
    opened = request.run().recipe["look_ahead"]["opened"]
    assert opened["files"] == ["the prices of SPY", str(prices)]
    told = replace(request, predictor="sma", strategy=f"{plugin}:Told").run().recipe["look_ahead"]["opened"]
    assert told["files"] == ["the prices of SPY", str(prices), str(orders)]
