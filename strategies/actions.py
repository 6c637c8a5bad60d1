"""Dividends and splits that bars carry beside their prices."""

from __future__ import annotations

import numpy as np
import pandas as pd

# What a bar that is no ex-date pays for a unit held, and makes of one.
NO_ACTION = {"dividend": 0.0, "split": 1.0}


def actions_of(bars: pd.DataFrame) -> pd.DataFrame | None:
    """The `dividend` and `split` that bars carry beside their prices; None where they carry neither.

    Raises ValueError for a dividend that is missing, negative or infinite, or a split that is not above 0.
    """
    if not set(NO_ACTION) & set(bars):
        return None
    nothing = pd.DataFrame(NO_ACTION, index=bars.index)
    acted = nothing.assign(**{name: bars[name].astype(float) for name in nothing if name in bars})
    lowest = {"dividend": acted["dividend"] >= 0, "split": acted["split"] > 0}
    for name, sound in lowest.items():
        wrong = ~(sound & np.isfinite(acted[name]))
        if wrong.any():
            date = wrong.idxmax()
            value = acted.loc[date, name]
            raise ValueError(f"the {name} of {date:%Y-%m-%d} is {value:g}; no dividend is 0, and no split is 1")
    return acted
