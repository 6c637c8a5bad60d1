"""Guided search proposes inside the axes, goes on as it would have, and says how to install what it needs."""

from __future__ import annotations

import importlib.util
import math

import pytest

from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.sweep.guided import propose
from rollcast.backtests.sweep.points import Point, Sweep, sweep_of
from rollcast.backtests.workspace.sweep import run_sweep

OPTUNA = importlib.util.find_spec("optuna") is not None


def guided_sweep(draws: int = 40) -> Sweep:
    words = ["window=5..200:log"]
    return sweep_of(Request("sma", start="2012"), words, ["dead_band_bps=0|1|2"], method="tpe", draws=draws)


def score(point: Point) -> float:
    return -abs(math.log(int(dict(point.values)["p.window"]) / 60)) - int(dict(point.values)["s.dead_band_bps"])


@pytest.mark.skipif(OPTUNA, reason="Optuna is installed")
def test_without_optuna_the_message_says_how_to_get_it(tmp_path):
    with pytest.raises(ImportError, match=r"--method tpe needs Optuna: pip install 'rollcast\[optuna\]'"):
        run_sweep(guided_sweep(), tmp_path)
    assert not list(tmp_path.glob("sweep-*/sweep.json"))


@pytest.mark.skipif(not OPTUNA, reason="Optuna is not installed")
def test_proposals_are_new_inside_the_axes_and_the_same_for_the_same_scores():
    scored: dict[Point, float] = {}
    while len(scored) < 40:
        batch = propose(guided_sweep(), scored, 10)
        assert batch == propose(guided_sweep(), scored, 10)
        assert not set(batch) & set(scored)
        assert all(5 <= int(dict(p.values)["p.window"]) <= 200 for p in batch)
        scored |= {point: score(point) for point in batch}
    late, early = list(scored.values())[20:], list(scored.values())[:20]
    assert sum(late) > sum(early), "it searches where scores were high"


@pytest.mark.skipif(not OPTUNA, reason="Optuna is not installed")
def test_a_guided_sweep_ends_with_as_many_points_as_asked_for(tmp_path):
    swept = run_sweep(guided_sweep(30), tmp_path)
    assert len(swept.rows) == 30
    assert swept.rows["key"].is_unique
    assert swept.winner.same
