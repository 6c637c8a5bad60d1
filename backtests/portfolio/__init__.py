"""Portfolios: many names, one account."""

from rollcast.backtests.data.panel import Panel as Panel
from rollcast.backtests.data.panel import load_panel as load_panel
from rollcast.backtests.pipeline.panel_backtest import PORTFOLIO_STRATEGIES as PORTFOLIO_STRATEGIES
from rollcast.backtests.pipeline.panel_backtest import run_panel as run_panel
from rollcast.backtests.pipeline.panel_backtest import trade_panel as trade_panel
from rollcast.backtests.pipeline.panel_forecasts import predict_panel as predict_panel
from rollcast.backtests.pipeline.panel_result import PanelResult as PanelResult
