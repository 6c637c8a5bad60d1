"""Slow forecasts are made once, shared, and never found again after a byte of what made them has changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rollcast import WalkForward, load
from rollcast.backtests.data.bars import digest
from rollcast.backtests.ledger.database import NAME
from rollcast.backtests.ledger.ledger import Ledger
from rollcast.backtests.pipeline import cache_key
from rollcast.backtests.pipeline.cache_key import code_of, folder_key, key_of
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sweep.factory import Factory
from rollcast.backtests.sweep.forecast_cache import CachedForecast, ForecastCache
from rollcast.backtests.sweep.forecasts import Forecaster
from rollcast.backtests.sweep.points import sweep_of
from rollcast.backtests.sweep.trial_rows import date_of
from rollcast.backtests.workspace.sweep import run_sweep
from rollcast.strategies.long_flat import LongFlat

ROOT = Path(__file__).parents[2]
PLUGIN = """
from dataclasses import dataclass
import time
import numpy as np
from rollcast import Predictor
from helper import SCALE


@dataclass(frozen=True)
class Slow(Predictor):
    window: int = 5

    def predict(self, bars):
        with open("{log}", "a+") as log:
            log.write(f"{{self.window}} {{len(bars)}}\\n")
            log.seek(0)
            if len(log.readlines()) <= 2:  # as it is asked to learn whether it is slow
                time.sleep(0.25)
        return SCALE * np.log(bars["close"]).diff(self.window).rename("forecast")
