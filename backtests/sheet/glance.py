"""What stands in the folded line of each section: its figures in a sentence."""

from __future__ import annotations

from ..pipeline.result import Result
from .performance import Performance
from .values import Metrics
from .words import cost, day, number, percent


def glances(result: Result, report: Performance) -> dict[str, str]:
    """The sentence of every section that a sheet may have, by the section's id."""
    metrics, recipe = result.metrics, result.recipe
    scores, holding, skill = metrics["strategy"], metrics["benchmark"], metrics["forecast"]
    years = [row for row in report.years if row.cells]
    won = sum(row.cells[-1] == "+" for row in years)
    window = recipe["evaluation"]
    return {
        "performance": f"Better than holding in {won} of {len(years)} years; deepest drawdown "
        f"{percent(scores['max_drawdown'])}, holding {percent(holding['max_drawdown'])}",
        "across": _across(metrics),
        "price": f"{number(window['bars'], 0)} bars, {_count(scores['trades'], 'round trip')}, a position at "
        f"{percent(scores['time_in_market'])} of the closes",
        "skill": f"Correlation with the next return {number(skill['ic'], 3)}, R² {percent(skill['r2'], 2)}, sign right "
        f"in {percent(skill['hit_rate'])}",
        "costs": f"{_count(scores['trades'], 'round trip')}, {cost(scores['cost_bps'])} a year, turnover "
        f"{number(scores['turnover'], 1)} × a year",
        "luck": f"Sharpe ratio {number(scores['sharpe'])}, with its intervals, and what chance alone would show",
        "training": _training(result),
        "quantstats": f"{len(report.figures)} charts and {len(report.rows)} figures",
        "recipe": f"{recipe['symbol']}, {day(window['first'])} to {day(window['last'])}: command, data, parameters",
    }


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _across(metrics: Metrics) -> str:
    panel = metrics.get("panel")
    if panel is None:
        return ""
    return (
        f"Rank IC {number(panel['rank_ic']['mean'], 4)} over {number(panel['dates'], 0)} dates, {panel['names']} names"
    )


def _training(result: Result) -> str:
    if result.training is None:
        return ""
    dates = result.training.windows["date"]
    return f"{_count(dates.nunique(), 'window')}, the first fitted {day(dates.min())}"
