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
from hypothesis import given, settings
from hypothesis import strategies as st

import rollcast
from rollcast import Predictor, WalkForward, load
from rollcast.backtests.account.engine import Account
from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.evidence import luck
from rollcast.backtests.evidence.trials import Trials
from rollcast.backtests.ledger import database
from rollcast.backtests.ledger import ledger as module
from rollcast.backtests.ledger.database import NAME
from rollcast.backtests.ledger.ledger import Ledger
from rollcast.backtests.ledger.returns_sketch import _correlations, _lifted, _unpacked, effective, sketch
from rollcast.backtests.ledger.trial_key import VOLATILE, Row, trial_key
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
    assert ledger.summary().loc["SPY", "trials"] == 2


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
    assert ledger.trials(Row.of(again)) == Trials(1, 1.0, 0.0, 2)
    ledger.record(Row.of(again))
    assert ledger.trials(Row.of(again)) == ledger.trials(Row.of(sma)) == Trials(1, 1.0, 0.0, 2)


def test_a_result_loaded_from_its_folder_is_the_run_that_was_recorded(ledger, results, tmp_path):
    for number, result in enumerate(results[:3]):
        ledger.record(Row.of(result))
        folder = tmp_path / str(number)
        folder.mkdir()
        result.save(folder)
        loaded = Result.load(folder)
        assert trial_key(loaded.recipe) == trial_key(result.recipe)
        assert ledger.trials(Row.of(loaded)) == ledger.trials(Row.of(result))


def test_a_plugin_edited_under_the_same_recipe_is_another_trial(ledger, sma):
    ledger.record(Row.of(sma))
    edited = replace(made(window=49), recipe=sma.recipe)
    assert ledger.trials(Row.of(edited)).count == 2


LEAF = st.one_of(st.integers(-1000, 1000), st.text(max_size=5), st.booleans(), st.none(), st.floats(0.01, 0.99))


def test_a_ledger_of_an_earlier_version_is_read_and_its_run_counts_as_the_same_trial(tmp_path):
    shutil.copy(Path(__file__).parent / "saved_0_1_0" / NAME, tmp_path / NAME)
    ledger = Ledger(tmp_path / NAME)
    row = Row.of(Request("sma", params={"window": "20"}, start="2018", end="2019").run())
    assert ledger.runs()["trial"].to_list() == [row.columns["trial"]]
    assert ledger.record(row) == 2
    assert ledger.trials(row) == Trials(1, 1.0, 0.0, 2)


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
    assert [full.trials(Row.of(result)).count for result in results] == [3, 3, 3, 1, 1, 2, 2]
    week_later = made(start="2012-01-08", window=20)
    assert full.trials(Row.of(week_later)).count == 4
    assert full.trials(Row.of(made(start="2018", end="2020"))).count == 1
    renamed = results[0].with_recipe(symbol="something else")
    assert full.trials(Row.of(renamed)).count == 4


def test_the_variance_is_that_of_the_sharpe_ratios_per_bar_and_no_less_than_of_luck(full, results):
    sharpe = full.runs(symbol="AAPL")["sharpe_bar"]
    assert full.trials(Row.of(results[5])).sharpe_variance == max(sharpe.var(), 1 / len(results[5].returns))
    far = replace(results[5], metrics=results[5].metrics | {"strategy": results[5].metrics["strategy"] | {"sharpe": 9}})
    varied = full.trials(Row.of(far.with_recipe(account={})))
    expected = np.var([9 / math.sqrt(252), *sharpe], ddof=1)
    assert (varied.count, varied.sharpe_variance) == (3, pytest.approx(expected, rel=1e-12))
    assert full.trials(Row.of(results[3])).sharpe_variance == 0


def test_a_sharpe_ratio_of_weekly_bars_is_rescaled_to_those_of_the_result(ledger, sma):
    bars = load_bars("SPY", "2012", "2017")
    shape = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    weekly = rollcast.run(bars.resample("W-FRI").agg(shape), load("sma", window=4), LongShort, symbol="SPY")
    ledger.record(Row.of(weekly))
    ledger.record(Row.of(sma))
    annual = [r.metrics["strategy"]["sharpe"] for r in (sma, weekly)]
    expected = max(np.var(annual, ddof=1) / 252, 1 / len(sma.returns))
    assert ledger.trials(Row.of(sma)).sharpe_variance == pytest.approx(expected, rel=1e-12)
    assert ledger.trials(Row.of(weekly)).sharpe_variance == pytest.approx(
        max(np.var(annual, ddof=1) / weekly.metrics["bars_per_year"], 1 / len(weekly.returns)), rel=1e-12
    )


