"""Engines: where the windows of a walk-forward are trained, and what of them survives a kill."""

from backtests.cluster.foreman import ENGINES as ENGINES
from backtests.cluster.foreman import engine as engine
