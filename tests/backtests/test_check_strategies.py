"""`check` of a strategy: every leak is found on the checks' own markets, its script reproduces it, honest ones pass."""

from __future__ import annotations

import contextlib
import io

import backtrader as bt
import pytest

import rollcast
from rollcast.backtests.gate.strategy_checks import check_strategy
from tests.backtests import test_gate_strategies as zoo
from tests.command import cli

FILE = __file__.replace("test_check_strategies", "test_gate_strategies")


def outcomes(strategy):
    return {outcome.check.name: outcome for outcome in check_strategy(strategy, {})}


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy", [zoo.NextClose, zoo.NextForecast, zoo.OpenReads, zoo.Remembers], ids=lambda strategy: strategy.__name__
)
def test_a_leak_is_found_and_its_script_shows_two_runs_that_differ(strategy):
    zoo.Remembers.met.clear()
    failed = [outcome for outcome in outcomes(strategy).values() if outcome.status == "failed"]
    assert failed[0].leak is not None
    zoo.Remembers.met.clear()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(failed[0].script(f"STRATEGIES.find({f'{FILE}:{strategy.__name__}'!r})"), {})
    first, second = halves(printed.getvalue())
    assert first != second


def halves(text):
    """What the two rounds of a script printed: each a header and a row, or two lines on an empty table."""
    lines = text.splitlines()
    second = next(k for k in range(1, len(lines)) if lines[k].split()[:2] in (["date", "side"], ["Empty", "DataFrame"]))
    return lines[:second], lines[second:]


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    [zoo.Crossing, zoo.AtTheOpen, rollcast.LongFlat, rollcast.EqualWeight],
    ids=lambda strategy: strategy.__name__,
)
def test_an_honest_strategy_passes_in_every_engine_mode(strategy):
    statuses = {name: outcome.status for name, outcome in outcomes(strategy).items()}
    assert {name for name, status in statuses.items() if status != "passed"} <= {"documented", "memory_saved"}


class Reads(bt.Strategy):
    """Buys where a file says so."""

    def next(self):
        with open("prices.csv") as file:
            self.order_target_size(target=len(file.read()))


@pytest.mark.slow
def test_a_file_that_is_opened_is_named_as_advice(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.csv").write_text("12")
    outcome = outcomes(Reads)["opens_nothing"]
    assert outcome.status == "advice"
    assert str(tmp_path / "prices.csv") in outcome.finding


@pytest.mark.slow
def test_the_command_checks_a_strategy_one_sentence_a_check(tmp_path):
    file = tmp_path / "peek.py"
    file.write_text(
        "import backtrader as bt\n\n\nclass Peek(bt.Strategy):\n    '''Tomorrow.'''\n\n    def next(self):\n"
        "        try:\n            up = self.data.close[1] > self.data.close[0]\n        except IndexError:\n"
        "            return\n        self.order_target_size(target=9 if up else 0)\n"
    )
    done = cli("check", str(file))
    assert done.returncode == 1
    assert "failed   Peek:later_bars  Every order is the same where no later bar is there to be read." in done.stdout
    assert "Peek trades on bars after its own, reading close" in done.stdout
    assert "the next bar after its decision suffices" in done.stdout
    assert done.stdout.count("Not decided, because of what failed above: ") == 1
