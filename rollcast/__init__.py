"""Backtests of price predictors: forecasts in, trades and an honest tear sheet out.

    from rollcast import LongFlat, SMA, load_bars, run
    result = run(load_bars("SPY"), SMA(window=50), LongFlat)

Whatever is named here is imported when it is first used, so that `import rollcast` costs nothing.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollcast import former_names

# A checkout keeps the packages beside this one; an installed rollcast has them inside.
if not (Path(__file__).parent / "predictors").is_dir():
    __path__.append(str(Path(__file__).parent.parent))

former_names.install()

if TYPE_CHECKING:
    from rollcast.backtests.account.engine import Account as Account
    from rollcast.backtests.account.engine import simulate as simulate
    from rollcast.backtests.comparison import compare as compare
    from rollcast.backtests.data.bars import list_bars as list_bars
    from rollcast.backtests.data.bars import load_bars as load_bars
    from rollcast.backtests.next_bar.next_bar import NextBar as NextBar
    from rollcast.backtests.next_bar.next_bar import forecast_next as forecast_next
    from rollcast.backtests.pipeline.backtest import STRATEGIES as STRATEGIES
    from rollcast.backtests.pipeline.backtest import run as run
    from rollcast.backtests.pipeline.request import Request as Request
    from rollcast.backtests.pipeline.result import Result as Result
    from rollcast.backtests.pipeline.result import RunFolder as RunFolder
    from rollcast.backtests.sheet.report import write_report as write_report
    from rollcast.predictors.base import Learner as Learner
    from rollcast.predictors.base import Predictor as Predictor
    from rollcast.predictors.checks.suite import check_predictor as check_predictor
    from rollcast.predictors.checks.suite import yield_checks as yield_checks
    from rollcast.predictors.ema import EMA as EMA
    from rollcast.predictors.kalman import KalmanMLE as KalmanMLE
    from rollcast.predictors.kalman import LocalLevel as LocalLevel
    from rollcast.predictors.kalman import LocalLinearTrend as LocalLinearTrend
    from rollcast.predictors.naive import Naive as Naive
    from rollcast.predictors.ols import OLS as OLS
    from rollcast.predictors.ols import OLSFeatures as OLSFeatures
    from rollcast.predictors.recurrent.learners import GRU as GRU
    from rollcast.predictors.recurrent.learners import LSTM as LSTM
    from rollcast.predictors.recurrent.learners import RNN as RNN
    from rollcast.predictors.recurrent.learners import AttentionLSTM as AttentionLSTM
    from rollcast.predictors.recurrent.learners import BiLSTM as BiLSTM
    from rollcast.predictors.recurrent.learners import StackedLSTM as StackedLSTM
    from rollcast.predictors.registry import load as load
    from rollcast.predictors.sma import SMA as SMA
    from rollcast.predictors.walk_forward import WalkForward as WalkForward
    from rollcast.predictors.walk_forward import Window as Window
    from rollcast.strategies.base import ForecastStrategy as ForecastStrategy
    from rollcast.strategies.buy_and_hold import BuyAndHold as BuyAndHold
    from rollcast.strategies.long_flat import LongFlat as LongFlat
    from rollcast.strategies.long_short import LongShort as LongShort
    from rollcast.strategies.portfolio.equal_weight import EqualWeight as EqualWeight
    from rollcast.strategies.portfolio.min_variance_tilt import MinVarianceTilt as MinVarianceTilt
    from rollcast.strategies.portfolio.top_k import TopK as TopK
    from rollcast.strategies.proportional import Proportional as Proportional
    from rollcast.strategies.rule import BandRule as BandRule
    from rollcast.strategies.rule import NameRule as NameRule
    from rollcast.strategies.rule import NameState as NameState
    from rollcast.strategies.rule import Rule as Rule
    from rollcast.strategies.rule import State as State
    from rollcast.strategies.sizing import Ruined as Ruined

# module → the names it defines
_MODULES = {
    "backtests.account.engine": ("Account", "simulate"),
    "backtests.comparison": ("compare",),
    "backtests.data.bars": ("list_bars", "load_bars"),
    "backtests.next_bar.next_bar": ("NextBar", "forecast_next"),
    "backtests.pipeline.backtest": ("STRATEGIES", "run"),
    "backtests.pipeline.request": ("Request",),
    "backtests.pipeline.result": ("Result", "RunFolder"),
    "backtests.sheet.report": ("write_report",),
    "predictors.base": ("Learner", "Predictor"),
    "predictors.checks.suite": ("check_predictor", "yield_checks"),
    "predictors.ema": ("EMA",),
    "predictors.kalman": ("KalmanMLE", "LocalLevel", "LocalLinearTrend"),
    "predictors.naive": ("Naive",),
    "predictors.ols": ("OLS", "OLSFeatures"),
    "predictors.recurrent.learners": ("AttentionLSTM", "BiLSTM", "GRU", "LSTM", "RNN", "StackedLSTM"),
    "predictors.registry": ("load",),
    "predictors.sma": ("SMA",),
    "predictors.walk_forward": ("WalkForward", "Window"),
    "strategies.base": ("ForecastStrategy",),
    "strategies.buy_and_hold": ("BuyAndHold",),
    "strategies.long_flat": ("LongFlat",),
    "strategies.long_short": ("LongShort",),
    "strategies.portfolio.equal_weight": ("EqualWeight",),
    "strategies.portfolio.min_variance_tilt": ("MinVarianceTilt",),
    "strategies.portfolio.top_k": ("TopK",),
    "strategies.proportional": ("Proportional",),
    "strategies.rule": ("BandRule", "NameRule", "NameState", "Rule", "State"),
    "strategies.sizing": ("Ruined",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'rollcast' has no attribute {name!r}")
    return getattr(importlib.import_module(f"rollcast.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
