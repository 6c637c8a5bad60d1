"""The ledger counts what was tried, says so quickly, and loses nothing to other writers, kills or damage."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rollcast
from rollcast import Predictor, WalkForward, load
from rollcast.backtests.account.engine import Account
from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.evidence.trials import Trials
from rollcast.backtests.ledger import database
from rollcast.backtests.ledger import ledger as module
from rollcast.backtests.ledger.database import NAME
from rollcast.backtests.ledger.ledger import Ledger
from rollcast.backtests.ledger.trial_key import VOLATILE, Row, trial_key
from rollcast.backtests.ledger.trials import count
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result
from rollcast.predictors import BUILT_IN
from rollcast.strategies import BUILT_IN as STRATEGIES
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "ledger_speed.py"


def made(symbol: str = "SPY", start: str = "2012", end: str = "2017", strategy: type = LongFlat, **fields) -> Result:
    predictor = fields.pop("predictor", None) or load(fields.pop("name", "sma"), **fields)
    return rollcast.run(load_bars(symbol, start, end), predictor, strategy, symbol=symbol)


@pytest.fixture(scope="module")
def sma() -> Result:
    return made()


@pytest.fixture(scope="module")
def results(sma) -> list[Result]:
    """Seven distinct trials: three on SPY, one of which never trades, one on other years of it, three elsewhere."""
    learner = WalkForward(load("ols-features"), train=500)
    return [
        sma,
        made(name="ema", span=50, strategy=LongShort),
        made(name="naive"),
        made(start="1995", end="1999"),
        made("BTC-USD"),
        made("AAPL", "2009", "2013"),
        made("AAPL", "2009", "2013", predictor=learner),
    ]


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(tmp_path / NAME)


@pytest.fixture
def full(ledger, results) -> Ledger:
    for result in results:
        ledger.record(Row.of(result))
    return ledger


def trials(ledger: Ledger, run: Row) -> Trials:
    return count(run, [ledger]).trials


@pytest.fixture(scope="module")
def speed():
    spec = importlib.util.spec_from_file_location("ledger_speed", BENCHMARK)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_a_run_is_listed_with_its_scores_in_full_precision(ledger, sma, tmp_path):
    (tmp_path / "sma-SPY").mkdir()
    assert ledger.record(Row.of(sma), tmp_path / "sma-SPY") == 1
    row, scores, r = ledger.runs().loc[1], sma.metrics["strategy"], sma.returns
    assert {name: row[name] for name in ("sharpe", "cagr", "max_drawdown", "skew", "kurtosis")} == {
        name: scores[name] for name in ("sharpe", "cagr", "max_drawdown", "skew", "kurtosis")
    }
    assert (row["n"], row["bars"], row["bars_per_year"]) == (len(r), sma.recipe["bars"]["count"], 252)
    assert (row["mean"], row["sd"]) == pytest.approx((r.mean(), r.std()), rel=1e-13)
    assert row["sharpe_bar"] * math.sqrt(252) == pytest.approx(scores["sharpe"], rel=1e-13)
    assert (row["predictor"], row["predictor_parameters"], row["strategy"]) == ("SMA", "window=50", "LongFlat")
    assert (row["symbol"], row["frequency"], row["created"]) == ("SPY", "daily", sma.recipe["created"])
    assert (row["first"], row["last"]) == (r.index[0].isoformat(), r.index[-1].isoformat())
    assert row["passed"]
    assert not row["gone"]


def test_the_recipe_comes_back_as_it_would_be_saved(ledger, sma, tmp_path):
    sma.save(tmp_path)
    assert ledger.run(ledger.record(Row.of(sma)))["recipe"] == json.loads((tmp_path / "recipe.json").read_text())
    with pytest.raises(LookupError, match="has no run 2"):
        ledger.run(2)


def test_a_deleted_run_folder_stays_in_the_ledger_and_is_shown_as_gone(ledger, sma, tmp_path):
    for name in ("kept", "deleted"):
        (tmp_path / name).mkdir()
        ledger.record(Row.of(sma), tmp_path / name)
    ledger.record(Row.of(sma))
    (tmp_path / "deleted").rmdir()
    assert ledger.runs()["gone"].to_dict() == {1: False, 2: True, 3: False}


def test_a_walk_forward_is_listed_by_its_learner_with_its_schedule(ledger):
    ledger.record(Row.of(made(predictor=WalkForward(load("ols-features"), train=500, every=250))))
    row = ledger.runs().loc[1]
    assert row["predictor"] == "OLSFeatures"
    assert row["predictor_parameters"] == "lags=5 features=return,range,gap,volume train=500 every=250"


def test_a_seed_is_a_column_and_another_seed_another_trial(ledger):
    for seed in (3, 4):
        ledger.record(Row.of(made(predictor=Coin(seed))))
    assert ledger.runs()["seed"].to_dict() == {1: 3, 2: 4}
    assert trials(ledger, ledger.row(1)).count == 2


@pytest.mark.parametrize(("column", "names"), [("predictor", BUILT_IN), ("strategy", STRATEGIES)])
def test_every_built_in_is_found_by_the_name_it_is_asked_for_by(column, names):
    for name, address in names.items():
        cls = address.split(":")[1]
        assert module._spelt(name, names) == module._spelt(cls, names) == cls.lower(), column


def test_filters_choose_and_sorts_order(full):
    assert list(full.runs().index) == [7, 6, 5, 4, 3, 2, 1]
    assert list(full.runs(symbol="SPY", limit=2).index) == [4, 3]
    assert list(full.runs(predictor="ols-features").index) == [7]
    assert list(full.runs(strategy="long_short").index) == [2]
    assert list(full.runs(predictor="somewhere/sma.py").index) == [6, 5, 4, 1]
    assert list(full.runs(predictor="kalman").index) == []
    assert len(full.runs(since="2000")) == 7
    assert full.runs(since="2999-01-01").empty
    by_sharpe = full.runs(sort="sharpe")["sharpe"]
    assert by_sharpe.iloc[:-1].is_monotonic_decreasing
    assert by_sharpe.isna().to_list() == [False] * 6 + [True]
    with pytest.raises(ValueError, match=r"cannot sort by 'sharp'\. Did you mean 'sharpe'"):
        full.runs(sort="sharp")
    with pytest.raises(ValueError, match="limit must be at least 1"):
        full.runs(limit=0)


def test_the_same_recipe_run_again_is_one_trial_and_two_runs(ledger, sma):
    again = made().with_recipe(created="2030-01-01T00:00:00+00:00", seconds=3.5, command="x", request={"seed": 1})
    ledger.record(Row.of(sma))
    assert trials(ledger, Row.of(again)) == Trials(1, 1.0, 0.0, 2)
    ledger.record(Row.of(again))
    assert trials(ledger, Row.of(again)) == trials(ledger, Row.of(sma)) == Trials(1, 1.0, 0.0, 2)


def test_a_result_loaded_from_its_folder_is_the_run_that_was_recorded(ledger, results, tmp_path):
    for number, result in enumerate(results[:3]):
        ledger.record(Row.of(result))
        folder = tmp_path / str(number)
        folder.mkdir()
        result.save(folder)
        loaded = Result.load(folder)
        assert trial_key(loaded.recipe) == trial_key(result.recipe)
        assert trials(ledger, Row.of(loaded)) == trials(ledger, Row.of(result))


def test_a_plugin_edited_under_the_same_recipe_is_another_trial(ledger, sma):
    ledger.record(Row.of(sma))
    edited = replace(made(window=49), recipe=sma.recipe)
    assert trials(ledger, Row.of(edited)).count == 2


LEAF = st.one_of(st.integers(-1000, 1000), st.text(max_size=5), st.booleans(), st.none(), st.floats(0.01, 0.99))


def test_a_ledger_of_an_earlier_version_is_read_and_its_run_counts_as_the_same_trial(tmp_path):
    shutil.copy(Path(__file__).parent / "saved_0_1_0" / NAME, tmp_path / NAME)
    ledger = Ledger(tmp_path / NAME)
    row = Row.of(Request("sma", params={"window": "20"}, start="2018", end="2019").run())
    assert ledger.runs()["trial"].to_list() == [row.columns["trial"]]
    assert ledger.record(row) == 2
    assert trials(ledger, row) == Trials(1, 1.0, 0.0, 2)


def test_a_run_made_by_an_earlier_version_is_the_same_trial_when_it_is_made_again():
    text = (Path(__file__).parent / "saved_0_1_0" / "recipe.json").read_text(encoding="utf-8")
    before = json.loads(text)
    again = Request.from_recipe(before).run()
    assert "seen" in before["bars"]
    assert trial_key(before) == trial_key(again.recipe)


@given(st.dictionaries(st.text(min_size=1, max_size=5), LEAF, min_size=1), st.data())
def test_a_key_is_deaf_to_order_and_to_what_is_volatile_and_to_nothing_else(fields, data):
    recipe = {"predictor": {"class": "SMA"} | fields, "symbol": "SPY"}
    key = trial_key(recipe)
    backwards = {"symbol": "SPY", "predictor": dict(reversed(recipe["predictor"].items()))}
    assert trial_key(backwards | dict.fromkeys(VOLATILE, data.draw(LEAF))) == key
    name = data.draw(st.sampled_from(sorted(fields)))
    other = data.draw(LEAF.filter(lambda v: (type(v), v) != (type(fields[name]), fields[name])))
    assert trial_key(recipe | {"predictor": {"class": "SMA"} | fields | {name: other}}) != key


def test_a_key_does_not_depend_on_how_a_number_or_a_set_is_written():
    def key(value):
        return trial_key({"predictor": value})

    assert key(1) == key(1.0) == key(np.float32(1)) == key(np.int64(1)) != key(1.5)
    assert key((1, 2)) == key([1, 2.0]) == key(np.array([1, 2]))
    assert key({"b", "a"}) == key(frozenset(["a", "b"]))
    assert key(object()) == key(object())


def test_trials_are_those_of_the_same_market_at_overlapping_times(full, results):
    assert [trials(full, Row.of(result)).count for result in results] == [3, 3, 3, 1, 1, 2, 2]
    week_later = made(start="2012-01-08", window=20)
    assert trials(full, Row.of(week_later)).count == 4
    assert trials(full, Row.of(made(start="2018", end="2020"))).count == 1


def test_the_variance_is_by_the_deviations_from_the_median_and_no_less_than_of_luck(ledger):
    for seed in range(9):
        ledger.record(Row.of(made(predictor=Coin(seed), strategy=LongShort)))
    row = ledger.row(9)
    sharpe = ledger.runs()["sharpe"].to_numpy() / math.sqrt(252)
    expected = (1.4826 * np.median(np.abs(sharpe - np.median(sharpe)))) ** 2
    assert expected > 1 / row.columns["n"]
    assert trials(ledger, row).sharpe_variance == pytest.approx(expected, rel=1e-12)
    assert trials(ledger, Row.of(made(start="2012-06", end="2014"))).sharpe_variance == 1 / len(
        made(start="2012-06", end="2014").returns
    )


@dataclass(frozen=True)
class Coin(Predictor):
    """A coin at every bar, tossed by its date."""

    seed: int = 0

    def predict(self, bars):
        days = (bars.index.as_unit("s").asi8 // 86_400).astype(np.uint64)
        toss = np.sin(days * np.float64(78.233) + self.seed * 37.719) * 43758.5453 % 1 < 0.5
        return pd.Series(np.where(toss, 0.01, -0.01), bars.index)


def test_near_copies_are_hardly_more_than_one_effective_trial_and_copies_are_one(ledger, sma):
    for commission in (1.0, 1.000001):
        account = Account(commission_bps=commission)
        ledger.record(Row.of(rollcast.run(load_bars("SPY", "2012", "2017"), load("sma"), LongFlat, account=account)))
    assert trials(ledger, ledger.row(1)).effective == pytest.approx(1, abs=1e-6)
    for window in (50, 51, 52, 53):
        ledger.record(Row.of(made(window=window)))
    assert trials(ledger, Row.of(sma)).effective < 1.6


def test_coins_are_about_as_many_effective_trials_as_there_are(ledger):
    for seed in range(20):
        ledger.record(Row.of(made(predictor=Coin(seed), strategy=LongShort)))
    assert trials(ledger, ledger.row(1)).effective == pytest.approx(20, rel=0.25)


def test_the_same_rule_on_half_of_the_years_is_fewer_than_two_ideas(ledger, sma):
    ledger.record(Row.of(made(start="2014-09")))
    assert trials(ledger, Row.of(sma)).count == 2
    assert trials(ledger, Row.of(sma)).effective < 2


@dataclass(frozen=True)
class Oracle(Predictor):
    """The next bar's return, from the next bar."""

    def predict(self, bars):
        return np.log(bars["close"]).diff().shift(-1).fillna(0.0)


