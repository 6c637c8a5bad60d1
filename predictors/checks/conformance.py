"""What every predictor and learner keeps, one plain sentence each; `predictors.checks.suite` runs them."""

from __future__ import annotations

import pickle
import random
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass, replace

import numpy as np
import pandas as pd

from rollcast.predictors.bars import COLUMNS, random_walk
from rollcast.predictors.base import Learner, Predictor
from rollcast.predictors.checks.lookahead import changed, find_leak, size_of
from rollcast.predictors.checks.subject import PROBED, CheckFailed, Subject
from rollcast.predictors.walk_forward import WalkForward


def fields_are_parameters(subject: Subject) -> None:
    """The class is a dataclass with a default for every field, frozen if it is a predictor."""
    model = subject.written
    if not is_dataclass(model):
        raise CheckFailed(f"{type(model).__name__} is no dataclass; put @dataclass(frozen=True) above it")
    frozen = type(model).__dataclass_params__.frozen
    if isinstance(model, Predictor) and not frozen:
        raise CheckFailed(f"{type(model).__name__} is not frozen; write @dataclass(frozen=True)")
    for f in fields(model):
        if f.init and f.default is MISSING and f.default_factory is MISSING:
            raise CheckFailed(f"the field {f.name} has no default")
    if replace(model) != model:
        raise CheckFailed("a copy made from its fields is not equal to it")


def documented(subject: Subject) -> None:
    """The class has a docstring, and it or a base class's mentions every field."""
    cls = type(subject.written)
    text = cls.__doc__ or ""
    if not text or text.startswith(f"{cls.__name__}("):  # what dataclass() writes by itself
        raise CheckFailed("the class has no docstring")
    text = " ".join(base.__doc__ or "" for base in cls.__mro__ if is_dataclass(base))
    silent = [f.name for f in fields(cls) if f.name not in text]  # type: ignore[arg-type]
    if silent:
        raise CheckFailed(f"the docstring does not mention {', '.join(silent)}")


def index(subject: Subject) -> None:
    """The forecast is a Series of floats on the index of its bars."""
    forecast = subject.predict(subject.bars)
    if not isinstance(forecast, pd.Series):
        raise CheckFailed(f"predict returned {type(forecast).__name__}, not a Series")
    if not forecast.index.equals(subject.bars.index):
        raise CheckFailed("the forecast is not on the index of its bars")
    if not pd.api.types.is_float_dtype(forecast.dtype):
        raise CheckFailed(f"the forecast is of type {forecast.dtype}, not float")


def warm_up(subject: Subject) -> None:
    """The forecast is NaN while warming up, and a finite number at every bar after."""
    after = subject.forecast[subject.warm_up :]
    if not np.isfinite(after).all():
        at = subject.warm_up + int(np.argmin(np.isfinite(after)))
        raise CheckFailed(
            f"the forecast at bar {at} is {subject.forecast[at]}, after the first at bar {subject.warm_up}"
        )


def bars_untouched(subject: Subject) -> None:
    """Predicting leaves the bars as they were."""
    given = subject.bars.copy()
    subject.predict(given)
    if not given.equals(subject.bars) or list(given.columns) != list(subject.bars.columns):
        raise CheckFailed("predict changed the bars it was given; work on a copy")


def repeatable(subject: Subject) -> None:
    """The same bars give the same forecast again, whatever the global random state."""
    forecasts = []
    for seed in (0, 1):
        with _global_random_state(seed):
            forecasts.append(subject.predict(subject.bars.copy()))
    moved = subject.moved(forecasts[1], forecasts[0].to_numpy(float))
    # Retrained nets may differ in the last digits of float32; nothing may differ by more.
    if moved > _retrained(subject.forecast):
        raise CheckFailed(f"the forecast moved by {moved:.3g} when it was made again; draw from a seeded generator")


def order_of_calls(subject: Subject) -> None:
    """What was predicted before does not matter."""
    expected = subject.afresh().predict(subject.bars.copy()).to_numpy(float)
    fresh = subject.afresh()
    for other in (subject.bars.iloc[: subject.warm_up + 3].copy(), changed(subject.bars, 1, COLUMNS)):
        fresh.predict(other)
    # The predictor that all other checks have used, and one that has seen the start of these bars, and other values.
    for again in (subject.predict(subject.bars.copy()), fresh.predict(subject.bars.copy())):
        if (moved := subject.moved(again, expected)) > subject.limit:
            raise CheckFailed(f"the forecast moved by {moved:.3g} after other bars were predicted: state is kept")


def prefix(subject: Subject) -> None:
    """Cutting off the later bars changes no forecast, at any bar."""
    _look(subject, "cut off")


