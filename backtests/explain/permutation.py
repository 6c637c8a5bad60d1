"""What a learner uses of the bars: one part of them is shuffled, and its forecasts are compared with the real ones.

A fitted learner forecasts only bars after its training slice, and what stands in a shuffled bar comes from the
slice, so that no forecast is made from a later bar.

Reference: Fisher, Rudin and Dominici (2019), All Models are Wrong, but Many are Useful, JMLR 20(177), section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from ...predictors import WalkForward, Window

# Parts of a bar that are shuffled one at a time, each with the others kept.
PARTS = {
    "return": "from close to close",
    "gap": "from the last close to the open",
    "range": "how far high and low reach beyond open and close",
    "volume": "what was traded",
}
REFITS = 12  # the last ones: with 21 bars each, a year
DRAWS = 5


def importance(model: WalkForward, bars: pd.DataFrame) -> pd.DataFrame:
    """A row for each of `PARTS`, from the forecasts of the last `REFITS` windows, each by the model fitted before it.

    Columns: `moved`, by how much the forecasts change when the part is shuffled, over their size (root mean squares);
    `r2`, by how much their R² against a forecast of zero falls; `r2_error`, the standard error of that over the draws.
    """
    windows = model.windows(bars)[-REFITS:]
    fitted = [replace(model.learner).fit(window.training) for window in windows]  # type: ignore[type-var]
    outcome = np.log(bars["close"]).diff().shift(-1)

    def forecasts(change: Callable[[Window], pd.DataFrame]) -> pd.Series:
        blocks = [m.predict(change(w)).iloc[-w.block :] for m, w in zip(fitted, windows, strict=True)]
        return pd.concat(blocks)

    real = forecasts(lambda window: window.model_bars)
    known = outcome.loc[real.index].notna().to_numpy()
    target = outcome.loc[real.index].to_numpy()[known]
    rows = {}
    for part in PARTS:
        rng = np.random.default_rng(0)
        moved, fall = [], []
        for _ in range(DRAWS):
            shuffled = forecasts(lambda window, part=part, rng=rng: shuffle(window, part, rng))  # type: ignore[misc]
            moved.append(np.sqrt(np.mean((shuffled - real) ** 2) / np.mean(real**2)))
            errors = [np.sum((target - f.to_numpy()[known]) ** 2) / np.sum(target**2) for f in (real, shuffled)]
            fall.append(errors[1] - errors[0])
        rows[part] = {"moved": np.mean(moved), "r2": np.mean(fall), "r2_error": np.std(fall, ddof=1) / np.sqrt(DRAWS)}
    return pd.DataFrame(rows).T


def shuffle(window: Window, part: str, rng: np.random.Generator) -> pd.DataFrame:
    """The window's `model_bars` with a part shuffled: among the bars of the slice, and for later bars drawn from it."""
    bars, train = window.model_bars, window.split - window.start
    source = np.r_[0, 1 + rng.permutation(train - 1), rng.integers(1, train, len(bars) - train)]
    opening, high, low, close = (bars[name].to_numpy(float) for name in ("open", "high", "low", "close"))
    before = np.r_[close[0], close[:-1]]
    parts = {
        "return": np.log(close / before),
        "gap": np.log(opening / before),
        "range": np.log([high / np.maximum(opening, close), np.minimum(opening, close) / low]).T,
        "volume": bars["volume"].to_numpy(float),
    }
    parts[part] = parts[part][source]
    close = close[0] * np.exp(np.cumsum(parts["return"]))
    opening = np.r_[close[0], close[:-1]] * np.exp(parts["gap"])
    above, below = np.exp(parts["range"]).T
    columns = {
        "open": opening,
        "high": np.maximum(opening, close) * above,
        "low": np.minimum(opening, close) / below,
        "close": close,
        "volume": parts["volume"],
    }
    return bars.assign(**columns)
