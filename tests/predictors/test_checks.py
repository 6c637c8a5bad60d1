"""The conformance suite: every check fails on a minimal offender, says why, and passes on an honest predictor."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from rollcast import Learner, Predictor, WalkForward, load
from rollcast.backtests.commands.plugins import check as check_command
from rollcast.predictors.bars import log_returns
from rollcast.predictors.checks.conformance import ALL, edge
from rollcast.predictors.checks.learner_conformance import LEARNER_ONLY
from rollcast.predictors.checks.subject import EVERY
from rollcast.predictors.checks.suite import CheckFailed, Subject, check_predictor, start_sensitivity, yield_checks

ROOT = Path(__file__).parents[2]


def momentum(bars):
    return log_returns(bars).rolling(5).mean()


@dataclass(frozen=True)
class Momentum(Predictor):
    """The mean of five returns."""

    def predict(self, bars):
        return momentum(bars)


@dataclass
class Mean(Learner):
    """The mean of the slice, and some of the last return."""

    def fit(self, bars):
        self.mean_ = float(log_returns(bars).mean())
        return self

    def predict(self, bars):
        return self.mean_ + 0.1 * log_returns(bars)


def a_predictor(predict):
    """A documented, frozen predictor of one method."""
    body = {"predict": lambda self, bars: predict(bars), "__doc__": "An offender.", "__module__": __name__}
    return dataclass(frozen=True)(type("Offender", (Predictor,), body))()


def a_learner(**methods):
    """`Mean` with some of its methods replaced."""
    body = {"fit": Mean.fit, "predict": Mean.predict, "__doc__": "An offender.", "__module__": __name__}
    return dataclass(type("Offender", (Learner,), body | methods))()


def outcome(model, check):
    (selected,) = (c for c in yield_checks(model) if c.name == check)
    return selected.outcome()


def test_a_forecast_that_rounding_moves_as_much_as_another_currency_is_scale_free():
    def ill_conditioned(bars):
        close = bars["close"]
        rounding = np.exp(log_returns(bars).fillna(0.0).cumsum()) * close.iloc[0] / close - 1
        return momentum(bars) * (1 + 1e9 * rounding)

    assert outcome(a_predictor(ill_conditioned), "scale_free").status == "passed"


def test_an_honest_predictor_and_an_honest_learner_pass():
    for model in (Momentum(), Mean(), WalkForward(Mean(), train=200)):
        assert [o for o in check_predictor(model) if o.status != "passed"] == []


@pytest.mark.parametrize("check", yield_checks(Momentum()), ids=str)
def test_pytest_takes_the_checks_one_by_one(check):
    check()


# --- one offender for every check ---


class Bare(Predictor):
    """No dataclass."""

    def predict(self, bars):
        return momentum(bars)


@dataclass
class Thawed(Predictor):
    """Not frozen."""

    def predict(self, bars):
        return momentum(bars)


@dataclass(frozen=True)
class Needy(Predictor):
    """A window without a default."""

    window: int

    def predict(self, bars):
        return momentum(bars)


@dataclass(frozen=True)
class Silent(Predictor):
    """Says nothing of one field."""

    window: int = 5

    def predict(self, bars):
        return log_returns(bars).rolling(self.window).mean()


@dataclass(frozen=True)
class Locked(Predictor):
    """Holds what cannot be sent to another process: a lock."""

    lock: object = field(default_factory=threading.Lock, compare=False)

    def predict(self, bars):
        return momentum(bars)


def adds_a_column(bars):
    bars["return"] = log_returns(bars)
    return bars["return"].rolling(5).mean()


def indexed_by_number(bars):
    return momentum(bars).reset_index(drop=True)


def with_a_hole(bars):
    return momentum(bars).where(bars.index.day_of_week != 2)


def refuses_short(bars):
    return pd.Series(
        np.convolve(log_returns(bars), np.ones(5) / 5)[: len(bars)] + 0 * bars["close"].iloc[4], bars.index
    )


def divided_by_first_risk(risks=[]):  # noqa: B006
    def predict(bars):
        risks.append(float(log_returns(bars).std()))
        return momentum(bars) / risks[0] * 0.01

    return predict


def unseeded(bars):
    return momentum(bars) + np.random.default_rng().normal(0, 1e-3, len(bars))


def seeds(bars):
    np.random.seed(3)  # noqa: NPY002
    return momentum(bars)


def by_price(bars):
    return momentum(bars) * (bars["close"] > 1000)


def by_volume(bars):
    return momentum(bars) * np.log(bars["volume"].replace(0, np.nan))


def by_risk(bars):
    return momentum(bars) / log_returns(bars).rolling(5).std() * 0.01


def adds_next(bars, column="close"):
    return momentum(bars) + np.log(bars[column]).diff().shift(-1).fillna(0.0)


def fit_warm(self, bars):
    self.mean_ = 0.5 * getattr(self, "mean_", 0.0) + float(log_returns(bars).mean())
    return self


def fit_untidily(self, bars):
    self.mean_ = self.cache = float(log_returns(bars).mean())
    return self


def fit_in_place_of_self(self, bars):
    return Mean().fit(bars)


def forecast_together(self, windows):
    """All windows share one mean."""
    mean = float(np.mean([log_returns(w.training).mean() for w in windows]))
    for k, w in enumerate(windows):
        yield k, mean + 0.1 * log_returns(w.model_bars).iloc[-w.block :]


def forecast_from_the_end(self, windows):
    """The number of windows decides."""
    for k, w in enumerate(windows):
        self.fit(w.training)
        yield k, self.predict(w.model_bars).iloc[-w.block :] * len(windows)


OFFENDERS = [
    ("fields_are_parameters", Bare(), r"Bare is no dataclass; put @dataclass"),
    ("fields_are_parameters", Thawed(), r"Thawed is not frozen; write @dataclass\(frozen=True\)"),
    ("fields_are_parameters", Needy(5), r"the field window has no default"),
    ("index", a_predictor(lambda bars: momentum(bars).to_frame()), "returned DataFrame, not a Series"),
    ("index", a_predictor(indexed_by_number), "not on the index of its bars"),
    ("index", a_predictor(lambda bars: momentum(bars).astype(object)), "of type object, not float"),
    ("warm_up", a_predictor(with_a_hole), r"the forecast at bar \d+ is nan, after the first at bar 5"),
    ("warm_up", a_predictor(lambda bars: momentum(bars) * np.nan), "no forecast after 2048 bars of a random walk"),
    ("bars_untouched", a_predictor(adds_a_column), "changed the bars it was given; work on a copy"),
    ("repeatable", a_predictor(unseeded), "when it was made again; draw from a seeded generator"),
    ("prefix", a_predictor(adds_next), "looked 1 bar ahead, reading close: it moved by .* were cut off"),
    ("changed_future", a_predictor(adds_next), "looked 1 bar ahead, reading close.*given other prices"),
    ("changed_future", a_predictor(lambda b: adds_next(b, "volume")), "reading volume.*given other volume"),
    ("shuffled_future", a_predictor(adds_next), "looked 1 bar ahead.*given shuffled prices"),
    ("erased_future", a_predictor(adds_next), "looked 1 bar ahead.*given NaN prices"),
    ("provoked", a_predictor(adds_next), "looked 1 bar ahead"),
    ("generators_unseeded", a_predictor(seeds), "the global generator of numpy was seeded, which"),
    ("scale_free", a_predictor(by_price), "when prices were multiplied by 100; use returns or logs"),
    ("short", a_predictor(refuses_short), "1 bars raised IndexError"),
    ("flat", a_predictor(by_risk), "on constant prices the forecast is not a number"),
    ("gaps_and_no_volume", a_predictor(by_volume), "on bars with gaps the forecast is not a number"),
    ("pickles", Locked(), "pickling raised TypeError: cannot pickle"),
    ("no_edge_on_noise", a_predictor(adds_next), r"its forecasts earn \d\d\.\d standard deviations on random walks"),
    ("refit_is_a_fresh_fit", a_learner(fit=fit_warm), "it remembers the first"),
    (
        "fit_leaves_nothing_behind",
        a_learner(fit=fit_untidily),
        "fit wrote cache; fitted attributes end in an underscore",
    ),
    ("fit_leaves_nothing_behind", a_learner(fit=fit_in_place_of_self), "fit must return self"),
    ("windows_in_any_company", a_learner(forecast=forecast_together), "forecasts .* elsewhere alone"),
    ("schedule_anchored", a_learner(forecast=forecast_from_the_end), "when 25 bars were appended"),
]


@pytest.mark.parametrize(
    ("check", "model", "sentence"), OFFENDERS, ids=[f"{o[0]}-{k}" for k, o in enumerate(OFFENDERS)]
)
def test_a_check_fails_on_its_offender_and_says_why(check, model, sentence):
    (selected,) = (c for c in yield_checks(model) if c.name == check)
    with pytest.raises(CheckFailed, match=sentence):
        selected()


def test_state_between_calls_is_found_even_where_every_call_agrees():
    finding = outcome(a_predictor(divided_by_first_risk()), "order_of_calls").finding
    assert "state is kept" in finding or finding == ""  # a closure has no file to run again


def test_state_in_a_module_is_found_by_running_the_module_again(tmp_path):
    plugin = tmp_path / "stateful.py"
    plugin.write_text(
        "from dataclasses import dataclass\n"
        "from rollcast.predictors import Predictor\n"
        "from rollcast.predictors.bars import log_returns\n"
        "RISKS = []\n"
        "@dataclass(frozen=True)\n"
        "class Stateful(Predictor):\n"
        '    """Momentum over the risk of the first bars it saw."""\n'
        "    def predict(self, bars):\n"
        "        RISKS.append(log_returns(bars).std())\n"
        "        return log_returns(bars).rolling(5).mean() / RISKS[0]\n"
    )
    failed = [o.check.name for o in check_predictor(load(str(plugin))) if o.status == "failed"]
    assert failed == ["order_of_calls"]


def test_every_check_has_an_offender():
    without = {f.__name__ for f in (*ALL, *LEARNER_ONLY)} - {check for check, _, _ in OFFENDERS}
    assert without == {"order_of_calls", "documented"}  # which have tests of their own


def test_every_check_is_one_plain_sentence():
    for check in yield_checks(Mean()):
        assert check.sentence.endswith(".")
        assert str(check) == f"Mean:{check.name}"


# --- the subject of the checks ---


def test_a_learner_is_checked_in_its_small_form_and_through_its_loop():
    @dataclass
    class Grown(Mean):
        """Large.

        size: how large.
        """

        size: int = 1000

        @classmethod
        def tiny(cls):
            return cls(size=1)

    subject = Subject(Grown())
    assert subject.learner == Grown(size=1)
    assert subject.predictor == WalkForward(Grown(size=1), train=60, every=EVERY)
    assert len(yield_checks(Grown())) == len(ALL) + len(LEARNER_ONLY)
    assert len(yield_checks(Momentum())) == len(ALL)


def test_a_learner_that_needs_more_bars_gets_them():
    def fit(self, bars):
        if len(bars) < 200:
            raise ValueError("needs 200 bars")
        return Mean.fit(self, bars)

    subject = Subject(a_learner(fit=fit))
    assert subject.train == 250
    assert np.isfinite(subject.forecast[subject.warm_up :]).all()


def test_every_bar_with_a_forecast_is_cut_after():
    for model in (Momentum(), Mean()):
        subject = Subject(model)
        near, later = subject.probes
        assert list(near.cuts) == list(range(subject.warm_up + 1, len(subject.bars)))
        assert max(later.cuts) < len(later.market)
        assert len(later.market) > len(near.market)


# --- expected failures ---


@dataclass(frozen=True)
class RoundNumbers(Predictor):
    """Momentum above a round price."""

    expected_failures = {"scale_free": "reads round numbers"}  # noqa: RUF012

    def predict(self, bars):
        return momentum(bars) * np.where(bars["close"] > 1000, 2.0, 1.0)


def test_a_declared_failure_is_expected_and_its_check_may_be_called():
    outcomes = {o.check.name: o for o in check_predictor(RoundNumbers())}
    assert outcomes["scale_free"].status == "expected"
    assert outcomes["scale_free"].check.expected == "reads round numbers"
    assert {o.status for name, o in outcomes.items() if name != "scale_free"} == {"passed"}
    for check in yield_checks(RoundNumbers()):
        check()


def test_a_declared_failure_that_is_not_provoked_is_reported_and_no_failure():
    class Reformed(RoundNumbers):
        """As round numbers, but no longer."""

        def predict(self, bars):
            return momentum(bars)

    result = outcome(Reformed(), "scale_free")
    assert result.status == "advice"
    assert result.finding == "passes here, though it is declared to fail: reads round numbers"


def test_a_declared_failure_of_an_unknown_check_is_refused():
    class Misspelt(RoundNumbers):
        """As round numbers."""

        expected_failures = {"scale_fre": "reads round numbers"}  # noqa: RUF012

    with pytest.raises(LookupError, match=r"unknown check 'scale_fre'\. Did you mean 'scale_free'\?"):
        yield_checks(Misspelt())


def test_a_learner_in_its_loop_declares_its_failures_itself():
    class Declared(Mean):
        """As the mean."""

        expected_failures = {"scale_free": "none"}  # noqa: RUF012

    assert outcome(WalkForward(Declared()), "scale_free").check.expected == "none"


# --- one cause, one report ---


def raises_key_error(bars):
    raise KeyError("adj_close")


def failures(predict):
    """The failed checks but `pickles`, which a class made here fails."""
    return [o for o in check_predictor(a_predictor(predict)) if o.status == "failed" and o.check.name != "pickles"]


def leaves(bars):
    raise SystemExit(0)


def test_an_exception_is_reported_once_with_its_line_and_what_bars_have():
    (failed,) = failures(raises_key_error)
    assert failed.check.name == "index"
    assert re.fullmatch(
        r"raised KeyError: 'adj_close' \(test_checks\.py, line \d+\); the bars have no column 'adj_close', only open, "
        "high, low, close, volume",
        failed.finding,
    )
    blocked = [o for o in check_predictor(a_predictor(raises_key_error)) if o.status == "blocked"]
    assert len(blocked) == len(ALL) - 4  # without the two that predict nothing, `index` and `pickles`
    assert {o.finding for o in blocked} == {"the cause is that of index"}


def test_a_predictor_without_a_forecast_says_once_what_it_may_lack():
    (failed,) = failures(lambda bars: momentum(bars) * np.nan)
    assert "from 2000-01-03 to 2007-11-07: it needs more bars, or another series or file" in failed.finding


def test_a_plugin_that_ends_the_process_fails():
    (failed,) = failures(leaves)
    assert failed.finding.startswith("raised SystemExit: 0")


def test_two_causes_are_two_reports():
    def broken(bars):
        if len(bars) < 3:
            raise IndexError("short")
        if (bars["volume"] == 0).any():
            raise KeyError("idle")
        return momentum(bars)

    assert [o.check.name for o in failures(broken)] == ["generators_unseeded", "short"]


# --- advice ---


def test_missing_documentation_is_advice_and_a_warning_under_pytest():
    result = outcome(Silent(), "documented")
    assert (result.status, result.finding) == ("advice", "the docstring does not mention window")
    with pytest.warns(UserWarning, match="Silent:documented: the docstring does not mention window"):
        result.check()


COMMAND = """
from dataclasses import dataclass
from rollcast import Predictor
from rollcast.predictors.bars import log_returns

