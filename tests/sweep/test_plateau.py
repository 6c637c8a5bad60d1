"""A lonely peak is called a lonely peak, and a plateau a plateau, whatever the grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.sweep.plateau import plateau


def test_a_spike_on_a_plain_is_lonely_and_a_broad_hill_is_a_plateau():
    window = np.arange(10.0, 500, 10)
    hill = 0.4 + 0.4 * np.exp(-(np.log(window / 200) ** 2) / 0.8)
    neighbourhood = plateau([window], hill, int(hill.argmax()))
    assert neighbourhood.word == "plateau"
    assert neighbourhood.score > 0.9
    spike = np.full(len(window), 0.4) + np.where(window == 200, 0.4, 0.01 * np.sin(window))
    neighbourhood = plateau([window], spike, 19)
    assert (neighbourhood.word, neighbourhood.score < 0.1) == ("lonely peak", True)
    assert {float(window[k]) for k in neighbourhood.neighbours} == set(np.arange(160.0, 251, 10)) - {200.0}


def test_noise_has_lonely_peaks_and_a_smooth_surface_has_none():
    """On a 12 × 12 grid: the best of noise, two hundred times, and the best of smooth hills elsewhere each time."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(1.0, 13), np.arange(1.0, 13)))
    words = {"noise": [], "smooth": []}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        noise = rng.normal(0.5, 0.2, len(x))
        words["noise"].append(plateau([x, y], noise, int(noise.argmax())).word)
        a, b = rng.uniform(3, 10, 2)
        smooth = -((x - a) ** 2 + (y - b) ** 2) / 60
        words["smooth"].append(plateau([x, y], smooth, int(smooth.argmax())).word)
    assert words["noise"].count("lonely peak") >= 190
    assert words["smooth"].count("lonely peak") == 0
    assert words["smooth"].count("plateau") >= 190


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(-2, 2))
def test_the_score_does_not_depend_on_the_units_of_the_sharpe_ratio_or_of_the_parameter(seed, scale, shift):
    rng = np.random.default_rng(seed)
    x, s = np.sort(rng.uniform(1, 100, 30)), rng.normal(size=30)
    best = int(s.argmax())
    one = plateau([x], s, best)
    assert plateau([x * scale], s, best).neighbours == one.neighbours
    assert plateau([x], s * scale + shift, best).score == pytest.approx(one.score, rel=1e-6)
    assert one.score <= 1


def test_neighbours_are_the_next_values_where_the_grid_is_coarse_and_the_same_words():
    window = np.tile([10.0, 100.0, 1000.0], 2)
    side = np.repeat(["long_flat", "long_short"], 3)
    neighbourhood = plateau([window, side], np.array([0.2, 0.9, 0.3, 0.1, 0.8, 0.0]), 1)
    assert neighbourhood.neighbours == (0, 2)
    assert neighbourhood.worst == 0.2
    assert neighbourhood.ratio == pytest.approx(0.25 / 0.9)


def test_draws_without_neighbours_near_take_the_nearest():
    x, y = np.array([1.0, 10.0, 100.0, 1000.0, 5.0]), np.array([1.0, 50.0, 3.0, 700.0, 9.0])
    neighbourhood = plateau([x, y], np.array([0.1, 0.9, 0.2, 0.3, 0.4]), 1)
    assert len(neighbourhood.neighbours) == 4
    assert 1 not in neighbourhood.neighbours


def test_where_nothing_stands_out_there_is_no_score():
    flat = plateau([np.arange(5.0)], np.full(5, 0.3), 2)
    assert (flat.word, np.isnan(flat.score)) == ("flat", True)
    alone = plateau([np.array(["a", "b"])], np.array([0.5, 0.1]), 0)
    assert (alone.word, alone.neighbours) == ("flat", ())
