"""Every answer at the very edge of its threshold, and every sentence, on metrics written by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rollcast.backtests.evidence.verdict import QUESTIONS, conclusion, verdict

CHECKS = ["look-ahead", "plausibility", "forecast", "holding", "timing", "deflation", "costs"]


def metrics(**changes: Any) -> dict[str, Any]:
    """Metrics that pass every check, but for these changes: `luck={"dsr": 0.2}`."""
    good: dict[str, Any] = {
        "plausibility": {"ic_limit": 0.2, "hit_rate_limit": 0.56, "sharpe": 2.0, "sharpe_limit": 3.8, "beyond": []},
        "forecast": {"r2": 0.012, "cw_p": 0.001, "ic": 0.1, "hit_rate": 0.54},
        "strategy": {"cagr": 0.3, "sharpe": 2.0},
        "benchmark": {"cagr": 0.1, "sharpe": 0.6},
        "luck": {
            "dsr": 0.99,
            "dsr_all": 0.97,
            "trials": 1,
            "effective_trials": 1,
            "threshold": 0.0,
            "against_hold": {"p_cagr": 0.01, "p_sharpe": 0.01},
        },
        "stress": {
            "random": {"sharpe_rank": 0.99, "draws": 200},
            "break_even_bps": 40.0,
            "delay": [{"bars": k, "total_return": r} for k, r in enumerate((1.0, 0.9, 0.1))],
        },
    }
    for name, change in changes.items():
        good[name] = {**good.get(name, {}), **change}
    return good


def entry(check: str, passed: bool = True, **changes: Any) -> dict[str, str]:
    """The entry of one check."""
    entries = verdict(metrics(**changes), {"look_ahead": {"passed": passed, "finding": "none found"}})
    assert [e["check"] for e in entries] == CHECKS
    assert {e["check"]: e["question"] for e in entries} == QUESTIONS
    return next(e for e in entries if e["check"] == check)


def against(p_cagr: float, p_sharpe: float) -> dict[str, Any]:
    return {"against_hold": {"p_cagr": p_cagr, "p_sharpe": p_sharpe}}


def late(*returns: float) -> dict[str, Any]:
    return {"delay": [{"bars": k, "total_return": r} for k, r in enumerate(returns)]}


EDGES = [
    ("forecast", {"forecast": {"r2": 1e-9, "cw_p": 0.0499}}, "yes"),
    ("forecast", {"forecast": {"r2": 1e-9, "cw_p": 0.0501}}, "unclear"),
    ("forecast", {"forecast": {"r2": 0.0, "cw_p": 0.0499}}, "unclear"),
    ("forecast", {"forecast": {"r2": 0.0, "cw_p": 0.0501}}, "no"),
    ("forecast", {"forecast": {"r2": -1e-9, "cw_p": 0.0501}}, "no"),
    ("forecast", {"forecast": {"r2": -0.01, "cw_p": 0.0499}}, "unclear"),
    ("forecast", {"forecast": {"r2": 0.01, "cw_p": 1 - 0.95}}, "unclear"),
    ("forecast", {"forecast": {"r2": -0.01, "cw_p": 1 - 0.95}}, "no"),
    ("holding", {"luck": against(1 - 0.95, 0.01)}, "unclear"),
    ("holding", {"luck": against(0.0499, 0.0499)}, "yes"),
    ("holding", {"luck": against(0.0499, 0.0501)}, "unclear"),
    ("holding", {"luck": against(0.0501, 0.0499)}, "unclear"),
    ("holding", {"strategy": {"cagr": 0.1, "sharpe": 0.7}}, "unclear"),
    ("holding", {"strategy": {"cagr": 0.2, "sharpe": 0.6}}, "unclear"),
    ("holding", {"strategy": {"cagr": 0.1, "sharpe": 0.6}}, "no"),
    ("timing", {"stress": {"random": {"sharpe_rank": 0.95, "draws": 20}}}, "yes"),
    ("timing", {"stress": {"random": {"sharpe_rank": 0.9499, "draws": 20}}}, "unclear"),
    ("timing", {"stress": {"random": {"sharpe_rank": 0.5001, "draws": 20}}}, "unclear"),
    ("timing", {"stress": {"random": {"sharpe_rank": 0.5, "draws": 20}}}, "no"),
    ("timing", {"stress": {"random": {"sharpe_rank": 0.2, "draws": 20}}}, "no"),
    ("timing", {}, "yes"),
    ("deflation", {}, "yes"),
    ("deflation", {"luck": {"dsr": 0.95}}, "yes"),
    ("deflation", {"luck": {"dsr": 0.9499}}, "unclear"),
    ("deflation", {"luck": {"dsr": 0.5}}, "unclear"),
    ("deflation", {"luck": {"dsr": 0.4999}}, "no"),
    ("costs", {"stress": {"break_even_bps": 10.0}}, "yes"),
    ("costs", {"stress": {"break_even_bps": 9.99}}, "no"),
    ("costs", {"stress": late(1.0, 0.5001)}, "yes"),
    ("costs", {"stress": late(1.0, 0.5)}, "no"),
    ("costs", {"stress": late(0.0, 0.5)}, "no"),
    ("costs", {"stress": late(-0.5, 0.5)}, "no"),
    ("costs", {"stress": late(1.0, 0.2)}, "no"),
    ("costs", {"stress": late(0.01, 0.009)}, "yes"),
]


@pytest.mark.parametrize(("check", "changes", "answer"), EDGES)
def test_the_answer_turns_at_its_threshold(check, changes, answer):
    assert entry(check, **changes)["answer"] == answer


def panel(t: float, mean: float = 0.02, dates: int = 1500) -> dict[str, Any]:
    return {"panel": {"dates": dates, "rank_ic": {"mean": mean, "t": t}}}


@pytest.mark.parametrize(
    ("t", "mean", "answer"),
    [(1.646, 0.02, "yes"), (1.645, 0.02, "unclear"), (0.1, 1e-6, "unclear"), (0.0, 0.0, "no"), (-3.0, -0.01, "no")],
)
def test_a_portfolio_is_judged_by_the_ranks_across_its_names(t, mean, answer):
    found = entry("forecast", **panel(t, mean))
    assert (found["answer"], found["section"]) == (answer, "across")


def test_where_no_date_has_ranks_a_portfolio_is_judged_by_its_forecasts():
    assert entry("forecast", **panel(3.0, dates=0))["section"] == "skill"


SENTENCES = [
    ("look-ahead", {}, "Look-ahead: none found."),
    (
        "forecast",
        {"forecast": {"r2": 0.012, "cw_p": 0.0456}},
        "Their squared error is 1.20% smaller than that of always forecasting zero, and the chance of knowing nothing "
        "and looking as well is 0.046 (Clark-West).",
    ),
    (
        "forecast",
        {"forecast": {"r2": -0.0304, "cw_p": 0.000999}},
        "Their squared error is 3.04% larger than that of always forecasting zero, and the chance of knowing nothing "
        "and looking as well is < 0.001 (Clark-West).",
    ),
    (
        "forecast",
        {"forecast": {"r2": 0.0, "cw_p": 0.001}},
        "Their squared error is 0.00% larger than that of always forecasting zero, and the chance of knowing nothing "
        "and looking as well is 0.001 (Clark-West).",
    ),
    (
        "forecast",
        {"forecast": {"cw_p": math.nan}},
        "Nothing to judge: every forecast, or every return, is zero.",
    ),
    (
        "forecast",
        panel(2.5, 0.0234),
        "Across names, the correlation of their ranks with those of the next returns is 0.0234 on average of 1,500 "
        "dates, 2.50 standard errors from none.",
    ),
    ("holding", {}, "It grew 30.0% a year, holding 10.0%; Sharpe ratio 2.00 against 0.60."),
    (
        "holding",
        {"luck": against(0.2, 0.01)},
        "It grew 30.0% a year, holding 10.0%; Sharpe ratio 2.00 against 0.60. The difference is within what chance "
        "gives.",
    ),
    (
        "holding",
        {"strategy": {"cagr": 0.05, "sharpe": None}, "luck": against(0.2, 0.3)},
        "It grew 5.0% a year, holding 10.0%; Sharpe ratio undefined against 0.60.",
    ),
    (
        "timing",
        {"stress": {"random": {"sharpe_rank": 0.7, "draws": 30}}},
        "The same forecasts shifted to random times, traded as often, had a lower Sharpe ratio in 70% of 30 draws.",
    ),
    (
        "timing",
        {"stress": {"random": {"sharpe_rank": None, "draws": 0}}},
        "There are too few bars, or too few trades, to tell.",
    ),
    (
        "deflation",
        {},
        "It is 2.00, and truly above zero with a probability of 99%, if this was the only variant ever tried on these "
        "bars.",
    ),
    (
        "deflation",
        {"luck": {"trials": 2, "effective_trials": 2, "threshold": 0.456}},
        "2 variants were tried on these bars, 2 of them unlike. The best of as many without skill would show 0.46; "
        "this one has 2.00, and is truly above that with a probability of 99% (97% if all 2 count as unlike).",
    ),
    ("deflation", {"luck": {"dsr": None}}, "It has no Sharpe ratio: the account did not move."),
    (
        "costs",
        {},
        "Filled one bar later it would have returned 90% in all instead of 100%; 40 basis points each way would have "
        "taken all of it.",
    ),
    (
        "costs",
        {"stress": {"break_even_bps": None}},
        "Filled one bar later it would have returned 90% in all instead of 100%; no cost below 1,000 basis points "
        "each way would have taken all of it.",
    ),
    ("costs", {"stress": late(0.0, 0.5)}, "It lost money as it was."),
]


@pytest.mark.parametrize(("check", "changes", "sentence"), SENTENCES)
def test_the_sentence_says_the_numbers(check, changes, sentence):
    assert entry(check, **changes)["sentence"] == sentence


def test_each_answer_points_to_the_section_that_shows_it():
    sections = ["recipe", "skill", "skill", "performance", "luck", "luck", "costs"]
    assert [entry(check)["section"] for check in CHECKS] == sections
    assert entry("timing", stress={"random": {"sharpe_rank": None, "draws": 0}})["section"] == "luck"
    assert entry("look-ahead", passed=False)["answer"] == "no"


def concluded(*passed: str) -> str:
    answers = {check: "yes" if check in passed else "unclear" for check in CHECKS}
    return conclusion([{"check": check, "answer": answer} for check, answer in answers.items()])


EARNED = "What it earned came from being in the market, not from its forecasts. There is no evidence of skill."
INFORMED = "The forecasts carry information, and the result is more than luck; but not every check is passed."
CONCLUSIONS = [
    (CHECKS[1:], "This looks ahead. Nothing below is evidence of anything."),
    (
        [check for check in CHECKS if check != "plausibility"],
        "This is too good to be true. Look for a leak before you trust anything below.",
    ),
    (
        CHECKS,
        "Every check here is passed. That is rare: look for what the checks cannot see before you trust it.",
    ),
    (["look-ahead", "plausibility", "forecast", "deflation", "holding"], INFORMED),
    (["look-ahead", "plausibility", "forecast", "deflation", "timing", "costs"], INFORMED),
    (
        ["look-ahead", "plausibility", "forecast", "deflation", "costs"],
        "The forecasts carry some information, but this result could be luck.",
    ),
    (
        ["look-ahead", "plausibility", "forecast", "holding", "timing"],
        "The forecasts carry some information, but this result could be luck.",
    ),
    (
        ["look-ahead", "plausibility", "timing", "deflation"],
        "It was in the market at better times than chance chooses, but its forecasts are no better than none.",
    ),
    (["look-ahead", "plausibility", "deflation"], EARNED),
    (["look-ahead", "plausibility", "deflation", "costs"], EARNED),
    (["look-ahead", "plausibility", "costs"], "There is no evidence here of more than luck."),
]


@pytest.mark.parametrize(("passed", "sentence"), CONCLUSIONS)
def test_the_conclusion_is_that_of_the_checks_that_were_passed(passed, sentence):
    assert concluded(*passed) == sentence


def test_where_it_looks_ahead_no_other_question_has_an_answer():
    found = verdict(metrics(), {"look_ahead": {"passed": False, "finding": "of 0.1"}})
    assert [line["answer"] for line in found] == ["no"] + ["moot"] * (len(CHECKS) - 1)
