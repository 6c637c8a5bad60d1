"""Luck of the draw: how far forecasts would change if the nets had started from other seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from ..json_values import Record, Values


def luck_of_the_draw(forecast: pd.Series, spread: pd.Series | None, predictor: Record) -> Values | None:
    """nets: whose mean the forecast is; agreement: the correlation that another such mean would have with this one.

    spread: standard deviation over the nets at every forecast bar (T,), None of a single net.
    predictor: as the recipe describes it. None for a predictor without seeds.

    agreement: 1 - mean(spread²)/nets / var(forecast), the reliability of a mean of nets (Spearman 1910, Brown 1910,
    British Journal of Psychology 3), at least 0. NaN of a single net.
    """
    nets = _nets(predictor)
    if nets is None:
        return None
    both = pd.concat({"f": forecast, "s": spread}, axis=1).dropna() if spread is not None else pd.DataFrame()
    variance = float(both["f"].var(ddof=0)) if len(both) else 0.0
    if nets < 2 or not variance > 0:
        return {"nets": nets, "agreement": math.nan}
    return {"nets": nets, "agreement": max(0.0, 1 - float((both["s"] ** 2).mean()) / nets / variance)}


def _nets(predictor: Record) -> int | None:
    learner = predictor.get("learner")
    if isinstance(learner, Mapping):
        return _nets(learner)
    seeds = predictor.get("seeds", 1 if "seed" in predictor else None)
    return seeds if isinstance(seeds, int) else None
