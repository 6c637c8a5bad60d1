"""A small fixed part of the calibration: silent where there is nothing, and not where there is something."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks import calibration, calibration_page

MORE = ("more", "all_passed")


def rows(name: str, batches: int) -> list[dict[str, object]]:
    return [row for number in range(batches) for row in calibration.batch(name, number)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["drift", "one year", "interest of 5 %"])
def test_markets_without_an_edge_are_called_more_than_luck_as_seldom_as_promised(name):
    judged = rows(name, 2)
    assert sum(row["headline"] in MORE for row in judged) <= 9  # of 96; P(more at 5 %) = 2 %
    for line in calibration.LINES:
        assert sum(row[line] == "yes" for row in judged) <= 12, line  # P(more at 5 %) = 0.1 %


@pytest.mark.slow
def test_a_large_edge_is_called_more_than_luck():
    answers = Counter(row["headline"] in MORE for row in rows("oracle, IC 0.2", 1))
    assert answers[True] >= 0.95 * answers.total()


def test_the_same_seed_is_the_same_market_and_the_same_answer():
    assert calibration.batch("one year", 1) == calibration.batch("one year", 1)


def test_the_shares_of_the_page_are_those_of_the_rows(tmp_path):
    import pandas as pd

    rows = [{"family": "a", "headline": h} | dict.fromkeys(calibration.LINES, "yes" if h == "more" else "no")
            for h in ("more", "nothing", "nothing", "all_passed")]  # fmt: skip
    found = calibration_page.summary(pd.DataFrame(rows))
    assert found.loc["a", ("forecast", "share")] == 0.25
    assert found.loc["a", ("more than luck", "share")] == 0.5
    assert "| a | 4 | 25.0 (4.6–69.9) |" in calibration_page.markdown(found)
