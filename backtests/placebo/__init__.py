"""Placebo markets: the same pipeline on price histories without anything to forecast."""

from .markets import SCORES as SCORES
from .markets import Pipeline as Pipeline
from .markets import score as score
from .p_value import Chance as Chance
from .placebo import Placebo as Placebo
from .placebo import placebo as placebo
from .surrogates import SURROGATES as SURROGATES
