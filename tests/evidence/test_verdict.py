"""The verdict says what the numbers say, and never calls luck a profit."""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from rollcast import Predictor, run
from rollcast.backtests.evidence.conclusion import conclusion
from rollcast.backtests.evidence.evidence import with_evidence
from rollcast.backtests.evidence.trials import Trials
from rollcast.backtests.evidence.verdict import QUESTIONS, verdict
from rollcast.backtests.pipeline.request import Request
from rollcast.predictors.bars import random_walk
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort


def judged(request: Request, trials: Trials | None = None):
    arguments = [] if trials is None else [trials]
    return with_evidence(request.run(), *request.rule(), request.account, *arguments)


@pytest.fixture(scope="module")
def sma():
    return judged(Request("sma", start="2000", end="2015"))


def answers(metrics) -> dict[str, str]:
    return {entry["check"]: entry["answer"] for entry in metrics["verdict"]}


def rejudged(metrics, passed=True, **changes):
    """The verdict after some numbers are changed: `luck__dsr=0.2`."""
    altered = deepcopy(dict(metrics))
    for path, value in changes.items():
        *parents, key = path.split("__")
        place = altered
        for parent in parents:
            place = place[parent]
        place[key] = value
    entries = verdict(altered, {"look_ahead": {"passed": passed, "finding": "as found"}})
    return {entry["check"]: entry["answer"] for entry in entries}, conclusion(entries, altered)


GOOD = {
    "forecast__cw_mean": 3.0,
    "forecast__ic": 0.1,
    "strategy__cagr": 0.3,
    "strategy__sharpe": 2.0,
    "benchmark__cagr": 0.1,
    "benchmark__sharpe": 0.6,
    "luck__against_hold__p_cagr": 0.01,
    "luck__against_hold__p_sharpe": 0.01,
    "excess__t": 3.0,
    "excess__p_best": 0.001,
    "excess__dsr": 0.99,
    "excess__break_even_bps": [5.0, 40.0, 75.0],
    "stress__random__sharpe_rank": 0.99,
}


def test_a_moving_average_on_real_prices_is_no_evidence_of_skill(sma):
    found = answers(sma.metrics)
    assert found["look-ahead"] == "yes"
    assert found["forecast"] == "no"
    assert found["holding"] != "yes"
    assert sma.metrics["conclusion"].lower().count("no evidence") == 1


def test_only_when_every_check_is_passed_is_there_no_reservation(sma):
    found, said = rejudged(sma.metrics, **GOOD)
    assert set(found.values()) == {"yes"}
    assert said.startswith("Every check here is passed")


@pytest.mark.parametrize(
    ("change", "check", "answer"),
    [
        ({"forecast__cw_mean": 0.5}, "forecast", "unclear"),
        ({"forecast__cw_mean": -0.5}, "forecast", "no"),
        ({"forecast__cw_mean": None}, "forecast", "untested"),
        ({"luck__against_hold__p_sharpe": 0.3}, "holding", "unclear"),
        ({"strategy__sharpe": 0.1, "strategy__cagr": 0.01}, "holding", "no"),
        ({"stress__random__sharpe_rank": 0.8}, "timing", "unclear"),
        ({"excess__t": -0.5}, "timing", "no"),
        ({"excess__dsr": 0.4}, "deflation", "unclear"),
        ({"excess__break_even_bps": [-1.0, 1.0, 3.0]}, "costs", "no"),
    ],
)
def test_each_number_moves_its_own_answer_alone(sma, change, check, answer):
    found, said = rejudged(sma.metrics, **GOOD | change)
    assert found == dict.fromkeys(found, "yes") | {check: answer}
    assert said.startswith("Every check") == (answer == "yes")


def test_a_good_curve_from_bad_forecasts_is_said_to_be_no_skill(sma):
    bad = {"forecast__cw_mean": -0.5, "excess__t": 0.4, "excess__p_best": 0.4, "luck__psr": 0.99}
    behind = {"strategy__cagr": 0.01, "strategy__sharpe": 0.5}
    _, said = rejudged(sma.metrics, **GOOD | bad | behind)
    assert said.endswith("There is no evidence of skill.")


def test_a_predictor_that_looks_ahead_gets_no_other_conclusion(sma):
    found, said = rejudged(sma.metrics, passed=False, **GOOD)
    assert found["look-ahead"] == "no"
    assert said == "This looks ahead. Nothing below is evidence of anything."


def test_luck_on_a_market_without_memory_is_never_called_skill():
    for seed in range(8):
        bars = random_walk(600, seed)
        result = run(bars, Request("ema").model(), LongShort)
        judged_ = with_evidence(result, LongShort)
        assert "forecasts carry information, and" not in judged_.metrics["conclusion"], seed
        assert not judged_.metrics["conclusion"].startswith("Every check"), seed


def test_more_trials_on_the_same_bars_never_raise_the_deflated_sharpe_ratio():
    request = Request("ema", start="2005", end="2015")
    lone = judged(request)
    many = judged(request, Trials(count=50, effective=20, sharpe_variance=0.001, runs=60))
    assert many.metrics["luck"]["dsr_all"] < many.metrics["luck"]["dsr"] < lone.metrics["luck"]["dsr"]
    assert lone.metrics["luck"]["dsr"] == lone.metrics["luck"]["psr"]
    (line,) = [line for line in many.metrics["verdict"] if line["check"] == "deflation"]
    assert "the best of 50 variants without skill" in line["sentence"]
    assert many.metrics["excess"]["needed_t"] > lone.metrics["excess"]["needed_t"] == 1.645


@dataclass(frozen=True)
class Foresight(Predictor):
    """The next return itself."""

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        return np.log(bars["close"]).diff().shift(-1).fillna(0.0).rename("forecast")


def test_perfect_foresight_has_nothing_to_show_beside_a_leak():
    result = run(random_walk(400, 3), Foresight(), LongFlat, allow_lookahead=True)
    found = answers(with_evidence(result, LongFlat).metrics)
    assert (found["look-ahead"], found["plausibility"]) == ("no", "no")
    assert {found[check] for check in ("forecast", "holding", "timing", "deflation")} == {"untested"}


def test_an_account_that_never_traded_is_judged_without_a_crash():
    flat = judged(Request("naive", start="2015", end="2016"))
    assert answers(flat.metrics)["forecast"] == answers(flat.metrics)["deflation"] == "untested"
    assert flat.metrics["conclusion"] == "It never traded, so there is nothing to judge."


def test_ten_bars_are_judged_without_a_crash():
    short = judged(Request("sma", start="2015-01-02", end="2015-01-20", params={"window": "3"}))
    assert set(answers(short.metrics)) == set(QUESTIONS) - {"draw", "placebo"}
    assert short.metrics["conclusion"].startswith("This is too short to say")
