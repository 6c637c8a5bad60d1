"""Is it luck?: the scores of the run beside what chance alone would have shown.

Drawn from `metrics["luck"]` (bootstrap intervals, number of trials), `metrics["excess"]` (what was earned beyond the
exposure, deflated) and, for the random times, `metrics["stress"]["random"]`; Sharpe ratios are a year, over cash.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..pipeline.result import Result
from .placebo import placebo
from .scales import Range, padded_range
from .svg import Chart, histogram, wide_chart
from .values import Context, Metrics, Tile, finite
from .words import interval, number, percent, probability

Bounds = Sequence[float | None]  # the two ends of an interval


def luck(result: Result) -> Context | None:
    """Tiles, a row for each bootstrap interval, and the charts; None for a result without this evidence."""
    evidence, stress = result.metrics.get("luck"), result.metrics.get("stress")
    if not evidence:
        return None
    random = stress["random"] if stress else None
    return {
        "tiles": _tiles(evidence, result),
        "intervals": _intervals(evidence, result),
        "block": evidence["intervals"]["block"],
        "draws": evidence["intervals"]["draws"],
        "level": percent(evidence["intervals"]["level"], 0),
        "charts": [wide_chart(_histogram, random, result)] if random and len(random["sharpe"]) else [],
        "placebo": placebo(result),
        "trials": _trials(evidence, result),
    }


def _trials(evidence: Metrics, result: Result) -> Context | None:
    """The rows of the trials behind the deflation, and what is not counted; None for a result of no workspace."""
    trials = result.metrics.get("trials")
    if not trials:
        return None
    rows = [
        (one["created"][:10] or "this run", one["name"], one["parameters"], one["symbol"], one["workspace"],
         number(one["sharpe"]))
        for one in trials["listed"]
    ]  # fmt: skip
    count = evidence["trials"]
    title = "The trial that was counted" if count == 1 else f"The {count:,} trials that were counted"
    rest = f", the {len(rows):,} with the highest Sharpe ratio" if len(rows) < count else ""
    return {"title": f"{title}{rest}", "rows": rows, "notes": trials["notes"]}


def _tiles(evidence: Metrics, result: Result) -> list[Tile]:
    yearly, bars = result.metrics["bars_per_year"], len(result.returns)
    needed, trials = evidence["min_track_record"], evidence["trials"]
    excess = result.metrics.get("excess", evidence)  # a run of 0.1 has none
    effective = f"; {number(evidence['effective_trials'], 0)} unlike" if trials > 1 else ""
    finite_length = needed is not None and math.isfinite(needed)
    length = "for 95 %; " if finite_length else "is enough: the Sharpe ratio is not above zero; "
    best = f"of the excess: that its Sharpe ratio is above {number(excess['threshold'])}, which the best shows by luck"
    chance = f"that the best of {number(trials, 0)} without skill shows such an excess over its exposure"
    return [
        Tile("Probabilistic Sharpe", percent(evidence["psr"]), "that the true Sharpe ratio is above that of cash"),
        Tile("Chance by luck", probability(excess.get("p_best")), chance),
        Tile("Deflated Sharpe", percent(excess["dsr"]), best),
        Tile("Trials counted", number(trials, 0), f"on this market and these dates, this one included{effective}"),
        Tile(
            "Track record needed",
            f"{number(needed / yearly, 1)} years" if finite_length else "no length",
            f"{length}there are {number(bars / yearly, 1)} years",
        ),
    ]


def _intervals(evidence: Metrics, result: Result) -> list[Context]:
    """A row for each figure: its value, its bootstrap interval, and for a difference to holding the p-value."""
    scores, benchmark = result.metrics["strategy"], result.metrics["benchmark"]
    alone, difference = evidence["intervals"], evidence["against_hold"]
    rows = []
    for name, key, unit in (
        ("CAGR", "cagr", "percent"),
        ("Sharpe ratio", "sharpe", "number"),
        ("Maximum drawdown", "max_drawdown", "percent"),
    ):
        rows.append(_interval(name, scores[key], alone[key], unit))
    for name, key, unit in (("CAGR", "cagr", "percent"), ("Sharpe ratio", "sharpe", "number")):
        less = math.nan if None in (scores[key], benchmark[key]) else scores[key] - benchmark[key]
        p = probability(difference[f"p_{key}"])
        rows.append(_interval(f"{name} less buy-and-hold's", less, difference[key], unit, p))
    return rows


def _interval(name: str, value: float, bounds: Bounds | None, unit: str, p: str = "") -> Context:
    return {
        "name": name,
        "value": percent(value) if unit == "percent" else number(value),
        "interval": interval(bounds, 1 if unit == "percent" else 2, of=unit),
        "p": p,
        "strip": strip(value, bounds, padded_range(finite([value, *(bounds or ())]), zero=True)),
    }


def strip(value: float, bounds: Bounds | None, scale: Range) -> dict[str, str] | None:
    """Paths of zero, an interval and a value in a table's cell; None where one of them is no number.

    The cell is 200 units wide, of which 4 at either end stay free, and 16 high; the rest is the range `scale`.
    """
    numbers = finite([*(bounds or ()), value, 0.0])
    if len(numbers) < 4:
        return None
    low, high = scale
    start, end, dot, zero = (f"{4 + 192 * (v - low) / (high - low or 1):.1f}" for v in numbers)
    return {"zero": f"M{zero} 1V15", "span": f"M{start} 8H{end}", "value": f"M{dot} 8h0"}


def _histogram(random: Metrics, result: Result, width: float) -> Chart:
    """How many random timings of the same trades had which Sharpe ratio; rules at the run's and at holding's."""
    values = finite(random["sharpe"])
    sharpe, holding = result.metrics["strategy"]["sharpe"], result.metrics["benchmark"]["sharpe"]
    plot = histogram(values, [sharpe, holding], bins=24, digits=1, width=width, height=210)
    plot.rule(x=holding, colour="hold").rule(x=sharpe, colour="accent")
    low, high = min(values, default=None), max(values, default=None)
    return plot.chart(
        "random",
        f"Sharpe ratio of the same forecasts at {len(values)} random times",
        f"Traded as often, at other times. The blue line is this run: above {percent(random['sharpe_rank'], 0)} of "
        "them. Inside the heap, its timing is worth nothing.",
        f"Random times: {number(low)} to {number(high)}; this run: {number(sharpe)}; buy and hold: {number(holding)}",
        "Sharpe ratio",
        (("random times", "muted"), ("this run", "accent"), ("buy and hold", "hold")),
    )
