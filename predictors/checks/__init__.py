"""The checks that every predictor and learner must pass."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """`check_predictor` and `yield_checks`, which were once here."""
    if name not in ("check_predictor", "yield_checks"):
        raise AttributeError(f"module 'rollcast.predictors.checks' has no attribute {name!r}")
    from . import suite

    return getattr(suite, name)
