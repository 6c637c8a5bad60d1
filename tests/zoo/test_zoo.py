"""The checks catch every planted leak by name, and accuse no honest predictor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from docs.make_look_ahead import page
from rollcast.backtests.account.engine import Account
from rollcast.predictors.checks.suite import yield_checks
from tests.zoo.findings import caught_by, failures, fills_with_a_poisoned_close, outcome_of
from tests.zoo.honest import AWKWARD, honest, missing
from tests.zoo.leaks import ROWS, planted

PAGE = Path(__file__).parents[2] / "docs" / "look-ahead.md"
IN_THE_ENGINE = 11
LEAKS = list(planted())
SLOW = ("kalman-mle", "SklearnRidge", "SklearnTree", "OwnNet")  # some hundreds of fits of ten milliseconds


def every_check_of_the_honest():
    for name, model in honest():
        marks = [pytest.mark.slow] if name in SLOW else []
        for check in yield_checks(model):
            yield pytest.param(name, check, missing(model), marks=marks, id=f"{name}:{check.name}")


@pytest.mark.parametrize("leak", LEAKS, ids=str)
def test_a_planted_leak_is_caught_by_the_checks_named_for_it(leak):
    assert set(leak.caught_by) <= set(caught_by(leak))


@pytest.mark.parametrize(("name", "check", "lacking"), list(every_check_of_the_honest()))
def test_an_honest_predictor_passes(name, check, lacking):
    if lacking:
        pytest.skip(f"{lacking} is not installed")
    outcome = outcome_of(name, check)
    assert outcome.status == "passed", outcome.finding


def test_every_row_of_leaks_is_planted():
    assert {leak.row for leak in LEAKS} | {IN_THE_ENGINE} == set(ROWS)


def test_the_honest_zoo_has_at_least_ten_awkward_habits():
    assert len(AWKWARD) >= 10


@pytest.mark.parametrize("ahead", range(1, 10))
def test_the_finding_says_how_far_ahead_was_looked(ahead):
    (leak,) = (leak for leak in LEAKS if str(leak) == f"14-NextBars-{ahead}")
    assert {outcome.leak.ahead for outcome in failures(leak)} == {ahead}


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("14-NextVolume", {"volume"}),
        ("14-NextRange", {"high", "low"}),
        ("1-NextOpen", {"open"}),
        ("10-Annealed", set()),
    ],
)
def test_the_finding_names_the_columns_read(name, columns):
    (leak,) = (leak for leak in LEAKS if str(leak) == name)
    assert all(set(outcome.leak.columns) == columns for outcome in failures(leak))


@pytest.mark.parametrize("at", [20, 41, 62])
def test_no_order_is_filled_at_the_close_it_was_decided_at(at):
    bars, before, after = fills_with_a_poisoned_close(at)
    assert before["date"].iloc[-1] == bars.index[at], "no order on the poisoned bar"
    pd.testing.assert_frame_equal(before, after)
    slipped = bars["open"][before["date"]].to_numpy() * (1 + np.sign(before["units"]) * Account().slippage_bps / 1e4)
    np.testing.assert_allclose(before["price"], slipped, rtol=1e-12)


def test_the_page_is_what_the_checks_find():
    # That no honest predictor is accused is what the tests above hold.
    assert PAGE.read_text(encoding="utf-8") == page(alarms=0), "run python -m docs.make_look_ahead"
