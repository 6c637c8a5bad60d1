"""Is it luck?: what chance alone would have shown."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sheet.placebo import placebo
from rollcast.backtests.sheet.svg import Chart, Plot, number_ticks, spanned, wide
from rollcast.backtests.sheet.words import interval, number, percent, probability


def chance(result: Result) -> dict[str, Any] | None:
    """tiles, intervals with a strip each, and where the run stands among random ones; None without the evidence."""
    luck, stress = result.metrics.get("luck"), result.metrics.get("stress")
    if not luck:
        return None
    random = stress["random"] if stress else None
    return {
        "tiles": _tiles(luck, result),
        "intervals": _intervals(luck, result),
        "block": luck["intervals"]["block"],
        "draws": luck["intervals"]["draws"],
        "level": percent(luck["intervals"]["level"], 0),
        "charts": [wide(functools.partial(_histogram, random, result))] if random and len(random["sharpe"]) else [],
        "random": random,
        "placebo": placebo(result),
    }


def _tiles(luck: Mapping[str, Any], result: Result) -> list[dict[str, str]]:
    yearly, bars = result.metrics["bars_per_year"], len(result.returns)
    needed, trials = luck["min_track_record"], luck["trials"]
    finite = needed is not None and math.isfinite(needed)
    return [
        {
            "name": "Probabilistic Sharpe",
            "value": percent(luck["psr"]),
            "note": "that the true Sharpe ratio is above zero",
        },
        {
            "name": "Deflated Sharpe",
            "value": percent(luck["dsr"]),
            "note": f"that it is above {number(luck['threshold'])}, what the best of the trials would show by luck",
        },
        {
            "name": "Trials counted",
            "value": number(trials, 0),
            "note": "on these bars, this one included"
            + (f"; {number(luck['effective_trials'], 0)} unlike" if trials > 1 else ""),
        },
        {
            "name": "Track record needed",
            "value": f"{number(needed / yearly, 1)} years" if finite else "no length",
            "note": ("for 95 %; " if finite else "is enough: the Sharpe ratio is not above zero; ")
            + f"there are {number(bars / yearly, 1)} years",
        },
    ]


def _intervals(luck: Mapping[str, Any], result: Result) -> list[dict[str, Any]]:
    ours, held = result.metrics["strategy"], result.metrics["benchmark"]
    own, against = luck["intervals"], luck["against_hold"]
    rows = [
        ("CAGR", ours["cagr"], own["cagr"], "percent", None),
        ("Sharpe ratio", ours["sharpe"], own["sharpe"], "number", None),
        ("Maximum drawdown", ours["max_drawdown"], own["max_drawdown"], "percent", None),
        (
            "CAGR less buy-and-hold's",
            _less(ours["cagr"], held["cagr"]),
            against["cagr"],
            "percent",
            _p(against, "cagr"),
        ),
        (
            "Sharpe ratio less buy-and-hold's",
            _less(ours["sharpe"], held["sharpe"]),
            against["sharpe"],
            "number",
            _p(against, "sharpe"),
        ),
    ]
    return [
        {
            "name": name,
            "value": percent(value) if kind == "percent" else number(value),
            "interval": interval(bounds, 1 if kind == "percent" else 2, of=kind),
            "p": "" if p is None else probability(p),
            "strip": strip(value, bounds, spanned([value, *(bounds or [])], zero=True)),
        }
        for name, value, bounds, kind, p in rows
    ]


def _p(against: Mapping[str, Any], key: str) -> float:
    """One-sided, that the strategy is not better."""
    return against[f"{key}_p"] if f"{key}_p" in against else against[f"p_{key}"]


def _less(a: float | None, b: float | None) -> float:
    return math.nan if a is None or b is None else a - b


def strip(value: float, bounds: Any, scale: tuple[float, float]) -> dict[str, str] | None:
    """An interval, a value and zero on a line of 200 × 16 units, which is the scale's; None where one is no number."""
    if bounds is None or any(b is None or not math.isfinite(b) for b in (value, *bounds)):
        return None
    low, high = scale
    at = {
        key: 4 + 192 * (v - low) / (high - low or 1)
        for key, v in (("l", bounds[0]), ("h", bounds[1]), ("v", value), ("z", 0.0))
    }
    return {"zero": f"M{at['z']:.1f} 1V15", "span": f"M{at['l']:.1f} 8H{at['h']:.1f}", "value": f"M{at['v']:.1f} 8h0"}


def _histogram(random: Mapping[str, Any], result: Result, width: float) -> Chart:
    drawn = np.array([v for v in random["sharpe"] if v is not None], float)
    drawn = drawn[np.isfinite(drawn)]
    ours, held = result.metrics["strategy"]["sharpe"], result.metrics["benchmark"]["sharpe"]
    x = spanned(drawn, [v for v in (ours, held) if v is not None])
    counts, edges = np.histogram(drawn, bins=24, range=x)
    plot = Plot(
        x, (0, max(float(counts.max()) * 1.08, 1)), number_ticks(*x, digits=1), lambda v: number(v, 0), width, 210
    )
    plot.bars(edges, counts, "muted")
    plot.rule(x=held, colour="hold").rule(x=ours, colour="accent")
    rank, low, high = random["sharpe_rank"], min(drawn, default=None), max(drawn, default=None)
    return plot.chart(
        "random",
        f"Sharpe ratio of the same forecasts at {len(drawn)} random times",
        f"Traded as often, at other times. The blue line is this run: above {percent(rank, 0)} of them. "
        "Inside the heap, its timing is worth nothing.",
        f"Random times: {number(low)} to {number(high)}; this run: {number(ours)}; buy and hold: {number(held)}",
        legend=(("random times", "muted"), ("this run", "accent"), ("buy and hold", "hold")),
        x_title="Sharpe ratio",
    )
