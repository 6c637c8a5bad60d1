"""Backtests: prices in, forecasts traded, evidence out."""

from __future__ import annotations

from typing import Any

import rollcast
from rollcast import former_names

if __name__ in former_names.NAMES:  # imported from a checkout on sys.path, under its former name
    former_names.adopt(__name__)


def __getattr__(name: str) -> Any:
    """The public names, which were once here."""
    if name.startswith("_") or name not in dir(rollcast):
        raise AttributeError(f"module 'rollcast.backtests' has no attribute {name!r}")
    return getattr(rollcast, name)
