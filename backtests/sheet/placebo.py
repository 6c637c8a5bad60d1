"""The placebo test: where the scores of the run stand among those of the same pipeline on markets without an edge.

Drawn from `metrics["placebo"]`, which `rollcast placebo` adds to a saved run.
"""

from __future__ import annotations

import numpy as np

from ..pipeline.result import Result
from .svg import Chart, histogram
from .values import Cells, Context, Format, Metrics, finite
from .words import number, percent, probability

# Key of a score in the metrics → its name, and how it is written.
SCORES: dict[str, tuple[str, Format]] = {
    "sharpe": ("Sharpe ratio", number),
    "cagr": ("CAGR", percent),
    "excess": ("CAGR less holding's", percent),
    "ic": ("Information coefficient", lambda value: number(value, 3)),
    "r2": ("Out-of-sample R²", lambda value: percent(value, 2)),
}


def placebo(result: Result) -> Context | None:
    """The scores as rows of a table, and histograms of two of them; None where no placebo test was made."""
    test = result.metrics.get("placebo")
    if not test:
        return None
    return {
        "markets": test["markets"],
        "null": test["null"],
        "rows": [_row(name, write, test[key]) for key, (name, write) in SCORES.items()],
        "charts": [_histogram(key, test[key], test["null"]) for key in ("sharpe", "ic")],
    }


def _row(name: str, write: Format, score: Metrics) -> Cells:
    """The score on the real market, its median and 95 % quantile on placebo markets, p, and the interval of p."""
    values = finite(score["null"])
    median, best = np.quantile(values, (0.5, 0.95)) if len(values) else (None, None)
    bounds = f"{probability(score['low'])} to {probability(score['high'])}"
    return name, write(score["real"]), write(median), write(best), probability(score["p"]), bounds


def _histogram(key: str, score: Metrics, null: str) -> Chart:
    """How many placebo markets had which score, and a rule at that of the real market."""
    name, write = SCORES[key]
    values, real = finite(score["null"]), score["real"]
    plot = histogram(values, [real], bins=20, digits=1 if key == "sharpe" else 2, most=5)
    return plot.rule(x=real, colour="accent").chart(
        f"placebo-{key}",
        f"{name} on {len(values)} placebo markets",
        f"The blue line is the real market, p = {probability(score['p'])}. Inside the heap it is chance.",
        f"Placebo markets ({null}): {write(min(values, default=None))} to {write(max(values, default=None))}; "
        f"real: {write(real)}",
        legend=(("placebo markets", "muted"), ("real market", "accent")),
    )