@dataclass(frozen=True)
class Coin(Predictor):
    """A coin at every bar, tossed by its date."""

    seed: int = 0

    def predict(self, bars):
        days = (bars.index.as_unit("s").asi8 // 86_400).astype(np.uint64)
        toss = np.sin(days * np.float64(78.233) + self.seed * 37.719) * 43758.5453 % 1 < 0.5
        return pd.Series(np.where(toss, 0.01, -0.01), bars.index)


def test_near_copies_are_one_effective_trial(ledger):
    for window in (50, 51, 52, 53):
        ledger.record(Row.of(made(window=window)))
    assert ledger.summary().loc["SPY"].to_dict() == {"runs": 4, "trials": 4, "effective": 1}


def test_coins_are_as_many_effective_trials_as_there_are(ledger):
    for seed in range(5):
        ledger.record(Row.of(made(predictor=Coin(seed), strategy=LongShort)))
    assert ledger.summary().loc["SPY"].to_dict() == {"runs": 5, "trials": 5, "effective": 5}


def test_the_same_rule_on_half_of_the_years_is_the_same_idea(ledger, sma):
    ledger.record(Row.of(made(start="2014-09")))
    assert ledger.trials(Row.of(sma)) == replace(ledger.trials(Row.of(sma)), count=2, effective=1)


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
    assert ledger.trials(Row.of(sma)).count == 1
    ledger.record(Row.of(sma))
    assert ledger.trials(Row.of(leaky)).count == 2


@st.composite
def returns(draw) -> pd.Series:
    """Simple returns on some of the bars of a real market or of a grid of minutes."""
    if draw(st.booleans()):
        index = load_bars(draw(st.sampled_from(["SPY", "BTC-USD", "AAPL.1h"]))).index
    else:
        index = pd.date_range("1969-12-31 23:00", periods=5000, freq=f"{draw(st.integers(1, 90))}min")
    first = draw(st.integers(0, len(index) - 50))
    index = index[first : draw(st.integers(first + 2, len(index)))]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return pd.Series(rng.normal(0, 0.01, len(index)), index)


@settings(max_examples=60, deadline=None)
@given(returns(), st.integers(0, 6))
def test_a_sketch_nests_in_coarser_blocks_and_keeps_the_whole_return(r, more):
    k, first, sums = _unpacked(sketch(r))
    assert len(sums) <= 512
    assert k == 0 or len(sums) > 255
    assert np.nansum(sums) == pytest.approx(np.log1p(r).sum(), abs=1e-5)
    start, lifted = _lifted((k, first, sums), k + more)
    minutes = r.index.as_unit("s").asi8 // 60
    direct = np.log1p(r).groupby(minutes >> (k + more)).sum()
    assert start == direct.index[0]
    expected = direct.reindex(range(start, start + len(lifted))).to_numpy()
    np.testing.assert_allclose(lifted, expected, atol=1e-6)


def test_correlations_are_those_pandas_finds_on_the_blocks_both_have():
    close = pd.DataFrame({s: load_bars(s)["close"] for s in ("SPY", "AAPL", "IBM", "GOOG", "MSFT")})
    r = close.pct_change(fill_method=None).loc["2003":"2012"]
    packed = [_unpacked(sketch(r[s].dropna())) for s in r]
    k = max(own for own, _, _ in packed)
    lifted = [_lifted(p, k) for p in packed]
    table = pd.DataFrame({i: pd.Series(v, range(b, b + len(v))) for i, (b, v) in enumerate(lifted)})
    np.testing.assert_allclose(_correlations(packed), table.corr(min_periods=20), atol=1e-12)


def test_two_runs_with_fewer_than_twenty_blocks_in_common_are_uncorrelated():
    r = load_bars("SPY")["close"].pct_change().iloc[1:]
    years = [_unpacked(sketch(part)) for part in (r.loc["2010":"2013"], r.loc["2013-12-20":"2017"], r.loc["2012":])]
    found = _correlations(years)
    assert found[0, 1] == 0
    assert found[0, 2] > 0.99


def test_clustering_is_given_rows_with_exactly_the_correlations_found(monkeypatch, results):
    given_rows = []
    monkeypatch.setattr(
        luck, "effective_trials", lambda rows: given_rows.append(rows) or luck.Clusters(np.arange(3), 3)
    )
    sketches = [sketch(r.returns) for r in results[:2]] + [sketch(results[0].benchmark_returns)]
    assert effective(sketches) == 3
    found = _correlations([_unpacked(s) for s in sketches])
    np.testing.assert_allclose(np.corrcoef(given_rows[0]), found, atol=1e-12)


def test_reading_a_ledger_that_is_not_there_makes_none(ledger, sma):
    assert ledger.runs().empty
    assert ledger.summary().empty
    assert ledger.trials(Row.of(sma)) == Trials(1, 1.0, 0.0, 1)
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
        connection.execute("PRAGMA user_version = 2")


def torn(path: Path) -> None:
    Ledger(path).record(Row.of(made(start="2017")))
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\x99" * (len(whole) - 4096))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b"not a database, but someone's notes" * 9), "file is not a database"),
        (other_database, "it is a database of something else"),
        (newer_version, "of version 2, newer than the 1 known here; update rollcast"),
        (torn, "is not a sound ledger: .*malformed"),
    ],
    ids=["notes", "other", "newer", "torn"],
)
def test_what_is_no_ledger_gives_one_clear_line_and_is_left_as_it_is(ledger, sma, damage, message):
    damage(ledger.path)
    before = ledger.path.read_bytes()
    for call in (ledger.runs, lambda: ledger.record(Row.of(sma)), lambda: ledger.trials(Row.of(sma))):
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
    assert full.trials(Row.of(results[3])).count > 1000


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
    assert ledger.trials(Row.of(costly)).count == 2