@dataclass(frozen=True)
class Plugin(Predictor):
    BODY
"""


def command(tmp_path, body, *options):
    plugin = tmp_path / "plugin.py"
    plugin.write_text(COMMAND.replace("BODY", body))
    return CliRunner().invoke(check_command, [str(plugin), *options])


def test_advice_has_status_0_and_1_where_it_is_to_be_strict(tmp_path):
    body = "def predict(self, bars):\n        return log_returns(bars).rolling(5).mean()"
    lenient, strict = command(tmp_path, body), command(tmp_path, body, "--strict")
    assert (lenient.exit_code, strict.exit_code) == (0, 1)
    assert "advice   Plugin:documented" in lenient.output
    assert "passed, with advice on documented" in strict.output


def test_a_leak_is_reproduced_once_and_a_broken_plugin_described_once(tmp_path):
    leak = command(tmp_path, "def predict(self, bars):\n        return log_returns(bars).shift(-1).fillna(0.0)")
    assert leak.output.count("failed ") > 3
    assert leak.output.count("from rollcast import load") == 1
    broken = command(tmp_path, "def predict(self, bars):\n        return bars['vix']")
    assert broken.exit_code == 1
    assert broken.output.count("KeyError: 'vix' (plugin.py, line 9)") == 1
    assert "Not decided, because of what failed above: warm_up, bars_untouched" in broken.output
    assert "failed 1 check" in broken.output


# --- the reproduction ---

PEEK = """
from dataclasses import dataclass
import numpy as np
from rollcast import Learner, Predictor
from rollcast.predictors.bars import log_returns

