"""The public names: type checkers read them here, and `__init__.py` imports them from the modules named here."""

from rollcast.backtests.account.engine import Account as Account
from rollcast.backtests.account.engine import simulate as simulate
from rollcast.backtests.atomic import RunFolder as RunFolder
from rollcast.backtests.comparison import entrants_of as entrants_of
from rollcast.backtests.data.bars import list_bars as list_bars
from rollcast.backtests.data.bars import load_bars as load_bars
from rollcast.backtests.market.market import Market as Market
from rollcast.backtests.market.panel import Panel as Panel
from rollcast.backtests.market.panel import load_panel as load_panel
from rollcast.backtests.next_bar import NextBar as NextBar
from rollcast.backtests.next_bar import forecast_next as forecast_next
from rollcast.backtests.pipeline.backtest import run as run
from rollcast.backtests.pipeline.request import Request as Request
from rollcast.backtests.pipeline.result import Result as Result
from rollcast.backtests.pipeline.strategies import PORTFOLIO_STRATEGIES as PORTFOLIO_STRATEGIES
from rollcast.backtests.pipeline.strategies import STRATEGIES as STRATEGIES
from rollcast.backtests.sheet.report import write_report as write_report
from rollcast.backtests.workspace.comparison import compare as compare
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
from rollcast.predictors.window import Window as Window
from rollcast.strategies.base import ForecastStrategy as ForecastStrategy
from rollcast.strategies.buy_and_hold import BuyAndHold as BuyAndHold
from rollcast.strategies.long_flat import LongFlat as LongFlat
from rollcast.strategies.long_short import LongShort as LongShort
from rollcast.strategies.proportional import Proportional as Proportional

__version__: str