"""
SCRIPT = """
import sys, json
sys.path.insert(0, {folder!r})
from pathlib import Path
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sweep.forecast_cache import ForecastCache
from rollcast.backtests.sweep.factory import Factory
from rollcast.backtests.sweep.forecasts import Forecaster
from rollcast.backtests.sweep.points import sweep_of
sweep = sweep_of(Request({plugin!r}, start="2019", end="2020"), ["window=5|10"], ["dead_band_bps=0|1|2"])
factory = Factory.of(sweep)
bars = sweep.base.load().bars
forecaster = Forecaster(factory, bars, ForecastCache(Path({folder!r}) / "cache"))
forecaster.plan(sweep.points())
forecaster.prepare(sweep.points(), lambda done, total: None)
print(json.dumps([forecaster.quick, float(forecaster.series(sweep.points()[0]).iloc[-1])]))
"""


def test_a_forecast_comes_back_to_the_bit_and_a_damaged_one_is_a_miss(tmp_path):
    cache, values = ForecastCache(tmp_path), np.r_[np.nan, np.random.default_rng(0).normal(size=500)]
    assert cache.get("a") is None
    cache.put("a", CachedForecast(values, 12, 0.5, 3.25))
    forecast = cache.get("a")
    assert forecast is not None
    assert forecast.values.tobytes() == values.tobytes()
    assert (forecast.probes, forecast.noise, forecast.seconds) == (12, 0.5, 3.25)
    whole = (tmp_path / "a").read_bytes()
    for place in (0, 25, 60, len(whole) // 2, len(whole) - 1):
        (tmp_path / "a").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert cache.get("a") is None, place
    (tmp_path / "a").write_bytes(whole[:-9])
    assert cache.get("a") is None


def test_the_longest_unused_make_room(tmp_path):
    cache = ForecastCache(tmp_path, limit=9000)
    for k, name in enumerate("abc"):
        cache.put(name, CachedForecast(np.zeros(300)))
        os.utime(tmp_path / name, (1000 + k, 1000 + k))
    assert cache.get("a") is not None  # used now
    cache.put("d", CachedForecast(np.zeros(300)))
    assert {path.name for path in tmp_path.iterdir()} == {"a", "c", "d"}


def test_the_key_is_of_every_parameter_the_bars_and_the_code(spy):
    code, sha256 = "code", digest(spy)
    model = WalkForward(load("ols-features"), train=500)
    others = [
        key_of(replace(model, train=501), sha256, code),
        key_of(replace(model, every=20), sha256, code),
        key_of(replace(model, learner=load("ols-features", lags=6)), sha256, code),
        key_of(load("sma", window=5), sha256, code),
        key_of(model, digest(spy.iloc[:-1]), code),
        key_of(model, sha256, "other code"),
    ]
    assert len({key_of(model, sha256, code), *others}) == 7
    assert key_of(WalkForward(load("ols-features"), train=500), sha256, code) == key_of(model, sha256, code)


def test_code_written_after_the_process_began_is_not_trusted(monkeypatch):
    model = load("sma")
    monkeypatch.setattr(cache_key, "STARTED", time.time() + 60)
    assert code_of(model) is not None
    monkeypatch.setattr(cache_key, "STARTED", 0.0)
    assert code_of(model) is None


def test_the_process_began_before_now_and_not_long_ago():
    assert time.time() - 24 * 3600 < cache_key.STARTED < time.time()


def run(folder: Path, plugin: Path) -> tuple[bool, float, int]:
    """Whether the predictor was quick, its last forecast, and how often it was asked, in a process of its own."""
    log = folder / "log"
    log.unlink(missing_ok=True)
    script = SCRIPT.format(folder=str(folder), plugin=str(plugin))
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    quick, last = json.loads(done.stdout)
    return quick, last, len(log.read_text().splitlines())


@pytest.mark.slow
def test_a_changed_byte_of_a_plugin_or_of_its_helper_is_a_miss(tmp_path):
    plugin, helper = tmp_path / "slow.py", tmp_path / "helper.py"
    helper.write_text("SCALE = 0.1\n")
    plugin.write_text(PLUGIN.format(log=tmp_path / "log"))
    for path in (plugin, helper):
        os.utime(path, (1e9, 1e9))
    time.sleep(1.1)  # a process that begins within a second of a change does not trust it
    quick, last, calls = run(tmp_path, plugin)
    assert not quick
    assert len(list((tmp_path / "cache").iterdir())) == 2, "one for each predictor, and none for each strategy variant"
    probes = 2  # asked twice to learn whether it is slow
    assert calls > probes + 2
    assert run(tmp_path, plugin) == (False, last, probes), "found again, gate and all"
    helper.write_text("SCALE = 0.2\n")
    os.utime(helper, (1e9, 1e9))
    time.sleep(1.1)
    _, changed, calls = run(tmp_path, plugin)
    assert changed == pytest.approx(2 * last)
    assert calls > probes + 2
    plugin.write_text(plugin.read_text() + "# one more byte\n")
    os.utime(plugin, (1e9, 1e9))
    time.sleep(1.1)
    assert run(tmp_path, plugin)[2] > probes + 2
    assert len(list((tmp_path / "cache").iterdir())) == 6


def test_strategy_variants_share_a_learners_forecast(tmp_path, monkeypatch):
    sweep = sweep_of(Request("ols-features", start="2017", train=250), ["lags=2|3"], ["dead_band_bps=0|1|2"])
    factory, gates = Factory.of(sweep), []
    original = Forecaster._predict
    monkeypatch.setattr(
        Forecaster, "_predict", lambda self, model, gate: gates.append(gate) or original(self, model, gate)
    )
    swept = run_sweep(sweep, tmp_path)
    assert gates == [True, True], "a learner is always gated"
    assert swept.rows["gated"].all()
    assert len(swept.rows) == 6
    assert swept.winner.same
    assert swept.since == swept.sweep.base.load().bars.index[249]
    assert len(Ledger(tmp_path / NAME).runs()) == 7
    assert isinstance(factory.template, WalkForward)


@pytest.mark.slow
def test_schedules_are_scored_from_the_longest_training_on_and_cached_each(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_key, "STARTED", time.time() + 60)  # plugins that other tests wrote are in this process
    sweep = sweep_of(Request("ols-features", start="2016"), [], [], ["train=250|400", "every=21|63"])
    swept = run_sweep(sweep, tmp_path)
    assert swept.since == sweep.base.load().bars.index[399]
    assert len(list((tmp_path / "cache").iterdir())) == 4
    table = pd.read_parquet(swept.folder / "returns.parquet")
    for point in sweep.points():
        result = sweep.request(point, date_of(swept.since)).run()
        assert np.array_equal(result.returns.to_numpy(), table[point.key].to_numpy()), str(point)
    assert swept.winner.same
    recipe = Result.load(swept.winner.folder).recipe
    best = dict(swept.winner.point.values)
    assert f"--train {best['w.train']}" in recipe["command"]
    assert str(recipe["predictor"]["train"]) == best["w.train"]


def test_the_folder_of_a_sweep_is_of_its_question_and_code(tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text((ROOT / "examples" / "momentum.py").read_text())
    one = folder_key(Request(str(plugin)).model(), LongFlat, ["question"])
    assert folder_key(Request(str(plugin)).model(), LongFlat, ["question"]) == one
    assert folder_key(Request(str(plugin)).model(), LongFlat, ["another"]) != one
    plugin.write_text(plugin.read_text() + "\n")
    assert folder_key(Request(str(plugin)).model(), LongFlat, ["question"]) != one
