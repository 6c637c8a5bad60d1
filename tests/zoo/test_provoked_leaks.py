"""What the provoking markets and the watch over the global generators find, and what they let pass."""

from __future__ import annotations

import pytest

from rollcast.predictors.bars import check_bars
from rollcast.predictors.checks.perturbations import RECURRING, provoking_market
from rollcast.predictors.checks.suite import check_predictor, yield_checks
from tests.zoo.provoked_leaks import GLOBAL, LOOK_AHEAD, FilledBackwards, LimitMoves, LongGuard, LongGuardThatPeeks


def outcome(model, name):
    (check,) = (check for check in yield_checks(model) if check.name == name)
    return check.outcome()


@pytest.mark.parametrize("leak", LOOK_AHEAD, ids=lambda leak: leak.__name__)
def test_a_leak_that_needs_an_event_is_provoked(leak):
    found = outcome(leak(), "provoked")
    assert found.status == "failed"
    assert found.leak.ahead >= 1


def test_the_reproduction_imports_the_market_that_shows_the_leak(capsys):
    script = outcome(LimitMoves(), "provoked").script("LimitMoves()")
    exec(script, {"LimitMoves": LimitMoves})
    first, second = map(float, capsys.readouterr().out.split())
    assert first != second


@pytest.mark.parametrize("module", GLOBAL)
def test_a_seed_of_a_global_generator_is_found(module):
    found = outcome(GLOBAL[module](), "generators_unseeded")
    assert found.status == "failed"
    assert f"the global generator of {module} was seeded, which" in found.finding


@pytest.mark.parametrize("least", [20, 30, 64, 100])
def test_a_guard_longer_than_the_warm_up_passes(least):
    assert [o.check.name for o in check_predictor(LongGuard(least)) if o.status != "passed"] == []


def test_a_guard_hides_no_leak():
    failed = {o.check.name for o in check_predictor(LongGuardThatPeeks()) if o.status == "failed"}
    assert {"prefix", "changed_future", "provoked"} <= failed
    assert {"prefix", "changed_future"} <= {o.check.name for o in check_predictor(FilledBackwards()) if o.finding}


@pytest.mark.parametrize("kind", ["by day", "by second"])
@pytest.mark.parametrize("n", [12, 32, 70, 2000])
def test_a_provoking_market_is_bars_with_every_event_in_its_last_ten(kind, n):
    bars = provoking_market(n, kind)
    check_bars(bars)
    assert len(bars) == n
    last = bars.iloc[-RECURRING:]
    assert (last["volume"] == 0).sum() == 2
    assert ((last["high"] == last["low"]) & (last["volume"] > 0)).any()
    assert last["close"].pct_change().abs().max() > 0.2
    assert len(set(last.index.month)) == 2
    if kind == "by second":
        assert bars["close"].max() < 1
        assert len(set(last.index.date)) == 2
    else:
        assert (bars["close"] % 0.5 == 0).all()
