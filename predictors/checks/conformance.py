"""The checks of every predictor and learner, one function each; the first sentence of its docstring is the claim.

`predictors.checks.suite` runs them. A check returns nothing, or raises CheckFailed with its finding.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass, replace

import numpy as np
import pandas as pd

from ..bars import COLUMNS, random_walk
from ..base import Predictor
from .generators import generators_unseeded, global_random_state
from .lookahead import retraining_tolerance
from .lookahead_conformance import LOOK_AHEAD
from .perturbations import changed
from .subject import PROBED, CheckFailed, Subject


def fields_are_parameters(subject: Subject) -> None:
    """The class is a dataclass with a default for every field, frozen if it is a predictor.

    Raises CheckFailed otherwise.
    """
    model = subject.unwrapped
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
    """The class has a docstring, and it or a base class's mentions every field.

    Raises CheckFailed otherwise.
    """
    cls = type(subject.unwrapped)
    text = cls.__doc__ or ""
    if not text or text.startswith(f"{cls.__name__}("):  # what dataclass() writes
        raise CheckFailed("the class has no docstring")
    text = " ".join(base.__doc__ or "" for base in cls.__mro__ if is_dataclass(base))
    missing = [f.name for f in fields(cls) if f.name not in text]  # type: ignore[arg-type]
    if missing:
        raise CheckFailed(f"the docstring does not mention {', '.join(missing)}")


def index(subject: Subject) -> None:
    """The forecast is a Series of floats on the index of its bars.

    Raises CheckFailed otherwise.
    """
    forecast = subject.predict(subject.bars)
    if not isinstance(forecast, pd.Series):
        raise CheckFailed(f"predict returned {type(forecast).__name__}, not a Series")
    if not forecast.index.equals(subject.bars.index):
        raise CheckFailed("the forecast is not on the index of its bars")
    if not pd.api.types.is_float_dtype(forecast.dtype):
        raise CheckFailed(f"the forecast is of type {forecast.dtype}, not float")


def warm_up(subject: Subject) -> None:
    """The forecast is NaN while warming up, and a finite number at every bar after.

    Raises CheckFailed otherwise.
    """
    finite = np.isfinite(subject.forecast[subject.warm_up :])
    if not finite.all():
        at = subject.warm_up + int(np.argmin(finite))
        raise CheckFailed(
            f"the forecast at bar {at} is {subject.forecast[at]}, after the first at bar {subject.warm_up}"
        )


def bars_untouched(subject: Subject) -> None:
    """Predicting leaves the bars as they were.

    Raises CheckFailed otherwise.
    """
    bars = subject.bars.copy()
    subject.predict(bars)
    if not bars.equals(subject.bars) or list(bars.columns) != list(subject.bars.columns):
        raise CheckFailed("predict changed the bars it was given; work on a copy")


def repeatable(subject: Subject) -> None:
    """The same bars give the same forecast again, whatever the global random state.

    Raises CheckFailed otherwise.
    """
    forecasts = []
    for seed in (0, 1):
        with global_random_state(seed):
            forecasts.append(subject.predict(subject.bars.copy()))
    change = subject.largest_change(forecasts[1], forecasts[0].to_numpy(float))
    # Nets trained twice may differ in the last digits of float32.
    if change > retraining_tolerance(subject.forecast):
        raise CheckFailed(f"the forecast moved by {change:.3g} when it was made again; draw from a seeded generator")


def order_of_calls(subject: Subject) -> None:
    """What was predicted before does not matter.

    Raises CheckFailed otherwise.
    """
    expected = subject.fresh_copy().predict(subject.bars.copy()).to_numpy(float)
    fresh = subject.fresh_copy()
    for bars in (subject.bars.iloc[: subject.warm_up + 3].copy(), changed(subject.bars, 1, COLUMNS)):
        fresh.predict(bars)
    # The predictor of all other checks, and one that has predicted the start of these bars and bars of other values.
    for forecast in (subject.predict(subject.bars.copy()), fresh.predict(subject.bars.copy())):
        if (change := subject.largest_change(forecast, expected)) > subject.tolerance:
            raise CheckFailed(f"the forecast moved by {change:.3g} after other bars were predicted: state is kept")


def scale_free(subject: Subject) -> None:
    """Prices in another currency give the same forecast.

    Raises CheckFailed otherwise.
    """
    in_cents = subject.bars.mul([100.0, 100.0, 100.0, 100.0, 1.0])
    change = subject.largest_change(subject.predict(in_cents))
    # Training amplifies the rounding of logarithms of the multiplied prices.
    allowed = 8 * subject.tolerance + retraining_tolerance(subject.forecast)
    if change > allowed and change > allowed + 8 * _effect_of_rounding(subject):
        raise CheckFailed(f"the forecast moved by {change:.3g} when prices were multiplied by 100; use returns or logs")


def short(subject: Subject) -> None:
    """One, two or three bars give NaN or a number, or a ValueError that says what is needed.

    Raises CheckFailed otherwise.
    """
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
    """Prices that never move give finite forecasts.

    Raises CheckFailed otherwise.
    """
    constant = subject.bars.assign(open=5.0, high=5.0, low=5.0, close=5.0)
    _require_finite(subject, constant, "on constant prices")


def gaps_and_no_volume(subject: Subject) -> None:
    """Missing days and bars without volume give finite forecasts.

    Raises CheckFailed otherwise.
    """
    rng = np.random.default_rng(3)
    bars = random_walk(len(subject.bars) + 30, seed=2)
    bars = bars.drop(bars.index[rng.choice(len(bars), 30, replace=False)])
    bars = bars.assign(volume=bars["volume"].where(rng.random(len(bars)) < 0.7, 0.0))
    _require_finite(subject, bars, "on bars with gaps")


def pickles(subject: Subject) -> None:
    """A pickled copy gives the same forecast, so that it can be sent to another process.

    Raises CheckFailed otherwise.
    """
    try:
        copy = pickle.loads(pickle.dumps(subject.predictor))
    except Exception as error:
        raise CheckFailed(f"pickling raised {type(error).__name__}: {error}") from error
    if (change := subject.largest_change(copy.predict(subject.bars.copy()))) > subject.tolerance:
        raise CheckFailed(f"the pickled copy's forecast differs by {change:.3g}")


def no_edge_on_noise(subject: Subject) -> None:
    """On markets without memory its forecasts earn nothing.

    z = Σ f·r / √Σ (f·r)² over four random walks, r the next return. If f depends on past bars only, the signs of r are
    independent coin flips given |r|, so by Hoeffding's inequality z > 4 has a probability below exp(-4²/2), one in
    3,000; for a normal z it is one in 30,000. The seeds of the walks are fixed, so a verdict is reproducible.

    Raises CheckFailed where z > 4.

    Reference: Hoeffding (1963), JASA 58(301).
    """
    if (z := edge(subject, range(100, 104))) > 4:
        raise CheckFailed(
            f"its forecasts earn {z:.1f} standard deviations on random walks, where there is nothing to earn"
        )


def edge(subject: Subject, seeds: Iterable[int]) -> float:
    """z = Σ f·r / √Σ (f·r)² over random walks of these seeds, r the return after the forecast f; 0 if every f is 0."""
    products = []  # f·r
    for seed in seeds:
        bars = random_walk(subject.warm_up + 4 * PROBED, seed)
        f = subject.predict_later(bars).to_numpy(float)[subject.warm_up : -1]
        products.append(f * np.diff(np.log(bars["close"].to_numpy()))[subject.warm_up :])
    spread = float(np.sqrt(sum(np.sum(product**2) for product in products)))
    return float(sum(product.sum() for product in products)) / spread if spread > 0 else 0.0


def _effect_of_rounding(subject: Subject) -> float:
    """The largest change of a forecast where prices differ in their last digit only."""
    changes = []
    for seed in range(4):
        last_digit = np.random.default_rng(seed).integers(-1, 2, len(subject.bars)) * np.finfo(float).eps
        prices = [subject.bars[column] * (1 + last_digit) for column in COLUMNS[:4]]
        bars = subject.bars.assign(**dict(zip(COLUMNS[:4], prices, strict=True)))
        changes.append(subject.largest_change(subject.predict(bars)))
    return max(changes)


def _require_finite(subject: Subject, bars: pd.DataFrame, where: str) -> None:
    finite = np.isfinite(subject.predict(bars).to_numpy(float))
    if not finite.any() or not finite[int(finite.argmax()) :].all():
        raise CheckFailed(f"{where} the forecast is not a number after its warm-up")


ALL = (
    *(
        fields_are_parameters,
        documented,
        index,
        warm_up,
        bars_untouched,
        repeatable,
        generators_unseeded,
        order_of_calls,
    ),
    *LOOK_AHEAD,
    *(scale_free, short, flat, gaps_and_no_volume, pickles, no_edge_on_noise),
)
