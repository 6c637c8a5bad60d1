"""Portfolios: many names, one account."""

from backtests.portfolio.backtest import PORTFOLIO_STRATEGIES as PORTFOLIO_STRATEGIES
from backtests.portfolio.backtest import run_panel as run_panel
from backtests.portfolio.backtest import trade_panel as trade_panel
from backtests.portfolio.forecasts import predict_panel as predict_panel
from backtests.portfolio.panel import Panel as Panel
from backtests.portfolio.panel import load_panel as load_panel
from backtests.portfolio.result import PanelResult as PanelResult
