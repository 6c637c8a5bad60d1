"""The headline: one sentence over all answers, and over what happened to the account.

"More than luck" is said only where the forecasts, the deflated excess and the timing, or the lead over holding, are
each shown at 5 %; so it is said no more often where there is nothing. docs/calibration.md has what was measured.
"""

from __future__ import annotations

import math

from ..json_values import Record, number
from .power import REACH, SURE, SURE_T
from .verdict import Entry

LOOKS_AHEAD = "This looks ahead. Nothing below is evidence of anything."
TOO_GOOD = "This is too good to be true. Look for a leak before you trust anything below."
ALL_PASSED = "Every check here is passed. That is rare: look for what the checks cannot see before you trust it."
MORE = "The forecasts carry information, and the result is more than luck; but not every check is passed."
NEVER_TRADED = "It never traded, so there is nothing to judge."
WIPED_OUT = "It lost nearly everything it had."
TOO_SHORT = "This is too short to say: not even as much skill as honest forecasts can have would show in these bars."
HELD = "It bought once and held. That is the market's return, and no evidence of skill."
INVESTED = "It was always invested: what it earned is the market's, and there is no evidence of skill."
SAME_WITHOUT_EDGE = "On markets without an edge the same pipeline does as well: there is no evidence of more than luck."
INFORMED = "The forecasts carry some information, but this result could be luck."
TIMED = "It was in the market at better times than chance chooses, but its forecasts are not shown to know anything."
EXPOSED = "What it earned came from being in the market, not from its forecasts. There is no evidence of skill."
NOTHING = "There is no evidence here of more than luck."

RUIN = -0.9  # a total return below which little is left to judge
INSIDE = 0.98  # share of closes with a position, from which on it was always invested
FULL = 0.9  # average exposure likewise


def conclusion(entries: list[Entry], metrics: Record) -> str:
    """One sentence over all of them."""
    yes = {entry["check"] for entry in entries if entry["answer"] == "yes"}
    untested = {entry["check"] for entry in entries if entry["answer"] == "untested"}
    if "look-ahead" not in yes | untested:
        return LOOKS_AHEAD
    if "plausibility" not in yes:
        return TOO_GOOD
    if sentence := _unjudged(metrics):
        return sentence
    if len(yes) == len(entries):
        return ALL_PASSED
    placebo = {entry["answer"] for entry in entries if entry["check"] == "placebo"}
    refuted = bool(placebo) and "yes" not in placebo
    shown = yes | {"forecast", "timing"} if "placebo" in yes else yes
    if shown >= {"forecast", "deflation"} and shown & {"holding", "timing"}:
        return SAME_WITHOUT_EDGE if refuted else MORE
    if sentence := _passive(metrics):
        return sentence
    return _doubtful(yes, metrics, refuted)


def _unjudged(metrics: Record) -> str:
    """What happened where there is nothing to judge; no sentence where there is."""
    ours, limits = metrics["strategy"], metrics["plausibility"]
    if not ours["orders"]:
        return NEVER_TRADED
    if number(ours["total_return"]) < RUIN:
        return WIPED_OUT
    # The correlation that is seen with 80 % in so many forecasts.
    if (SURE_T + REACH) / math.sqrt(max(metrics["forecast"]["forecasts"], 1)) > limits["ic_limit"]:
        return TOO_SHORT
    return ""


def _passive(metrics: Record) -> str:
    """What happened where the account was the market's; no sentence where it was not."""
    ours, beta = metrics["strategy"], number(metrics["excess"]["beta"])
    if ours["orders"] == 1 and beta > 0:
        return HELD
    if number(ours["time_in_market"]) >= INSIDE and beta >= FULL:
        return INVESTED
    return ""


def _doubtful(yes: set[str], metrics: Record, refuted: bool) -> str:
    """The sentence where not enough was shown."""
    if refuted:
        return SAME_WITHOUT_EDGE if yes & {"forecast", "timing", "deflation"} else NOTHING
    if "forecast" in yes:
        return INFORMED
    if yes & {"holding", "timing"}:
        return TIMED
    if number(metrics["luck"]["psr"]) >= SURE and number(metrics["strategy"]["cagr"]) > 0:
        return EXPOSED
    return NOTHING
