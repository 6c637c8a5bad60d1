"""A type checker sees the types of an installed rollcast: the names of the front door, and what they return."""

import re
import sys

import pytest

from tests.installed.environment import run

pytestmark = pytest.mark.slow
SCRIPT = """
from rollcast import LSTM, SMA, LongFlat, Predictor, WalkForward, load_bars, run

bars = load_bars("SPY")
reveal_type(SMA(window=50))
reveal_type(SMA(window=50).window)
reveal_type(run(bars, SMA(window=50), LongFlat))
predictor: Predictor = WalkForward(LSTM(), train=500)
wrong: Predictor = LSTM()
SMA(window="fifty")
"""


def test_mypy_sees_the_types_of_the_wheel(new_environment, wheel, tmp_path):
    environment = new_environment(tmp_path / "environment")
    environment.install_rollcast("wheel", wheel)
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    mypy = [sys.executable, "-m", "mypy", "--python-executable", environment.python, "--config-file", ""]
    printed = run([*mypy, "--ignore-missing-imports", "script.py"], tmp_path, fails=True)
    assert re.findall(r'script\.py:(\d+): note: Revealed type is "(.*?)"', printed) == [
        ("5", "rollcast.predictors.sma.SMA"),
        ("6", "int"),
        ("7", "rollcast.backtests.pipeline.result.Result"),
    ]
    assert re.findall(r"script\.py:(\d+): error: .*\[(.*)\]", printed) == [("9", "assignment"), ("10", "arg-type")]
