"""Backtests: prices in, forecasts traded, evidence out."""

from backtests.backtest import STRATEGIES as STRATEGIES
from backtests.backtest import run as run
from backtests.engine import Account as Account
from backtests.engine import simulate as simulate
from backtests.report import write_report as write_report
from backtests.result import Result as Result
from backtests.result import RunFolder as RunFolder
from backtests.sources import list_bars as list_bars
from backtests.sources import load_bars as load_bars
