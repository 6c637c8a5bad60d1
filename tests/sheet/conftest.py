"""Runs of every kind, with their evidence and their sheets, made once."""

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rollcast import Request, Result, WalkForward, load, load_bars, run, write_report
from rollcast.backtests.comparison import entrants_of
from rollcast.backtests.evidence.evidence import with_evidence
from rollcast.backtests.sheet.comparison import save_comparison
from rollcast.backtests.sheet.index import write_index
from rollcast.backtests.workspace.comparison import compare
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort

HOSTILE = "<script>alert(1)</script> $\\frac{a}$ {{metrics}} \"'&amp; \x00 \ud800 \u202e %s مرحبا " + "x" * 300


def _run(kind: str) -> Result:
    if kind == "lstm":
        model = WalkForward(load("lstm", epochs=2, seeds=2, hidden=4), train=500, every=63)
        bars, rule, symbol = load_bars("SPY", "2018-01-01"), LongFlat, "SPY"
    else:
        model, bars, rule, symbol = {
            "winning": (load("sma", window=100), load_bars("AAPL"), LongFlat, "AAPL"),
            "losing": (load("sma", window=5), load_bars("SPY", "2014-01-01", "2018-12-31"), LongShort, "SPY"),
            "flat": (load("naive"), load_bars("SPY", "2019-01-01"), LongFlat, "SPY"),
            "ten bars": (load("ema", span=2), load_bars("SPY").iloc[-10:], LongFlat, "SPY"),
            "hourly": (load("ema", span=20), load_bars("AAPL.1h"), LongFlat, "AAPL.1h"),
            "hostile": (load("ema", span=20), load_bars("SPY", "2020-01-01"), LongFlat, HOSTILE),
        }[kind]
    result = with_evidence(run(bars, model, rule, symbol=symbol), rule)
    return result.with_recipe(command=HOSTILE if kind == "hostile" else f"rollcast backtest --symbol {symbol}")


KINDS = ("winning", "losing", "flat", "ten bars", "hourly", "lstm", "hostile")


@pytest.fixture(scope="session")
def result_of() -> Callable[[str], Result]:
    """The run of a kind, with its evidence."""
    return functools.cache(_run)


@pytest.fixture(scope="session")
def sheet(result_of: Callable[[str], Result], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The sheet of a kind of run, written once."""
    folder = tmp_path_factory.mktemp("sheets")

    @functools.cache
    def page(kind: str) -> Path:
        path = folder / f"{kind.replace(' ', '-')}.html"
        write_report(result_of(kind), path)
        return path

    return page


@pytest.fixture(scope="session")
def bare(result_of: Callable[[str], Result]) -> Result:
    """A run as `run` returns it, without evidence and without a diary."""
    result = result_of("winning")
    metrics = {k: v for k, v in result.metrics.items() if k not in ("luck", "stress", "verdict", "conclusion")}
    metrics["forecast"] = {k: result.metrics["forecast"][k] for k in ("forecasts", "r2", "ic", "hit_rate")}
    return replace(result, metrics=metrics)


HOSTILE_FILE = "<script>alert(1)<script>.py"
PLUGIN = """
from dataclasses import dataclass
import numpy as np
from rollcast import Predictor

@dataclass(frozen=True)
class Mine(Predictor):
    "The last return, times a number whose name is long."
    words: str = "</table><b>bold</b>"
    def predict(self, bars):
        return np.log(bars["close"]).diff()
"""


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A workspace with a comparison of three, one of them under a hostile name; and the comparison's page."""
    out = tmp_path_factory.mktemp("workspace")
    plugin = out / HOSTILE_FILE
    plugin.write_text(PLUGIN)
    base = Request("sma", start="2014", end="2016")
    comparison = compare(entrants_of(["sma", "ema,span=30", str(plugin)], base), out)
    page = save_comparison(comparison, out)
    write_index(out)
    return out, page
