"""Builds what a point of a sweep stands for: its predictor and the parameters of its strategy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...predictors import Predictor, WalkForward
from ...predictors.registry import PREDICTORS
from ..account.hosts import StrategyClass
from ..json_values import Parameters
from ..pipeline.strategies import STRATEGIES, check_strategy
from .points import Point, Sweep


@dataclass(frozen=True)
class Factory:
    """Builds the predictor and the strategy's parameters of every point, from classes that are looked up once.

    template: the predictor of one point.   strategy: the class that all points trade with.
    """

    sweep: Sweep
    template: Predictor
    strategy: StrategyClass

    @classmethod
    def of(cls, sweep: Sweep) -> Factory:
        """The factory of a sweep; raises what `Request.model` and `Request.rule` raise."""
        point = sweep.corners(1)[0]
        try:
            return cls(sweep, sweep.request(point).model(), sweep.base.rule()[0])
        except ValueError as error:
            raise ValueError(f"{point}: {error}") from error

    def predictor(self, point: Point) -> Predictor:
        """The predictor of a point. Raises ValueError with the point's name for values that the predictor refuses."""
        request = self.sweep.request(point)
        texts = dict(request.params) | ({} if request.seed is None else {"seed": str(request.seed)})
        template, schedule = self.template, point.schedule
        model = template.learner if isinstance(template, WalkForward) else template
        try:
            values = PREDICTORS.coerce(type(model), texts, request.predictor)
            if not isinstance(template, WalkForward):
                return replace(template, **values)  # type: ignore[type-var]  # every predictor is a dataclass
            learner = replace(template.learner, **values)  # type: ignore[type-var]
            train, every = (schedule.get(name, getattr(template, name)) for name in ("train", "every"))
            return replace(template, learner=learner, train=train, every=every)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{point}: {error}") from error

    def parameters(self, point: Point) -> Parameters:
        """The strategy's parameters of a point. Raises ValueError with the point's name for values that it refuses."""
        texts = self.sweep.request(point).strategy_params
        try:
            values = STRATEGIES.coerce(self.strategy, texts, self.sweep.base.strategy)
            check_strategy(self.strategy, values)
        except ValueError as error:
            raise ValueError(f"{point}: {error}") from error
        return values