@dataclass
class Peek(KIND):
    '''Peeks.'''

    def fit(self, bars):
        return self

    def predict(self, bars):
        returns = log_returns(bars)
        return returns.rolling(5).mean() + returns.shift(-1).fillna(0.0) * (np.arange(len(bars)) > AFTER)
"""


@pytest.mark.parametrize(("kind", "after"), [("Predictor", 0), ("Predictor", 200), ("Learner", 0)])
def test_the_reproduction_prints_two_different_numbers(tmp_path, kind, after):
    plugin = tmp_path / "peek.py"
    plugin.write_text(PEEK.replace("KIND", kind).replace("AFTER", str(after)))
    expression = f"load({str(plugin)!r})"
    script = outcome(load(str(plugin)), "prefix").script(expression)
    assert len(script.splitlines()) == 5
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    first, second = map(float, process.stdout.split())
    assert first != second


def test_there_is_no_reproduction_where_there_is_no_leak():
    assert outcome(Momentum(), "prefix").script("load('sma')") is None


# --- start of history ---


def test_a_window_forgets_where_history_starts_and_a_recursion_does_not():
    assert start_sensitivity(Momentum()) < 1e-9
    assert start_sensitivity(load("ema")) > 1e-9


# --- the alarm rate ---


@pytest.mark.slow
def test_edge_on_noise_of_honest_predictors_stays_below_its_stated_rate():
    """2,000 honest predictors: rolling sums of past returns with random weights."""
    rng = np.random.default_rng(0)
    z = np.empty(2000)
    for k in range(len(z)):
        weights = rng.normal(size=rng.integers(1, 8))

        def weighted(bars, weights=weights):
            r = log_returns(bars)
            return sum(w * r.shift(j) for j, w in enumerate(weights))

        z[k] = edge(Subject(a_predictor(weighted)), range(1000 + 4 * k, 1004 + 4 * k))
    assert abs(z.mean()) < 4 / np.sqrt(len(z))
    assert 0.9 < z.std() < 1.1
    for limit in (1, 2, 3, 4):
        bound = np.exp(-(limit**2) / 2)
        assert (z > limit).mean() <= bound + 3 * np.sqrt(bound / len(z))
    # Near a normal distribution: 15.9 % above one, 2.3 % above two.
    assert (z > 1).mean() == pytest.approx(0.159, abs=0.03)
    assert (z > 2).mean() == pytest.approx(0.023, abs=0.012)


def test_a_draw_from_a_global_generator_that_no_forecast_depends_on_is_no_fault():
    def draws(bars):
        np.random.random()  # noqa: NPY002
        return momentum(bars)

    assert failures(draws) == []
