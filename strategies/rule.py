"""A trading rule as a plain object: what is known at a close goes in, the weights to hold come out.

Notation: N names. A weight is a position's value over the account's equity: 1 fully long, -1 fully short, 0 out.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

Limits = Mapping[str, tuple[float, float]]


def check_limits(limits: Limits, parameters: Mapping[str, object]) -> None:
    """Raises ValueError for a number outside its (lowest, highest); one without limits may be anything."""
    for key, value in parameters.items():
        low, high = limits.get(key, (-math.inf, math.inf))
        if isinstance(value, int | float) and not low <= value <= high:
            upper = f" and at most {high:g}" if math.isfinite(high) else ""
            raise ValueError(f"{key} must be at least {low:g}{upper}; got {value:g}")


@dataclass
class BaseRule:
    """The parameters of a rule: the fields of a dataclass that `__init__` takes.

    What a rule remembers from close to close are fields with `init=False`, so that one instance serves one run, and
    `fresh()` gives the next run its own.

    Raises ValueError for a parameter outside its `limits`.
    """

    # parameter → (lowest, highest) allowed; a subclass adds its own.
    limits: ClassVar[Limits] = {"tolerance": (0.0, 1.0)}

    def __post_init__(self) -> None:
        check_limits(self.limits, self.parameters)

    @property
    def parameters(self) -> dict[str, Any]:
        """Every parameter by its name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.init}

    def fresh(self) -> Self:
        """A rule with the same parameters that remembers nothing."""
        return type(self)(**self.parameters)


@dataclass(slots=True)
class NameState:
    """What is known of one name at a close.

    date:     of the close.
    forecast: expected log(close[t+1]/close[t]); NaN where there is none.
    close:    in the currency of the prices.
    growth:   what a unit of the close before has become, dividend and split included, over that close; NaN at the
              first bar.
    units:    held, a short's below 0.
    equity:   of the account, in the currency of the prices; of a portfolio, the name's share of it.
    """

    date: datetime.datetime
    forecast: float
    close: float
    growth: float
    units: float
    equity: float

    @property
    def weight(self) -> float:
        """The weight held."""
        return self.units * self.close / self.equity


@dataclass(slots=True)
class State:
    """What is known of N names at a close; all but `date` and `cash` are (N,), and read-only.

    date:      of the close.
    forecasts: the latest of each name, expected log(close[t+1]/close[t]); NaN where there is none.
    closes:    the latest of each name; NaN where there is none.
    growth:    what a unit of the close before has become, dividend and split included, over that close; NaN for a name
               without a bar today, and at its first bar.
    levels:    the closes with dividends and splits put back, for returns over many bars.
    dividends: what a unit was paid today.
    fresh:     whether the name has a bar today.   listed: whether it has begun and not ended.
    waiting:   whether its target has not been traded to yet, because it had no bar.
    units:     held, a short's below 0.
    cash:      in the currency of the prices.
    """

    date: datetime.datetime
    forecasts: np.ndarray
    closes: np.ndarray
    growth: np.ndarray
    levels: np.ndarray
    dividends: np.ndarray
    fresh: np.ndarray
    listed: np.ndarray
    waiting: np.ndarray
    units: np.ndarray
    cash: float

    @property
    def values(self) -> np.ndarray:
        """The value of each position, (N,)."""
        return self.units * np.nan_to_num(self.closes)

    @property
    def equity(self) -> float:
        """Cash and all positions, in the currency of the prices."""
        return self.cash + float(self.values.sum())

    @property
    def weights(self) -> np.ndarray:
        """The weight of each name, (N,)."""
        return self.values / self.equity


@dataclass
class NameRule(BaseRule, ABC):
    """A rule for one name: `decide` gives the weight to hold from the next open on.

    tolerance: trade only when the weight is further than this, and a millionth, from its target, so that drift does
               not churn.

    It trades a portfolio too, by a copy for each name with an equal share of the account (`portfolio.per_name`).
    """

    tolerance: float = dataclasses.field(default=0.1, kw_only=True)

    def observe(self, state: NameState) -> None:  # a rule that reads forecasts only needs none
        """Called at every close, with a forecast or without, before `decide`: for what the rule keeps of the past."""

    @abstractmethod
    def decide(self, state: NameState) -> float | None:
        """The weight to hold from the next open on, asked at every close with a forecast; None keeps the last one.

        The run raises ValueError for NaN.
        """

    def target(self, state: NameState) -> float | None:
        """What the host asks at every close: `observe`, and `decide` where there is a forecast."""
        self.observe(state)
        return None if math.isnan(state.forecast) else self.decide(state)


@dataclass
class BandRule(NameRule):
    """A rule that acts only on forecasts outside a dead band.

    dead_band_bps: a forecast within this many basis points of zero is no opinion: the target stays as it is.
    exposure:      the weight held when the rule is in the market.

    Raises ValueError for an exposure that the tolerance would never let be traded.
    """

    dead_band_bps: float = 1.0
    exposure: float = 1.0
    limits: ClassVar[Limits] = {**NameRule.limits, "dead_band_bps": (0.0, math.inf), "exposure": (0.0, 1.0)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 < self.exposure <= self.tolerance:
            raise ValueError(
                f"exposure {self.exposure:g} is within tolerance {self.tolerance:g} of nothing and would never be "
                "traded; lower the tolerance"
            )

    def opinion(self, forecast: float) -> int:
        """1 above the band, -1 below it, 0 inside."""
        band = self.dead_band_bps / 1e4
        return 1 if forecast > band else -1 if forecast < -band else 0


@dataclass
class Rule(BaseRule, ABC):
    """A rule for many names: `decide` gives the weights to hold from each name's next open on.

    tolerance: a name is traded only when its weight is further than this, and a millionth, from its target.
    """

    tolerance: float = dataclasses.field(default=0.0, kw_only=True)

    @abstractmethod
    def decide(self, state: State) -> np.ndarray | None:
        """The weights, (N,), asked at every close; None keeps the last ones and trades nothing.

        Weights of names that are not listed are ignored. The run raises ValueError for another shape and for NaN.
        """

    def tolerances(self) -> float | np.ndarray:
        """How far a weight may be from its target, one number or (N,)."""
        return self.tolerance


PERIODS = ("bar", "daily", "weekly", "monthly", "quarterly")


@dataclass
class CalendarRule(Rule):
    """A rule that decides anew at the first close of each period.

    rebalance: bar, daily, weekly, monthly or quarterly. At its first close, because that a close is a period's last is
               known only afterwards.

    Raises ValueError for another period.
    """

    rebalance: str = dataclasses.field(default="bar", kw_only=True)
    period: object = dataclasses.field(default=None, init=False, repr=False)  # that it last rebalanced in

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rebalance not in PERIODS:
            raise ValueError(f"rebalance must be one of {', '.join(PERIODS)}; got {self.rebalance!r}")

    def rebalances(self, date: datetime.datetime) -> bool:
        """Whether this is a close of a period in which the rule has not rebalanced; say `mark` once it has."""
        return self.period != self._period_of(date)

    def mark(self, date: datetime.datetime) -> None:
        """Notes that the rule has rebalanced in this period."""
        self.period = self._period_of(date)

    def _period_of(self, date: datetime.datetime) -> object:
        if self.rebalance == "bar":
            return date
        if self.rebalance == "daily":
            return date.date()
        if self.rebalance == "weekly":
            return date.isocalendar()[:2]
        return date.year, date.month if self.rebalance == "monthly" else (date.month - 1) // 3
