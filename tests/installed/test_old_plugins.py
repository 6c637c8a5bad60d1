"""Plugins written before 0.2 work unchanged, and their classes are rollcast's; old pickles load."""

from dataclasses import replace

import pytest

from tests.installed.environment import OFFLINE, ROOT, write_wheel

PREDICTOR = """
from dataclasses import dataclass
from backtests import load_bars, run
from predictors import Predictor
from predictors.bars import log_returns

@dataclass(frozen=True)
class Drift(Predictor):
    "Average log return per bar over the last `window` bars."
    window: int = 5
    def predict(self, bars):
        return log_returns(bars).rolling(self.window).mean()
"""
STRATEGY = """
from strategies.base import ForecastStrategy

class InOnGain(ForecastStrategy):
    "Long on a forecast above zero."
    def decide(self, forecast):
        return float(forecast > 0)
"""
ENTRY_POINTS = """\
[rollcast.predictors]
old-drift = old_predictor:Drift
[rollcast.strategies]
old-rule = old_strategy:InOnGain
"""
RUN = """
import sys
import rollcast
import rollcast.predictors.bars, rollcast.strategies.base
predictor = rollcast.load(sys.argv[1], window=10)
strategy = rollcast.STRATEGIES.find(sys.argv[2])
result = rollcast.run(rollcast.load_bars("SPY", "2020"), predictor, strategy)
assert result.metrics["strategy"]["orders"] > 0
module = sys.modules[type(predictor).__module__]
assert module.Predictor is rollcast.Predictor and type(predictor).__base__ is rollcast.Predictor
assert strategy.__base__ is rollcast.ForecastStrategy
assert module.run is rollcast.run and module.load_bars is rollcast.load_bars
assert module.log_returns is rollcast.predictors.bars.log_returns
for name in ("predictors", "predictors.bars", "strategies", "strategies.base", "backtests"):
    assert sys.modules[name] is sys.modules[f"rollcast.{name}"]
    assert sys.modules[name].__spec__.name == f"rollcast.{name}"
"""
# As pickled by 0.1: protocol 0 names the class by its module.
PICKLE = """
import pickle
import rollcast
model = rollcast.SMA(window=7)
old = pickle.dumps(model, protocol=0).replace(b"rollcast.predictors", b"predictors")
assert b"cpredictors.sma\\nSMA\\n" in old or b"predictors.sma" in old, old
assert pickle.loads(old) == model and type(pickle.loads(old)) is rollcast.SMA
"""


@pytest.fixture
def plugins(tmp_path):
    (tmp_path / "old_predictor.py").write_text(PREDICTOR, encoding="utf-8")
    (tmp_path / "old_strategy.py").write_text(STRATEGY, encoding="utf-8")
    return tmp_path


def test_plugin_files_run_and_their_classes_are_rollcasts(installed, plugins):
    environment, _ = installed
    environment.execute(RUN, plugins, "old_predictor.py", "old_strategy.py")
    assert "failed" not in environment.run([*environment.command, "check", "old_predictor.py"], plugins)


@pytest.mark.slow
def test_an_installed_plugin_distribution_runs_and_its_classes_are_rollcasts(installed, tmp_path):
    environment, _ = installed
    modules = {"old_predictor.py": PREDICTOR, "old_strategy.py": STRATEGY}
    environment.pip("install", *OFFLINE, str(write_wheel(tmp_path, "old_plugins", modules, ENTRY_POINTS)))
    try:
        environment.execute(RUN, tmp_path, "old-drift", "old-rule")
        listing = environment.run([*environment.command, "list"], tmp_path)
        assert listing.count("[old_plugins 1.2]") == 2
    finally:
        environment.pip("uninstall", "--yes", "old_plugins")


def test_pickles_of_the_former_names_load(installed, tmp_path):
    environment, _ = installed
    environment.execute(PICKLE, tmp_path)


def test_a_checkout_has_its_former_names_before_rollcast_is_imported(new_environment, tmp_path):
    environment = replace(new_environment(tmp_path / "environment"), checkout=ROOT)
    code = "from predictors import Predictor\nimport predictors.sma\nimport rollcast\n"
    code += "assert Predictor is rollcast.Predictor and predictors.sma.SMA is rollcast.SMA\n"
    environment.execute(code, tmp_path)


def test_an_old_plugin_beside_a_folder_of_ones_own_is_told_the_name_to_write(installed, plugins):
    environment, _ = installed
    (plugins / "strategies").mkdir()
    (plugins / "strategies" / "__init__.py").touch()
    code = "import rollcast, sys\nrollcast.STRATEGIES.find('old_strategy.py')\n"
    (plugins / "script.py").write_text(code, encoding="utf-8")
    message = environment.run([environment.python, "script.py"], plugins, fails=True)
    assert "No module named 'strategies.base'" in message
    assert f"Here `strategies` is {plugins / 'strategies'}; that of rollcast is `rollcast.strategies`" in message
