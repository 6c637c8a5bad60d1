"""Placebo markets: the same pipeline where there is nothing to find."""

from backtests.placebo.chance import Chance as Chance
from backtests.placebo.markets import SCORES as SCORES
from backtests.placebo.markets import Trial as Trial
from backtests.placebo.markets import score as score
from backtests.placebo.placebo import Placebo as Placebo
from backtests.placebo.placebo import placebo as placebo
from backtests.placebo.surrogates import SURROGATES as SURROGATES