def changed_future(subject: Subject) -> None:
    """Changing later prices, or later volume, changes no forecast, at any bar."""
    _look(subject, "given other prices", "given other volume")


def shuffled_future(subject: Subject) -> None:
    """Shuffling later prices, or later volume, changes no forecast, at any bar."""
    _look(subject, "given shuffled prices", "given shuffled volume")


def erased_future(subject: Subject) -> None:
    """Replacing later prices, or later volume, by NaN changes no forecast, at any bar."""
    _look(subject, "given NaN prices", "given NaN volume")


def scale_free(subject: Subject) -> None:
    """Prices in another currency give the same forecast."""
    in_cents = subject.bars.mul([100.0, 100.0, 100.0, 100.0, 1.0])
    moved = subject.moved(subject.predict(in_cents))
    # Retraining magnifies the rounding of the other currency's logarithms.
    if moved > 8 * subject.limit + _retrained(subject.forecast):
        raise CheckFailed(f"the forecast moved by {moved:.3g} when prices were multiplied by 100; use returns or logs")


def short(subject: Subject) -> None:
    """One, two or three bars give NaN or a number, or a ValueError that says what is needed."""
    for n in (1, 2, 3):
        try:
            forecast = subject.predictor.predict(random_walk(n))
        except ValueError:
            continue
        except Exception as error:
            raise CheckFailed(f"{n} bars raised {type(error).__name__}: {error}") from error
        if len(forecast) != n:
            raise CheckFailed(f"{n} bars gave {len(forecast)} forecasts")


def flat(subject: Subject) -> None:
    """Prices that never move give finite forecasts."""
    still = subject.bars.assign(open=5.0, high=5.0, low=5.0, close=5.0)
    _finite(subject, still, "on constant prices")


def gaps_and_no_volume(subject: Subject) -> None:
    """Missing days and bars without volume give finite forecasts."""
    rng = np.random.default_rng(3)
    longer = random_walk(len(subject.bars) + 30, seed=2)
    kept = longer.drop(longer.index[rng.choice(len(longer), 30, replace=False)])
    _finite(subject, kept.assign(volume=kept["volume"].where(rng.random(len(kept)) < 0.7, 0.0)), "on bars with gaps")


def pickles(subject: Subject) -> None:
    """A pickled copy gives the same forecast, so that it can be sent to another process."""
    try:
        copy = pickle.loads(pickle.dumps(subject.predictor))
    except Exception as error:
        raise CheckFailed(f"pickling raised {type(error).__name__}: {error}") from error
    if (moved := subject.moved(copy.predict(subject.bars.copy()))) > subject.limit:
        raise CheckFailed(f"the pickled copy's forecast differs by {moved:.3g}")


def no_edge_on_noise(subject: Subject) -> None:
    """On markets without memory its forecasts earn nothing.

    z = Σ f·r / √Σ (f·r)² over four random walks, r the next return. However f was made from the past, the signs of r
    are coin flips, so z > 4 has a probability below exp(-4²/2), one in 3,000; a normal z would have it once in 30,000.
    The walks are always the same: a predictor that passes passes again.

    Reference: Hoeffding (1963), JASA 58(301), for the bound.
    """
    if (z := edge(subject, range(100, 104))) > 4:
        raise CheckFailed(
            f"its forecasts earn {z:.1f} standard deviations on random walks, where there is nothing to earn"
        )


def refit_is_a_fresh_fit(subject: Subject) -> None:
    """Fitting again forgets the first fit."""
    learner, first, second = _two_slices(subject)
    expected = replace(learner).fit(second).predict(second)  # type: ignore[type-var]
    again = replace(learner).fit(first).fit(second).predict(second)  # type: ignore[type-var]
    if (moved := subject.moved(again, expected.to_numpy(float))) > _retrained(expected.to_numpy(float)):
        raise CheckFailed(f"a second fit forecasts {moved:.3g} away from a fresh one: it remembers the first")


def fit_leaves_nothing_behind(subject: Subject) -> None:
    """Fitting returns the learner itself, keeps its parameters, and writes only attributes named like `weights_`."""
    learner, first, _ = _two_slices(subject)
    fresh = replace(learner)  # type: ignore[type-var]
    shared = dict(vars(type(fresh)))
    if fresh.fit(first) is not fresh:
        raise CheckFailed("fit must return self")
    known = {f.name for f in fields(fresh)}  # type: ignore[arg-type]
    written = sorted(name for name in vars(fresh) if name not in known and not name.endswith("_"))
    if written:
        raise CheckFailed(f"fit wrote {', '.join(written)}; fitted attributes end in an underscore")
    changed = [f.name for f in fields(fresh) if getattr(fresh, f.name) != getattr(learner, f.name)]  # type: ignore[arg-type]
    if changed:
        raise CheckFailed(f"fit changed the parameter {changed[0]}")
    if dict(vars(type(fresh))) != shared:
        raise CheckFailed("fit wrote on the class, where every other instance sees it")


