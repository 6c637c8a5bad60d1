"""Engines: where the windows of a walk-forward are trained, and what of them survives a kill."""

from rollcast.backtests.cluster.journalled_executor import ENGINES as ENGINES
from rollcast.backtests.cluster.journalled_executor import engine as engine
