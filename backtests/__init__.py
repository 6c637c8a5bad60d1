"""Backtests: prices in, forecasts traded, evidence out. What is named here is imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backtests.backtest import STRATEGIES as STRATEGIES
    from backtests.backtest import run as run
    from backtests.comparison import compare as compare
    from backtests.engine import Account as Account
    from backtests.engine import simulate as simulate
    from backtests.forecasting import NextBar as NextBar
    from backtests.forecasting import forecast_next as forecast_next
    from backtests.request import Request as Request
    from backtests.result import Result as Result
    from backtests.result import RunFolder as RunFolder
    from backtests.sheet.report import write_report as write_report
    from backtests.sources import list_bars as list_bars
    from backtests.sources import load_bars as load_bars

_HOMES = {
    "STRATEGIES": "backtest",
    "run": "backtest",
    "compare": "comparison",
    "Account": "engine",
    "simulate": "engine",
    "NextBar": "forecasting",
    "forecast_next": "forecasting",
    "Request": "request",
    "Result": "result",
    "RunFolder": "result",
    "write_report": "sheet.report",
    "list_bars": "sources",
    "load_bars": "sources",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'backtests' has no attribute {name!r}")
    return getattr(importlib.import_module(f"backtests.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
