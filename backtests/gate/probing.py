"""What the probes of predictors and of windows have in common."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from ...predictors import Learner, Predictor, WalkForward
from ...predictors.checks.subject import Subject

PERTURBED = ("cut off", "given other prices", "given other volume")
SECONDS = 0.5  # spent on a predictor or learner that is quick


def fresh_copy(model: Predictor | Learner) -> Any:
    """An equal model from a second run of its module, where nothing is remembered."""
    fresh = Subject(model).fresh_copy()
    cls = type(fresh.learner if isinstance(fresh, WalkForward) else fresh)
    return cls(**{f.name: getattr(model, f.name) for f in fields(model) if f.init})  # type: ignore[arg-type]


def month_ends(index: pd.DatetimeIndex) -> np.ndarray:
    """The cuts after the last bar of every month."""
    return np.flatnonzero(np.diff(index.year * 12 + index.month)) + 1


def absolute_returns(bars: pd.DataFrame) -> np.ndarray:
    """|log return| of every bar, 0 for the first."""
    return np.nan_to_num(np.abs(np.diff(np.log(bars["close"].to_numpy(float)), prepend=np.nan)))