def windows_in_any_company(subject: Subject) -> None:
    """A window's forecast is the same alone, among others, in any order, and from fit and predict."""
    assert isinstance(subject.predictor, WalkForward)
    learner, windows = subject.predictor.learner, subject.predictor.windows(subject.bars)[:4]
    together = dict(learner.forecast(windows))
    reversed_ = {len(windows) - 1 - k: block for k, block in learner.forecast(windows[::-1])}
    for k, window in enumerate(windows):
        reference = together[k].to_numpy(float)
        alone = dict(learner.forecast([window]))[0]
        twin = dict(Learner.forecast(learner, [window]))[0]
        for other, how in ((alone, "alone"), (reversed_[k], "in another order"), (twin, "by fit and predict")):
            if (moved := subject.moved(other, reference)) > max(subject.limit, _retrained(reference)):
                raise CheckFailed(f"the window fitted on {window.date} forecasts {moved:.3g} elsewhere {how}")


def schedule_anchored(subject: Subject) -> None:
    """Appending bars moves no earlier refit date, and no earlier forecast."""
    longer, n = random_walk(len(subject.bars) + 25), len(subject.bars)
    before = subject.predict(longer.iloc[:n].copy()).to_numpy(float)
    after = subject.predict(longer).to_numpy(float)[:n]
    if (moved := subject.moved(pd.Series(after), before)) > subject.limit:
        raise CheckFailed(f"forecasts moved by {moved:.3g} when 25 bars were appended")


def edge(subject: Subject, seeds: Iterable[int]) -> float:
    """Σ f·r / √Σ (f·r)² over random walks of these seeds, r the return after the forecast f; 0 if every f is."""
    gains = []
    for seed in seeds:
        bars = random_walk(subject.warm_up + 4 * PROBED, seed)
        f = subject.predict_later(bars).to_numpy(float)[subject.warm_up : -1]
        gains.append(f * np.diff(np.log(bars["close"].to_numpy()))[subject.warm_up :])
    spread = float(np.sqrt(sum(np.sum(g**2) for g in gains)))
    return float(sum(g.sum() for g in gains)) / spread if spread > 0 else 0.0


def _look(subject: Subject, *tricks: str) -> None:
    # The longer market is for leaks that begin late; the spoiling of its order and of its numbers would tell no more.
    for probe in subject.probes if {"cut off", "given other prices"} & set(tricks) else subject.probes[:1]:
        if leak := find_leak(probe.predict, probe.market, probe.cuts, tricks):
            raise CheckFailed(str(leak), leak, probe)


@contextmanager
def _global_random_state(seed: int) -> Iterator[None]:
    """Everybody's random numbers in a state of our own; theirs are put back."""
    torch = sys.modules.get("torch")  # a predictor that draws from it has imported it
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    torch_state = torch.random.get_rng_state() if torch else None
    np.random.set_state(np.random.RandomState(seed).get_state())  # noqa: NPY002
    random.setstate(random.Random(seed).getstate())
    if torch:
        torch.random.set_rng_state(torch.Generator().manual_seed(seed).get_state())
    try:
        yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
        if torch:
            torch.random.set_rng_state(torch_state)


def _finite(subject: Subject, bars: pd.DataFrame, where: str) -> None:
    forecast = subject.predict(bars).to_numpy(float)
    known = np.isfinite(forecast)
    if not known.any() or not known[int(known.argmax()) :].all():
        raise CheckFailed(f"{where} the forecast is not a number after its warm-up")


def _two_slices(subject: Subject) -> tuple[Learner, pd.DataFrame, pd.DataFrame]:
    assert subject.learner is not None
    bars = random_walk(2 * subject.train, seed=5)
    return subject.learner, bars.iloc[: subject.train], bars.iloc[subject.train :]


def _retrained(forecast: np.ndarray) -> float:
    """How far two ways of training the same net in float32 may differ after a few epochs."""
    return 1e-4 * size_of(forecast) + 1e-15


LOOK_AHEAD = (prefix, changed_future, shuffled_future, erased_future)
ALL = (
    *(fields_are_parameters, documented, index, warm_up, bars_untouched, repeatable, order_of_calls),
    *LOOK_AHEAD,
    *(scale_free, short, flat, gaps_and_no_volume, pickles, no_edge_on_noise),
)
LEARNER_ONLY = (refit_is_a_fresh_fit, fit_leaves_nothing_behind, windows_in_any_company, schedule_anchored)
