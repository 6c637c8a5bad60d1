"""Numbers as the sentences of the verdict say them."""

from __future__ import annotations

import math

from ..json_values import Record, number
from .skill import Z


def ratio_words(value: float | None) -> str:
    """A ratio in two places, or that it is undefined."""
    return "undefined" if math.isnan(number(value)) else f"{value:.2f}"


def probability_words(value: float) -> str:
    """A probability in three places, or that it is below the smallest of them."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def percent_words(value: float | None) -> str:
    """A share in per cent, to a tenth."""
    return f"{number(value):.1%}"


def reach_words(effect: str, years_more: float | None = None) -> str:
    """What these bars could have shown, and how many more years would show what there seems to be."""
    years = number(years_more)
    words = f" {effect} would show in four of five samples of this length."
    if math.isnan(years):
        return words
    if years < 0.1:
        return f"{words} So would what there seems to be."
    length = "more than 1,000" if years > 1000 else f"{years:.0f}" if years >= 10 else f"{years:.1f}"
    return f"{words} What there seems to be would after {length} more years."


def calibration_words(skill: Record) -> str:
    """By what factor forecasts are too bold or too timid, and which would be right; nothing where that is unsure."""
    slope, error = number(skill["calibration_slope"]), number(skill["calibration_slope_se"])
    if not slope > 0 or not abs(slope - 1) > Z * error:
        return ""
    word, times = ("bold", 1 / slope) if slope < 1 else ("timid", slope)
    return f" They are {times:.2g} times too {word}: times {slope:.2g} would be right."


def beyond_words(metrics: Record) -> str:
    """The measures of skill that are beyond what honest forecasts reach."""
    limits, skill, across = metrics["plausibility"], metrics["forecast"], metrics.get("panel")
    measures = {
        "ic": f"the forecasts' correlation with the next returns is {number(skill['ic']):.2f}",
        "rank_ic": f"their rank correlation across names is {number(across['rank_ic']['mean']):.2f}" if across else "",
        "hit_rate": f"their sign is right in {number(skill['hit_rate']):.0%}",
        "sharpe": f"the Sharpe ratio is {ratio_words(limits['sharpe'])}",
    }
    text = " and ".join(measures[name] for name in limits["beyond"])
    return text[:1].upper() + text[1:]
