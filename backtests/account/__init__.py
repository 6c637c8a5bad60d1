"""Many accounts at once, to the last bit of what the engine gives one by one."""

from rollcast.backtests.account.fast_accounts import Evaluation as Evaluation
from rollcast.backtests.account.fast_accounts import Prices as Prices
from rollcast.backtests.account.fast_accounts import evaluate as evaluate
from rollcast.backtests.account.fast_rules import supports as supports
