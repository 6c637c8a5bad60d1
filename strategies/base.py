"""backtrader strategies that hold a target weight, set at a close and traded to at the next open.

They run under `cheat_on_open` with `strategies.broker.Broker`: `next_open` sees the bar's open, sizes on it, and the
order fills at it. Nothing else of that bar may be read there. A rule (`strategies.rule`) needs none of this: it is
hosted by `RuleStrategy`.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import backtrader as bt

from .feed import date_of
from .rule import Limits, NameRule, NameState, check_limits
from .sizing import change_of_one, refuse_leverage


class TargetStrategy(bt.Strategy):
    """Trades one name to `target`, the weight to hold; None for no opinion yet.

    tolerance: trade only when the weight is further than this, and a millionth, from its target.
    too_small: targets that could not be reached because one whole unit costs too much.
    """

    tolerance: float

    def __init__(self) -> None:
        # Lines are looked up once: by name they cost more than the rule itself.
        self._open = self.data.open
        self.target: float | None = None
        self.too_small = 0

    def aim(self, target: float) -> None:
        """Sets the target; raises ValueError for NaN and for one beyond the leverage of the account."""
        if not abs(target) <= 1:  # NaN too
            value = math.copysign(1.0, target) * self.position.size * self.data.close[0]
            present = value / self.broker.getvalue()
            refuse_leverage(self.name, abs(target), self.broker.p.leverage, present, date_of(self.data.datetime[0]))
        self.target = target

    @property
    def name(self) -> str:
        """What the rule is called."""
        return type(self).__name__

    def next_open(self) -> None:
        if self.target is None:
            return
        broker = self.broker
        broker.accrue()
        units = self.position.size
        size = change_of_one(
            *(units, self._open[0], broker.getcash(), broker.cost_rate),
            *(not broker.p.fractional, self.target, self.tolerance, self.data.datetime.datetime),
        )
        if size is None:
            return
        if size > 0:
            self.buy(size=size, sized=True)
        elif size < 0:
            self.sell(size=-size)
        elif units == 0:
            self.too_small += 1


class RuleStrategy(TargetStrategy):
    """Hosts a rule for one name.

    rule: a `NameRule` that has not been run yet.
    """

    params: Any = (("rule", None),)

    def __init__(self) -> None:
        super().__init__()
        self.rule: NameRule = self.p.rule
        self.tolerance = self.rule.tolerance
        self._forecast, self._close, self._date = self.data.forecast, self.data.close, self.data.datetime
        lines = self.data.lines
        self._actions = (lines.dividend, lines.split) if hasattr(lines, "dividend") else None
        self._before = math.nan  # the close of the bar before, which lines forget when backtrader saves memory

    @property
    def name(self) -> str:
        return type(self.rule).__name__

    def next(self) -> None:
        close, units = self._close[0], self.position.size
        worth = close
        if self._actions is not None:
            dividend, split = self._actions
            worth = close * split[0] + dividend[0]
        equity = self.broker.getcash() + units * close
        state = NameState(date_of(self._date[0]), self._forecast[0], close, worth / self._before, float(units), equity)
        self._before = close
        target = self.rule.target(state)
        if target is not None:
            self.aim(target)


class ForecastStrategy(TargetStrategy):
    """A backtrader strategy with `decide(forecast)`; a rule of its own is better a `strategies.rule.NameRule`.

    tolerance: trade only when the weight is further than this, and a millionth, from its target, so that drift does
               not churn.
    """

    params: Any = (("tolerance", 0.1),)
    # parameter → (lowest, highest) allowed; a subclass adds its own.
    limits: ClassVar[Limits] = {"tolerance": (0.0, 1.0)}

    @classmethod
    def check(cls, **parameters: Any) -> None:
        """Raises ValueError for a parameter outside its limits, before anything is run; all parameters are given."""
        check_limits(cls.limits, parameters)

    def __init__(self) -> None:
        super().__init__()
        self.check(**self.p._getkwargs())
        self._forecast, self.tolerance = self.data.forecast, self.p.tolerance

    def decide(self, forecast: float) -> float | None:
        """The weight to hold from the next open on, given the forecast at this close; None keeps the last one."""
        raise NotImplementedError(f"{type(self).__name__} must define decide(forecast)")

    def next(self) -> None:
        forecast = self._forecast[0]
        if not math.isnan(forecast):
            decision = self.decide(forecast)
            if decision is not None:
                self.aim(decision)
