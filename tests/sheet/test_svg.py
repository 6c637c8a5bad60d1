"""Charts drawn by hand: their ticks are round, their points where the scale puts them, their lines whole."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcast import load_bars
from rollcast.backtests.sheet.page import environment
from rollcast.backtests.sheet.scales import date_ticks, log_ticks, nice_ticks, padded_range
from rollcast.backtests.sheet.svg import MOST_POINTS, Plot, thin, wide_chart

FINITE = st.floats(-1e9, 1e9, allow_nan=False)


@given(FINITE, st.floats(1e-6, 1e9))
def test_ticks_are_few_round_evenly_spaced_and_inside(low, width):
    high = low + width
    if not high - low > 1e-9 * max(abs(low), 1):
        return
    ticks = nice_ticks(low, high)
    assert 1 <= len(ticks) <= 6
    slack = 1e-9 * max(abs(low), abs(high), 1)
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    if len(ticks) > 2:
        assert np.ptp(np.diff(ticks)) <= 1e-6 * (high - low) + slack


@given(st.floats(-6, 6), st.floats(0.05, 6))
def test_logarithmic_ticks_lie_inside_and_are_not_many(low, width):
    ticks = log_ticks(low, low + width)
    assert 1 <= len(ticks) <= 8
    assert all(low - 1e-9 <= tick <= low + width + 1e-9 for tick in ticks)


@pytest.mark.parametrize("symbol", ["SPY", "AAPL.1h", "BTC-USD"])
@pytest.mark.parametrize("bars", [2, 10, 100, 1000, 100_000])
def test_dates_are_labelled_in_order_where_they_are_and_without_repeats(symbol, bars):
    index = load_bars(symbol).index[-bars:]
    ticks = date_ticks(index)
    places, labels = zip(*ticks, strict=True)
    assert 1 <= len(ticks) <= 6
    assert list(places) == sorted(set(places))
    assert len(set(labels)) == len(labels)
    assert 0 <= places[0] <= places[-1] < len(index)


@given(st.lists(st.one_of(FINITE, st.just(float("nan"))), min_size=1, max_size=3000))
def test_a_thinned_line_keeps_its_ends_its_extremes_and_its_gaps(values):
    y = np.array(values)
    x, thinned = thin(np.arange(len(y), dtype=float), y)
    assert len(thinned) <= 2 * MOST_POINTS
    assert (x[0], x[-1]) == (0, len(y) - 1)
    if np.isfinite(y).any():
        assert (np.nanmin(thinned), np.nanmax(thinned)) == (np.nanmin(y), np.nanmax(y))
    assert np.isfinite(thinned).all() == np.isfinite(y).all()
    assert np.isin(thinned[np.isfinite(thinned)], y).all()


def test_a_line_is_broken_where_it_has_no_value():
    plot = Plot((0, 4), (0, 1)).line(np.arange(5), [0, 1, np.nan, 1, 0])
    (mark,) = plot.marks
    assert mark.d.count("M") == 2
    assert mark.d.count("L") == 2


@given(st.tuples(FINITE, FINITE), st.lists(FINITE, min_size=1, max_size=9))
def test_points_lie_in_the_frame_in_the_order_of_their_values(bounds, values):
    plot = Plot((0, max(len(values) - 1, 1)), (min(bounds), max(bounds)))
    v = plot.v(values)
    assert (v >= plot.top - 1e-6).all()
    assert (v <= plot.bottom + 1e-6).all()
    assert (np.diff(v[np.argsort(values)]) <= 1e-6).all()


def test_the_range_of_no_values_is_a_range():
    assert padded_range([np.nan], [np.inf]) == (0, 1)
    assert padded_range(pd.Series([3.0]), zero=True)[0] == 0


def test_a_chart_is_set_with_its_words_escaped_and_read_aloud():
    def draw(width):
        plot = Plot((0, 1), (0, 1), [(0.5, "<half>")], lambda v: f"{v:g}", width).dots([0.5], [0.5], ["<dot>"])
        return plot.chart("c", "<Title>", "How to read <it>.", "What <it> shows", legend=(("<name>", "accent"),))

    source = environment().from_string('{% from "macros.html" import chart %}{{ chart(c) }}')
    page = source.render(c=wide_chart(draw))
    assert not re.search("<(half|dot|Title|it|name)>", page)
    assert page.count('role="img"') == 2
    assert '<title id="c-t">&lt;Title&gt;</title><desc id="c-d">What &lt;it&gt; shows</desc>' in page
    assert len(re.findall(r'id="([^"]+)"', page)) == len(set(re.findall(r'id="([^"]+)"', page)))
