"""A sweep's points are what backtests of them would be, all of them are trials, and its winner is run in backtrader."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.account.engine import Account
from rollcast.backtests.account.moments import Moments, returns_of, sharpe_columns
from rollcast.backtests.account.scores import return_scores
from rollcast.backtests.ledger.database import NAME
from rollcast.backtests.ledger.ledger import Ledger
from rollcast.backtests.ledger.trial_key import Row, trial_key
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sweep.live import Progress, best_lines, duration, lines
from rollcast.backtests.sweep.points import Point, sweep_of
from rollcast.backtests.sweep.store import Store
from rollcast.backtests.sweep.trade import trade
from rollcast.backtests.sweep.trial_rows import date_of
from rollcast.backtests.workspace.sweep import run_sweep
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.proportional import Proportional
from tests.sweep.conftest import REQUEST, RULE_WORDS, WORDS, Story


def test_a_stopped_sweep_keeps_what_was_done_and_goes_on_with_the_rest(story: Story):
    rows = Store(story.swept.folder).rows()
    assert len(story.stopped) == 21
    pd.testing.assert_frame_equal(rows.iloc[:21], story.stopped)
    assert len(rows) == 60
    assert rows["key"].is_unique
    begun = next(p for p in story.reports if p.stage == "points")
    assert (begun.done, begun.total, begun.before) == (21, 60, 21)
    assert [p.done for p in story.reports if p.stage == "points"] == [21, 28, 35, 42, 49, 56, 60]


def test_every_point_has_the_scores_and_the_recipe_of_its_backtest(story: Story):
    """Three of the points run by themselves, in backtrader: same returns, same scores, and the same trial."""
    swept, sweep = story.swept, story.swept.sweep
    table = pd.read_parquet(swept.folder / "returns.parquet")
    recorded = Ledger(story.out / NAME).runs()["trial"].to_list()
    for k in (0, 31, 59):
        row = swept.rows.iloc[k]
        point = sweep.points()[k]
        assert row["key"] == point.key
        result = sweep.request(point, date_of(swept.since)).run()
        assert np.array_equal(result.returns.to_numpy(), table[point.key].to_numpy())
        assert result.returns.index.equals(table.index)
        scores = result.metrics["strategy"]
        for name in ("sharpe", "cagr", "max_drawdown", "skew", "kurtosis", "sortino", "turnover", "cost_bps"):
            assert row[name] == pytest.approx(scores[name], rel=1e-9), name
        assert (row["orders"], row["time_in_market"]) == (scores["orders"], scores["time_in_market"])
        assert recorded.count(trial_key(result.recipe)) == 1 + (point == swept.winner.point)


def test_all_points_are_scored_on_the_same_bars_from_the_last_warm_up_on(story: Story):
    bars = REQUEST.load().bars
    assert story.swept.since == bars.index[199]
    assert len(story.swept.index) == len(bars) - 199


def test_every_point_is_a_trial_once_and_the_winners_sheet_counts_them_all(story: Story):
    with closing(sqlite3.connect(story.out / NAME)) as connection:
        rows = connection.execute("SELECT trial, folder FROM runs").fetchall()
    assert len(rows) == 61
    assert len({trial for trial, _ in rows}) == 60, "the winner's run is one of them"
    assert [folder for _, folder in rows if folder] == [story.swept.winner.folder.name]
    assert story.swept.winner.luck["trials"] == 60
    assert Result.load(story.swept.winner.folder).metrics["luck"]["trials"] == 60


def test_the_winner_is_the_best_point_and_backtrader_gives_it_the_same_equity(story: Story):
    swept = story.swept
    best = swept.rows.loc[swept.rows["sharpe"].idxmax()]
    assert swept.winner.point.key == best["key"]
    assert swept.winner.same
    assert swept.winner.difference == 0.0
    assert json.loads((swept.folder / "winner.json").read_text())["run"] == swept.winner.folder.name


def test_the_same_command_again_runs_nothing_again(story: Story):
    before = {path: path.stat().st_mtime_ns for path in story.swept.folder.glob("parts/*")}
    runs, reports = len(Ledger(story.out / NAME).runs()), []
    again = run_sweep(sweep_of(REQUEST, WORDS, RULE_WORDS), story.out, reports.append)
    assert [p.stage for p in reports] == ["points", "judging"]
    assert {path: path.stat().st_mtime_ns for path in story.swept.folder.glob("parts/*")} == before
    assert len(Ledger(story.out / NAME).runs()) == runs
    assert again.winner == story.swept.winner
    pd.testing.assert_frame_equal(again.rows, story.swept.rows)


def test_two_processes_cannot_run_one_sweep(story: Story):
    with Store(story.swept.folder).locked(), pytest.raises(OSError, match="the same sweep is running"):
        run_sweep(sweep_of(REQUEST, WORDS, RULE_WORDS), story.out)


def test_another_question_is_another_folder_and_another_spelling_is_not(story: Story, monkeypatch):
    def folder_of(sweep) -> str:
        names: list[str] = []
        monkeypatch.setattr(Store, "locked", lambda store: names.append(store.folder.name) or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_sweep(sweep, story.out)
        return names[0]

    spelt = sweep_of(REQUEST, ["window=" + "|".join(map(str, range(10, 201, 10)))], RULE_WORDS)
    assert folder_of(spelt) == story.swept.folder.name
    others = (replace(REQUEST, end="2020"), replace(REQUEST, account=Account(slippage_bps=2)))
    names = {folder_of(sweep_of(other, WORDS, RULE_WORDS)) for other in others}
    assert len(names | {story.swept.folder.name}) == 3


def test_a_point_that_warms_up_for_more_than_half_of_the_bars_is_named(tmp_path):
    sweep = sweep_of(Request("sma", start="2019", end="2019"), ["window=10|150"], [])
    with pytest.raises(ValueError, match="window=150 needs 149 of the 252 bars to warm up"):
        run_sweep(sweep, tmp_path)
    assert not list(tmp_path.glob("sweep-*/parts/*"))


def test_a_predictor_that_looks_ahead_stops_the_whole_sweep(tmp_path):
    plugin = tmp_path / "leaky.py"
    plugin.write_text(
        "from dataclasses import dataclass\nimport numpy as np\nfrom predictors import Predictor\n\n\n"
        "@dataclass(frozen=True)\nclass Leaky(Predictor):\n    window: int = 5\n\n"
        "    def predict(self, bars):\n        moves = np.log(bars['close']).diff().rolling(self.window).mean()\n"
        "        return moves.shift(-1).fillna(0.0).where(moves.notna()).rename('forecast')\n"
    )
    with pytest.raises(ValueError, match="the predictor looks ahead"):
        run_sweep(sweep_of(Request(str(plugin), start="2018"), ["window=5|10|20"], []), tmp_path / "runs")
    assert Ledger(tmp_path / "runs" / NAME).runs().empty


def test_a_strategy_of_ones_own_that_looks_ahead_stops_the_whole_sweep_before_a_point_is_traded(tmp_path):
    file = tmp_path / "peek.py"
    file.write_text(
        "import backtrader as bt\n\n\nclass Peek(bt.Strategy):\n    params = (('size', 10),)\n\n    def next(self):\n"
        "        later = self.data.close.get(ago=1)\n"
        "        self.order_target_size(target=self.p.size if later and later[0] > self.data.close[0] else 0)\n"
    )
    request = Request(predictor="sma", strategy=str(file), start="2019", end="2019")
    with pytest.raises(ValueError, match=r"the strategy looks ahead: Peek trades on bars after its own, reading close"):
        run_sweep(sweep_of(request, [], ["size=10|20"]), tmp_path / "out")
    assert not list((tmp_path / "out").glob("**/*.parquet"))


def test_a_damaged_part_is_named_and_removed_to_be_run_again(tmp_path, caplog):
    store = Store(tmp_path)
    store.add(pd.DataFrame({"key": ["a", "b"]}), np.ones((5, 2)))
    store.add(pd.DataFrame({"key": ["c"]}), np.full((5, 1), 2.0))
    assert store.rows()["key"].to_list() == ["a", "b", "c"]
    assert store.returns().tolist() == [[1.0, 1.0, 2.0]] * 5
    (part,) = tmp_path.glob("parts/000000-*.parquet")
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"parts/000000-.*\.parquet is not what was written\. Run the same command"):
        store.rows()
    store.discard_damaged()
    assert caplog.messages == [f"{part} is not what was written; its points are run again"]
    store.add(pd.DataFrame({"key": ["d"]}), np.zeros((5, 1)))
    assert store.rows()["key"].to_list() == ["c", "d"], "a new part takes no other's number"


@pytest.mark.parametrize("strategy", [LongShort, Proportional])
def test_points_one_by_one_in_backtrader_score_as_points_at_once(spy, strategy, monkeypatch):
    """The fallback for a strategy without a fast rule, on one with a rule."""
    from rollcast.backtests.sweep import trade as module

    bars = spy.iloc[-700:]
    forecasts = np.column_stack([np.log(bars["close"]).diff(n).to_numpy() / n for n in (5, 20)])
    forecasts[:50] = np.nan
    arguments = (bars, forecasts, strategy, [{}, {"tolerance": 0.3}], Account(), 50, 252)
    fast = trade(*arguments)
    monkeypatch.setattr(module, "supports", lambda strategy: False)
    slow = trade(*arguments)
    assert np.array_equal(fast.returns, slow.returns)
    pd.testing.assert_frame_equal(fast.scores, slow.scores, rtol=1e-12)


def test_the_scores_of_columns_are_the_scores_of_series():
    rng = np.random.default_rng(0)
    returns = rng.standard_t(3, (1500, 6)) * 0.01
    returns[:, 4] = 0.0
    returns[700:, 5] = 0.0
    ours = pd.DataFrame(Moments.of(returns).scores(len(returns), 252))
    theirs = pd.DataFrame([return_scores(pd.Series(column), 252) for column in returns.T])
    pd.testing.assert_frame_equal(ours, theirs[ours.columns.to_list()], rtol=1e-9)
    assert np.allclose(sharpe_columns(returns, 252), ours["sharpe"], rtol=1e-12, equal_nan=True)


def test_a_ruined_account_loses_all_and_stays():
    equity = np.array([[100.0, 100.0], [50.0, 110.0], [np.nan, 121.0], [np.nan, 121.0]])
    assert returns_of(equity).tolist() == [[0.0, 0.0], [-0.5, pytest.approx(0.1)], [-1.0, pytest.approx(0.1)], [0, 0]]


def test_the_live_table_says_how_far_it_is_and_what_is_best(story: Story):
    progress = Progress("points", 250, 1000, 10.0, 50, story.swept.rows)
    assert progress.remaining == pytest.approx(37.5)
    head, titles, *best = lines(progress, ["p.window", "s.dead_band_bps"])
    assert head == "points    [######------------------] 250/1,000  38 s left"
    assert titles.split() == ["window", "dead_band_bps", "Sharpe", "CAGR", "drawdown", "turnover"]
    assert len(best) == 5
    top = story.swept.rows.nlargest(1, "sharpe").iloc[0]
    assert best[0].split()[:3] == [top["p.window"], top["s.dead_band_bps"], f"{top['sharpe']:.3f}"]
    assert len({len(line) for line in best_lines(story.swept.rows, ["p.window"])}) == 1
    assert Progress("points", 0, 10, 1.0).remaining is None
    assert duration(3600) == "1 h 0 min"


def test_the_key_of_a_point_is_of_its_values_and_seed_alone():
    point = Point((("p.window", "10"),))
    assert point.key == Point((("p.window", "10"),)).key
    others = {Point((("p.window", "11"),)).key, Point((("s.window", "10"),)).key, replace(point, seed=0).key}
    assert len(others | {point.key}) == 4


def test_a_folder_is_named_after_a_plugin_file(tmp_path):
    from rollcast.backtests.sweep.points import name_of

    assert name_of(sweep_of(Request("sma"), ["window=2|3"], [])) == "sma-SPY"
    sweep = sweep_of(Request("sma", symbol=str(tmp_path / "my prices.csv")), ["window=2|3"], [])
    assert Path(name_of(sweep)).name == name_of(sweep)


def test_a_trial_that_is_recorded_again_is_left_out_and_a_new_one_is_added(story: Story, tmp_path):
    result = Result.load(story.swept.winner.folder)
    row, other = Row.of(result), Row.of(result.with_recipe(symbol="QQQ"))
    ledger = Ledger(tmp_path / NAME)
    assert ledger.record_many([row, other]) == 2
    assert ledger.record_many([other, row]) == 0
    later = Row.of(result.with_recipe(symbol="QQQ", created="2099-01-01T00:00:00+00:00"))
    assert ledger.record_many([later]) == 1
    assert ledger.runs()["symbol"].to_list() == ["QQQ", "QQQ", "SPY"]
