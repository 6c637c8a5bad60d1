"""A small seeded part of `benchmarks.look_ahead`: leaks of many kinds and places, and honest plugins."""

from __future__ import annotations

import pytest

from benchmarks import look_ahead
from benchmarks.planted import Planted, planted


@pytest.mark.slow
@pytest.mark.parametrize("predictors", [True, False])
def test_the_gate_catches_every_planted_leak_that_a_re_run_can_show(predictors):
    names = {str(model) for model in planted(24, seed=1) if isinstance(model, Planted)}
    answers = [case.answer() for case in look_ahead.leaks("gate", 24, 1) if (case.plugin in names) == predictors]
    assert answers.count("missed") == 0
    assert answers.count("caught") >= 4


@pytest.mark.slow
def test_the_gate_accuses_no_honest_plugin_on_a_synthetic_market():
    answers = {case.plugin: case.answer() for case in look_ahead.markets(1)}
    assert set(answers.values()) == {"cleared"}
    assert len(answers) > 35


def test_answers_that_are_in_the_results_are_not_asked_for_again(tmp_path, monkeypatch):
    monkeypatch.setattr(look_ahead, "RESULTS", tmp_path / "look_ahead.csv")
    count = 0

    def answer():
        nonlocal count
        count += 1
        return "cleared"

    cases = [look_ahead.Case("market", seed, "sma", answer) for seed in (1, 2, 3)]
    look_ahead.collect(iter(cases[:2]))
    look_ahead.collect(iter(cases))
    assert count == 3
    assert look_ahead.RESULTS.read_text().splitlines() == [
        *("examined,seed,plugin,answer", "market,1,sma,cleared", "market,2,sma,cleared", "market,3,sma,cleared")
    ]
