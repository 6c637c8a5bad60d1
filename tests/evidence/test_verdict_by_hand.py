"""Every answer at the very edge of its threshold, and every sentence, on metrics written by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rollcast.backtests.evidence import conclusion as headline
from rollcast.backtests.evidence.conclusion import conclusion
from rollcast.backtests.evidence.verdict import QUESTIONS, verdict

CHECKS = ["look-ahead", "plausibility", "forecast", "timing", "deflation", "holding", "costs"]


def metrics(**changes: Any) -> dict[str, Any]:
    """Metrics that pass every check, but for these changes: `excess={"dsr": 0.2}`."""
    good: dict[str, Any] = {
        "plausibility": {"ic_limit": 0.2, "hit_rate_limit": 0.56, "sharpe": 2.0, "sharpe_limit": 3.8, "beyond": []},
        "forecast": {
            **{"forecasts": 2500, "ic": 0.1, "hit_rate": 0.54, "cw_mean": 3.0, "cw_mean_p": 0.001},
            **{"calibration_slope": 1.0, "calibration_slope_se": 0.2, "smallest_ic": 0.05, "years_more": 12.3},
        },
        "strategy": {
            **{"cagr": 0.3, "sharpe": 2.0, "total_return": 9.0, "orders": 400, "trades": 200, "time_in_market": 0.5},
        },
        "benchmark": {"cagr": 0.1, "sharpe": 0.6},
        "luck": {
            "psr": 0.99,
            "trials": 1,
            "effective_trials": 1,
            "against_hold": {"p_cagr": 0.01, "p_sharpe": 0.01, "smallest_sharpe": 0.4, "years_more": 7.0},
        },
        "excess": {
            **{"beta": 0.53, "alpha": 0.12, "t": 3.21, "p_best": 0.001, "needed_t": 1.645, "dsr": 0.97},
            **{"smallest": 0.07, "years_more": 4.0, "own_cost_bps": 2.0, "break_even_bps": [3.0, 10.0, 17.0]},
        },
        "stress": {
            "random": {"sharpe_rank": 0.99, "draws": 200},
            "delay": [{"bars": k, "cagr": r} for k, r in enumerate((0.3, 0.2, 0.1))],
        },
    }
    for name, change in changes.items():
        good[name] = {**good.get(name, {}), **change}
    return good


def entry(check: str, passed: bool = True, **changes: Any) -> dict[str, str]:
    """The entry of one check."""
    entries = verdict(metrics(**changes), {"look_ahead": {"passed": passed, "finding": "none found"}})
    assert [e["check"] for e in entries][:7] == CHECKS
    assert all(e["question"] == QUESTIONS[e["check"]] for e in entries)
    return next(e for e in entries if e["check"] == check)


def against(p_cagr: float, p_sharpe: float) -> dict[str, Any]:
    return {"against_hold": {"p_cagr": p_cagr, "p_sharpe": p_sharpe, "smallest_sharpe": 0.4, "years_more": 7.0}}


def random(rank: float | None, draws: int = 20) -> dict[str, Any]:
    return {"random": {"sharpe_rank": rank, "draws": draws}}


EDGES = [
    ("forecast", {"forecast": {"cw_mean": 1.646}}, "yes"),
    ("forecast", {"forecast": {"cw_mean": 1.645}}, "unclear"),
    ("forecast", {"forecast": {"cw_mean": 3.0, "ic": -0.01}}, "unclear"),
    ("forecast", {"forecast": {"cw_mean": 1e-9}}, "unclear"),
    ("forecast", {"forecast": {"cw_mean": 0.0}}, "no"),
    ("forecast", {"forecast": {"cw_mean": 2.9}, "excess": {"needed_t": 2.9}}, "unclear"),
    ("forecast", {"forecast": {"cw_mean": 2.91}, "excess": {"needed_t": 2.9}}, "yes"),
    ("forecast", {"forecast": {"cw_mean": None}}, "untested"),
    ("holding", {"luck": against(1 - 0.95, 0.01)}, "unclear"),
    ("holding", {"luck": against(0.0499, 0.0499)}, "yes"),
    ("holding", {"luck": against(0.0499, 0.0501)}, "unclear"),
    ("holding", {"luck": against(0.0501, 0.0499)}, "unclear"),
    ("holding", {"strategy": {"cagr": 0.1, "sharpe": 0.7}}, "unclear"),
    ("holding", {"strategy": {"cagr": 0.2, "sharpe": 0.6}}, "unclear"),
    ("holding", {"strategy": {"cagr": 0.1, "sharpe": 0.6}}, "no"),
    ("timing", {"stress": random(0.95)}, "yes"),
    ("timing", {"stress": random(0.9499)}, "unclear"),
    ("timing", {"stress": random(0.2)}, "unclear"),
    ("timing", {"stress": random(None, 0)}, "untested"),
    ("timing", {"excess": {"p_best": 0.0499}}, "yes"),
    ("timing", {"excess": {"p_best": 1 - 0.95}}, "unclear"),
    ("timing", {"excess": {"p_best": 0.7, "t": 1e-9}}, "unclear"),
    ("timing", {"excess": {"p_best": 0.7, "t": 0.0}}, "no"),
    ("timing", {"excess": {"t": None}}, "untested"),
    ("deflation", {"excess": {"p_best": 0.0499}}, "yes"),
    ("deflation", {"excess": {"p_best": 1 - 0.95}}, "unclear"),
    ("deflation", {"excess": {"p_best": 0.4999}}, "unclear"),
    ("deflation", {"excess": {"p_best": 0.5}}, "no"),
    ("deflation", {"excess": {"dsr": 0.5}}, "yes"),
    ("deflation", {"excess": {"dsr": 0.4999}}, "unclear"),
    ("deflation", {"excess": {"p_best": None}}, "untested"),
    ("costs", {"excess": {"break_even_bps": [2.001, 10.0, 18.0]}}, "yes"),
    ("costs", {"excess": {"break_even_bps": [2.0, 10.0, 18.0]}}, "unclear"),
    ("costs", {"excess": {"break_even_bps": [-8.0, 2.0, 12.0]}}, "no"),
    ("costs", {"excess": {"break_even_bps": [None] * 3}}, "untested"),
    ("draw", {"draw": {"nets": 5, "agreement": 0.9}}, "yes"),
    ("draw", {"draw": {"nets": 5, "agreement": 0.5}}, "unclear"),
    ("draw", {"draw": {"nets": 5, "agreement": 0.4999}}, "no"),
    ("draw", {"draw": {"nets": 1, "agreement": None}}, "untested"),
    ("placebo", {"placebo": {"markets": 99, "null": "phase", "sharpe": {"p": 0.05}, "ic": {"p": 0.9}}}, "yes"),
    ("placebo", {"placebo": {"markets": 99, "null": "phase", "sharpe": {"p": 0.051}, "ic": {"p": 0.01}}}, "unclear"),
    ("placebo", {"placebo": {"markets": 99, "null": "phase", "sharpe": {"p": 0.5}, "ic": {"p": 0.01}}}, "no"),
]


@pytest.mark.parametrize(("check", "changes", "answer"), EDGES)
def test_the_answer_turns_at_its_threshold(check, changes, answer):
    assert entry(check, **changes)["answer"] == answer


def test_the_metrics_written_here_pass_every_check():
    assert {entry(check)["answer"] for check in CHECKS} == {"yes"}


def test_beside_a_leak_nothing_is_said_to_be_shown():
    assert {entry(check, passed=False)["answer"] for check in CHECKS[2:]} == {"untested"}
    assert {entry(check, plausibility={"beyond": ["ic"]})["answer"] for check in CHECKS[2:]} == {"untested"}


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
    (
        "look-ahead",
        {},
        "Look-ahead: none found.",
    ),
    (
        "forecast",
        {"forecast": {"cw_mean_p": 0.0456}},
        "Their correlation with the next return is 0.100. The chance of as much from knowing only the mean so"
        " far is 0.046 (Clark-West).",
    ),
    (
        "forecast",
        {"forecast": {"calibration_slope": 0.1, "calibration_slope_se": 0.02}},
        "Their correlation with the next return is 0.100. The chance of as much from knowing only the mean so"
        " far is 0.001 (Clark-West). They are 10 times too bold: times 0.1 would be right.",
    ),
    (
        "forecast",
        {"forecast": {"cw_mean": 1.2, "cw_mean_p": 0.000999, "calibration_slope": 3.0}},
        "Their correlation with the next return is 0.100. The chance of as much from knowing only the mean so"
        " far is < 0.001 (Clark-West). They are 3 times too timid: times 3 would be right. A correlation of "
        "0.050 would show in four of five samples of this length. What there seems to be would after 12 more "
        "years.",
    ),
    (
        "forecast",
        {"excess": {"needed_t": 2.9}},
        "Their correlation with the next return is 0.100. They are 3.00 standard errors better than the mean "
        "known so far (Clark-West); the best of these trials needs 2.90.",
    ),
    (
        "forecast",
        {"forecast": {"cw_mean": math.nan}},
        "There are too few forecasts, or all are the same.",
    ),
    (
        "forecast",
        panel(2.5, 0.0234),
        "Across names, the correlation of their ranks with those of the next returns is 0.0234 on average of "
        "1,500 dates, 2.50 standard errors from none.",
    ),
    (
        "holding",
        {},
        "It grew 30.0% a year, holding 10.0%; Sharpe ratio 2.00 against 0.60.",
    ),
    (
        "holding",
        {"luck": against(0.2, 0.01)},
        "It grew 30.0% a year, holding 10.0%; Sharpe ratio 2.00 against 0.60. The difference is within what "
        "chance gives. A Sharpe ratio 0.40 above holding's would show in four of five samples of this length."
        " What there seems to be would after 7.0 more years.",
    ),
    (
        "holding",
        {"strategy": {"cagr": 0.05, "sharpe": None}, "luck": against(0.2, 0.3)},
        "It grew 5.0% a year, holding 10.0%; Sharpe ratio undefined against 0.60.",
    ),
    (
        "timing",
        {"stress": random(0.7, 30)},
        "Its average exposure to the market was 53%; beyond what that earned it made 12.0% a year, 3.21 "
        "standard errors from none. Its forecasts shifted to random times, traded as often, had a lower "
        "Sharpe ratio in 70% of 30 draws. An excess of 7.0% a year would show in four of five samples of this"
        " length. What there seems to be would after 4.0 more years.",
    ),
    (
        "timing",
        {"stress": random(None, 0)},
        "There are too few bars, or too few trades, to tell.",
    ),
    (
        "timing",
        {"excess": {"t": None}, "strategy": {"orders": 0}},
        "It never traded.",
    ),
    (
        "timing",
        {"excess": {"t": None}, "strategy": {"orders": 1}},
        "It bought once and held: there is no timing to judge.",
    ),
    (
        "deflation",
        {},
        "The chance of such an excess by luck is 0.001, if this was the only variant ever tried on this market.",
    ),
    (
        "deflation",
        {"luck": {"trials": 1200, "effective_trials": 2.4}, "excess": {"dsr": 0.3}},
        "The chance that the best of 1,200 variants without skill shows such an excess is 0.001 (bootstrap of "
        "the maximum). So many were tried on this market, 2 of them unlike; the deflated Sharpe ratio of the "
        "excess is 30%. The two disagree. An excess of 7.0% a year would show in four of five samples of"
        " this length. What there seems to be would after 4.0 more years.",
    ),
    (
        "deflation",
        {"excess": {"p_best": 0.9, "years_more": None}},
        "The chance of such an excess by luck is 0.900, if this was the only variant ever tried on this market. "
        "An excess of 7.0% a year would show in four of five samples of this length.",
    ),
    (
        "costs",
        {},
        "Each way it paid 2.0 basis points; what it made beyond its exposure would be gone at 10.0 (3.0 to "
        "17.0). Filled one bar later it would have grown 20.0% a year instead of 30.0%.",
    ),
    (
        "draw",
        {"draw": {"nets": 5, "agreement": 0.876}},
        "The forecasts of 5 nets of other seeds would have a correlation of about 0.88 with these; 1 is no "
        "luck of the draw at all.",
    ),
    (
        "costs",
        {"excess": {"break_even_bps": [-1.29, 2.0, 5.29]}},
        "Each way it paid 2.0 basis points; what it made beyond its exposure would be gone at 2.0 (-1.3 to 5.3). "
        "Filled one bar later it would have grown 20.0% a year instead of 30.0%. A break-even at 7.0 would show in "
        "four of five samples of this length.",
    ),
]


@pytest.mark.parametrize(("check", "changes", "sentence"), SENTENCES)
def test_the_sentence_says_the_numbers(check, changes, sentence):
    assert entry(check, **changes)["sentence"] == sentence


def test_each_answer_points_to_the_section_that_shows_it():
    sections = ["recipe", "skill", "skill", "luck", "luck", "performance", "costs"]
    assert [entry(check)["section"] for check in CHECKS] == sections
    assert entry("timing", stress=random(None, 0))["section"] == "luck"
    assert entry("look-ahead", passed=False)["answer"] == "no"


def concluded(*passed: str, placebo: str = "", **changes: Any) -> str:
    answers = {check: "yes" if check in passed else "unclear" for check in CHECKS}
    answers |= {"placebo": placebo} if placebo else {}
    return conclusion([{"check": check, "answer": answer} for check, answer in answers.items()], metrics(**changes))


FIRST = ("look-ahead", "plausibility")
CONCLUSIONS = [
    (CHECKS[1:], headline.LOOKS_AHEAD),
    ([check for check in CHECKS if check != "plausibility"], headline.TOO_GOOD),
    (CHECKS, headline.ALL_PASSED),
    ([*FIRST, "forecast", "deflation", "holding"], headline.MORE),
    ([*FIRST, "forecast", "deflation", "timing", "costs"], headline.MORE),
    ([*FIRST, "forecast", "deflation", "costs"], headline.INFORMED),
    ([*FIRST, "forecast", "holding", "timing"], headline.INFORMED),
    ([*FIRST, "timing", "deflation"], headline.TIMED),
    ([*FIRST, "holding"], headline.TIMED),
    ([*FIRST, "deflation"], headline.EXPOSED),
    ([*FIRST, "costs"], headline.EXPOSED),
]


@pytest.mark.parametrize(("passed", "sentence"), CONCLUSIONS)
def test_the_conclusion_is_that_of_the_checks_that_were_passed(passed, sentence):
    assert concluded(*passed) == sentence


def test_without_a_sharpe_ratio_that_is_surely_above_none_nothing_was_earned():
    assert concluded(*FIRST, luck={"psr": 0.9499}) == headline.NOTHING
    assert concluded(*FIRST, strategy={"cagr": -0.1}) == headline.NOTHING


HAPPENED = [
    ({"strategy": {"orders": 0, "trades": 0}}, headline.NEVER_TRADED),
    ({"strategy": {"total_return": -0.91}}, headline.WIPED_OUT),
    ({"forecast": {"forecasts": 154}}, headline.TOO_SHORT),
    ({"forecast": {"forecasts": 155}}, headline.ALL_PASSED),
]


@pytest.mark.parametrize(("changes", "sentence"), HAPPENED)
def test_where_there_is_nothing_to_judge_no_check_that_was_passed_counts(changes, sentence):
    assert concluded(*CHECKS, **changes) == sentence


def test_what_only_held_the_market_is_told_so_unless_more_was_shown():
    once, inside = {"orders": 1, "trades": 1}, {"time_in_market": 0.98}
    assert concluded(*FIRST, "forecast", strategy=once) == headline.HELD
    assert concluded(*FIRST, "holding", strategy=inside, excess={"beta": 0.9}) == headline.INVESTED
    assert concluded(*FIRST, "forecast", strategy=inside, excess={"beta": 0.89}) == headline.INFORMED
    assert concluded(*FIRST, "forecast", "deflation", "timing", strategy=inside, excess={"beta": 1}) == headline.MORE


def test_markets_without_an_edge_outrank_the_analytic_lines_but_never_the_count_of_trials():
    assert concluded(*CHECKS[:5], placebo="yes") == headline.MORE
    assert concluded(*CHECKS, placebo="unclear") == headline.SAME_WITHOUT_EDGE
    assert concluded(*FIRST, "forecast", placebo="no") == headline.SAME_WITHOUT_EDGE
    assert concluded(*FIRST, "deflation", placebo="yes") == headline.MORE
    assert concluded(*FIRST, placebo="yes") != headline.MORE