def test_a_run_that_looked_ahead_is_marked_and_no_trial_but_its_own(ledger, sma):
    bars = load_bars("SPY", "2012", "2017")
    leaky = rollcast.run(bars, Oracle(), LongFlat, symbol="SPY", allow_lookahead=True)
    ledger.record(Row.of(leaky))
    assert not ledger.runs().loc[1, "passed"]
    assert trials(ledger, Row.of(sma)).count == 1
    ledger.record(Row.of(sma))
    assert trials(ledger, Row.of(leaky)).count == 2


def test_reading_a_ledger_that_is_not_there_makes_none(ledger, sma):
    assert ledger.runs().empty
    assert trials(ledger, Row.of(sma)) == Trials(1, 1.0, 0.0, 1)
    assert not ledger.path.exists()


def test_an_empty_file_is_an_empty_ledger(ledger, sma):
    ledger.path.touch()
    assert ledger.runs().empty
    assert ledger.record(Row.of(sma)) == 1


def other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE runs (id INTEGER)")


def newer_version(path: Path) -> None:
    Ledger(path).record(Row.of(made(start="2017")))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 3")


def torn(path: Path) -> None:
    Ledger(path).record(Row.of(made(start="2017")))
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\x99" * (len(whole) - 4096))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b"not a database, but someone's notes" * 9), "file is not a database"),
        (other_database, "it is a database of something else"),
        (newer_version, "of version 3, newer than the 2 known here; update rollcast"),
        (torn, "is not a sound ledger: .*malformed"),
    ],
    ids=["notes", "other", "newer", "torn"],
)
def test_what_is_no_ledger_gives_one_clear_line_and_is_left_as_it_is(ledger, sma, damage, message):
    damage(ledger.path)
    before = ledger.path.read_bytes()
    for call in (ledger.runs, lambda: ledger.record(Row.of(sma)), lambda: trials(ledger, Row.of(sma))):
        with pytest.raises(ValueError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
        assert str(ledger.path) in str(caught.value)
    assert ledger.path.read_bytes() == before


def test_a_ledger_that_stays_locked_or_cannot_be_opened_is_an_os_error(full, sma, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    with closing(sqlite3.connect(full.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert len(full.runs()) == 7  # who reads need not wait for who writes
        with pytest.raises(OSError, match="database is locked"):
            full.record(Row.of(sma))
    assert len(full.runs()) == 7
    with pytest.raises(OSError, match="cannot use"):
        Ledger(tmp_path).runs()


@pytest.mark.parametrize("change", ["DELETE FROM runs", "UPDATE runs SET sharpe = 9", "DELETE FROM details"])
def test_what_is_recorded_cannot_be_edited(full, change):
    attempt = pytest.raises(sqlite3.IntegrityError, match="not edited")
    with closing(sqlite3.connect(full.path)) as connection, attempt:
        connection.execute(change)


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_an_export_holds_every_run_and_recipe(full, results, tmp_path, suffix):
    file = tmp_path / f"all.{suffix}"
    assert full.export(file) == 7
    if suffix == "json":
        rows = pd.DataFrame(json.loads(file.read_text()))
    else:
        rows = pd.read_csv(file) if suffix == "csv" else pd.read_parquet(file)
        rows["recipe"] = rows["recipe"].map(json.loads)
    assert [recipe["symbol"] for recipe in rows["recipe"]] == [r.recipe["symbol"] for r in results]
    expected = full.runs().sort_index()["sharpe"].to_numpy()
    np.testing.assert_allclose(rows["sharpe"].astype(float), expected, rtol=1e-14)
    with pytest.raises(ValueError, match=r"must end in .csv, .json or .parquet"):
        full.export(tmp_path / "all.xlsx")


def test_ten_thousand_runs_are_listed(full, results, speed):
    speed.multiply(full.path, 10_000)
    runs = full.runs()
    assert (len(runs), runs["trial"].nunique()) == (10_000, 10_000)
    assert trials(full, Row.of(results[3])).count > 1000


@pytest.mark.timed
def test_ten_thousand_runs_are_listed_in_half_a_second(full, speed):
    speed.multiply(full.path, 10_000)
    began = time.perf_counter()
    runs = full.runs()
    took = time.perf_counter() - began
    assert len(runs) == 10_000
    assert took < 0.5


HALF_WRITTEN = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
for run in range(100, 300):
    connection.execute("INSERT INTO details VALUES (?, ?, ?)", (run, "{}", bytes(5000)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_transaction_killed_with_half_of_it_in_the_file_leaves_no_trace(full, sma):
    size = full.path.stat().st_size
    done = subprocess.run([sys.executable, "-c", HALF_WRITTEN, str(full.path)])
    assert done.returncode == -signal.SIGKILL
    assert full.path.stat().st_size > size  # the half is there
    assert full.path.with_name(f"{NAME}-journal").exists()
    assert len(full.runs()) == 7
    assert full.record(Row.of(sma)) == 8
    with closing(sqlite3.connect(full.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM details").fetchone() == (8,)


@pytest.mark.parametrize(("runs", "kills"), [(25, 6), pytest.param(200, 20, marks=pytest.mark.slow)])
def test_eight_writers_some_killed_lose_no_run_that_was_recorded(speed, sma, tmp_path, runs, kills):
    found = speed.hammer(tmp_path, sma, writers=8, runs=runs, kills=kills)
    assert found["kills"] == kills
    assert found["recorded"] == 8 * runs
    assert (found["lost"], found["halves"], found["integrity"]) == (0, 0, "ok")
    assert found["unsaid"] <= kills


def test_an_account_is_part_of_what_was_tried(ledger, sma):
    costly = rollcast.run(
        load_bars("SPY", "2012", "2017"), load("sma"), LongFlat, account=Account(commission_bps=10), symbol="SPY"
    )
    ledger.record(Row.of(sma))
    assert trials(ledger, Row.of(costly)).count == 2
