"""Many accounts at once, to the last bit of what the engine gives one by one."""

from backtests.fast.accounts import Evaluation as Evaluation
from backtests.fast.accounts import Prices as Prices
from backtests.fast.accounts import evaluate as evaluate
from backtests.fast.rules import supports as supports
