"""Placebo markets: the same pipeline on price histories without anything to forecast."""

from rollcast.backtests.placebo.markets import SCORES as SCORES
from rollcast.backtests.placebo.markets import Pipeline as Pipeline
from rollcast.backtests.placebo.markets import score as score
from rollcast.backtests.placebo.p_value import Chance as Chance
from rollcast.backtests.placebo.placebo import Placebo as Placebo
from rollcast.backtests.placebo.placebo import placebo as placebo
from rollcast.backtests.placebo.surrogates import SURROGATES as SURROGATES
