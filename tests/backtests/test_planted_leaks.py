"""A small seeded part of `benchmarks.look_ahead`: leaks of many kinds and places, and honest plugins."""

from __future__ import annotations

import pytest

from benchmarks import look_ahead
from benchmarks.planted import Planted, planted

MODELS = list(planted(24, seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("predictors", [True, False])
def test_the_gate_catches_every_planted_leak_that_a_re_run_can_show(predictors):
    models = [model for model in MODELS if isinstance(model, Planted) == predictors]
    hits, there = look_ahead.caught("gate", look_ahead.by_gate, models)
    assert hits == there >= 4


@pytest.mark.slow
def test_the_gate_accuses_no_honest_plugin_on_a_synthetic_market():
    alarms, count = look_ahead.false_alarms(1, 250)
    assert (alarms, count > 20) == (0, True)
