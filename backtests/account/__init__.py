"""Many accounts at once, to the last bit of what the engine gives one by one."""

from .fast_accounts import Evaluation as Evaluation
from .fast_accounts import evaluate as evaluate
from .fast_rules import supports as supports
from .prices import Prices as Prices
