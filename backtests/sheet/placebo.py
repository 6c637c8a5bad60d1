"""Where the run stands among the same pipeline on markets without an edge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sheet.svg import Chart, Plot, number_ticks, spanned
from rollcast.backtests.sheet.words import number, percent, probability

SCORES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "sharpe": ("Sharpe ratio", number),
    "cagr": ("CAGR", percent),
    "excess": ("CAGR less holding's", percent),
    "ic": ("Information coefficient", lambda value: number(value, 3)),
    "r2": ("Out-of-sample R²", lambda value: percent(value, 2)),
}


def placebo(result: Result) -> dict[str, Any] | None:
    """rows of the scores and charts of two of them; None where no placebo test was made."""
    found = result.metrics.get("placebo")
    if not found:
        return None
    return {
        "markets": found["markets"],
        "null": found["null"],
        "rows": [_row(name, write, found[key]) for key, (name, write) in SCORES.items()],
        "charts": [_heap(key, found[key], found["null"]) for key in ("sharpe", "ic")],
    }


def _row(name: str, write: Callable[[Any], str], score: Mapping[str, Any]) -> tuple[str, ...]:
    values = _numbers(score["null"])
    middle, best = np.quantile(values, (0.5, 0.95)) if len(values) else (None, None)
    between = f"{probability(score['low'])} to {probability(score['high'])}"
    return name, write(score["real"]), write(middle), write(best), probability(score["p"]), between


def _heap(key: str, score: Mapping[str, Any], null: str) -> Chart:
    name, write = SCORES[key]
    values, real = _numbers(score["null"]), score["real"]
    x = spanned(values, [] if real is None else [real])
    counts, edges = np.histogram(values, bins=20, range=x)
    digits = 1 if key == "sharpe" else 2
    plot = Plot(
        x, (0, max(float(counts.max()) * 1.08, 1)), number_ticks(*x, digits=digits, most=5), lambda v: number(v, 0)
    )
    plot.bars(edges, counts, "muted").rule(x=real, colour="accent")
    return plot.chart(
        f"placebo-{key}",
        f"{name} on {len(values)} placebo markets",
        f"The blue line is the real market, p = {probability(score['p'])}. Inside the heap it is chance.",
        f"Placebo markets ({null}): {write(min(values, default=None))} to {write(max(values, default=None))}; "
        f"real: {write(real)}",
        legend=(("placebo markets", "muted"), ("real market", "accent")),
    )


def _numbers(values: Any) -> np.ndarray:
    found = np.array([value for value in values if value is not None], float)
    return found[np.isfinite(found)]
