"""What a sweep tries: a flat list of points, each of which is one backtest and says all that it depends on."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rollcast.backtests.account.hosts import StrategyClass
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.strategies import STRATEGIES, check_strategy
from rollcast.backtests.sweep.axes import Axis, axes_of, constants
from rollcast.predictors import Learner, Predictor, WalkForward
from rollcast.predictors.registry import PREDICTORS

METHODS = ("grid", "sobol", "random", "tpe")
MOST_POINTS = 200_000
ENTROPY = 0  # of the draws: the same sweep draws the same points


@dataclass(frozen=True)
class Point:
    """One combination: a value for every axis, by its column, and a seed where the predictor is random."""

    values: tuple[tuple[str, str], ...]
    seed: int | None = None

    @property
    def key(self) -> str:
        """Sixteen digits that are the same for the same values."""
        return hashlib.sha256(json.dumps([self.values, self.seed]).encode()).hexdigest()[:16]

    def texts(self, side: str) -> dict[str, str]:
        """The values of one side by parameter."""
        return {column[2:]: text for column, text in self.values if column.startswith(side)}

    @property
    def schedule(self) -> dict[str, Any]:
        """What varies of a learner's walk-forward, train and every."""
        return {name: int(text) for name, text in self.texts("w").items()}

    @property
    def model(self) -> tuple[tuple[tuple[str, str], ...], int | None]:
        """What the forecast depends on: points that agree in it share one."""
        return tuple((c, text) for c, text in self.values if not c.startswith("s")), self.seed

    def __str__(self) -> str:
        words = [f"{column[2:]}={text}" for column, text in self.values]
        return " ".join(words + ([] if self.seed is None else [f"seed={self.seed}"])) or "the defaults"


@dataclass(frozen=True)
class Sweep:
    """Everything a sweep of one symbol is asked: the request all points share, the axes, and how points are taken.

    method: grid, all combinations; sobol or random, `draws` points; tpe, `draws` points searched for by Optuna.
    seeds:  runs of each point of a random predictor.
    words:  the values as they were asked for, (side, NAME=VALUES) each; see `Axis` for the sides.
    """

    base: Request
    axes: tuple[Axis, ...]
    method: str = "grid"
    draws: int | None = None
    seeds: int = 1
    words: tuple[tuple[str, str], ...] = ()

    def point(self, units: Sequence[float]) -> Point:
        """The point at these fractions of the axes, without a seed."""
        return Point(tuple((axis.column, axis.at(u)) for axis, u in zip(self.axes, units, strict=True)))

    def request(self, point: Point, since: str | None = None) -> Request:
        """The backtest of a point, as `backtest` would be asked for it."""
        return replace(
            self.base,
            params={**self.base.params, **point.texts("p")},
            strategy_params={**self.base.strategy_params, **point.texts("s")},
            **point.schedule,
            seed=self.base.seed if point.seed is None else point.seed,
            since=since or self.base.since,
        )

    def seeded(self, point: Point) -> list[Point]:
        """The point once for each seed."""
        if self.seeds == 1:
            return [point]
        first = self.base.seed or 0
        return [replace(point, seed=first + k) for k in range(self.seeds)]

    def command(self) -> str:
        """The command that asks for this sweep."""
        schedule = [text.partition("=")[::2] for side, text in self.words if side == "w"]
        rest: dict[str, Any] = {name: None for name, _ in schedule}
        plain = replace(self.base, params={}, strategy_params={}, **rest).command().replace("backtest", "sweep", 1)
        words = [word for side, text in self.words if side != "w" for word in (f"-{side}", text)]
        words += [word for name, text in schedule for word in (f"--{name}", text)]
        words += [] if self.draws is None else ["--method", self.method, "--draws", str(self.draws)]
        return " ".join([plain, shlex.join(words), *([f"--seeds {self.seeds}"] if self.seeds > 1 else [])])

    def points(self) -> list[Point]:
        """All points in their order, no two alike. Raises ValueError for a method that finds its points on its way."""
        if self.method == "tpe":
            raise ValueError("the points of a guided search are known when it has ended")
        found = dict.fromkeys(_grid(self.axes) if self.method == "grid" else self._drawn())
        return [each for point in found for each in self.seeded(point)]

    def corners(self, most: int = 64) -> list[Point]:
        """The points of lowest and highest values, where warm-ups are longest; at most so many, evenly taken."""
        sides = [axis.corners() if axis.side != "s" else axis.corners()[:1] for axis in self.axes]
        every = [Point(tuple(zip(self._columns, texts, strict=True))) for texts in itertools.product(*sides)]
        return [every[k] for k in sorted(set(np.linspace(0, len(every) - 1, most).astype(int).tolist()))]

    @property
    def _columns(self) -> list[str]:
        return [axis.column for axis in self.axes]

    def _drawn(self) -> list[Point]:
        assert self.draws is not None  # sweep_of sees to it
        if self.method == "random" or not self.axes:
            units = np.random.default_rng(ENTROPY).random((self.draws, len(self.axes)))
        else:
            from scipy.stats import qmc  # a second to import

            sampler = qmc.Sobol(len(self.axes), scramble=True, rng=np.random.default_rng(ENTROPY))
            # A power of two keeps the sequence balanced; its first draws are used.
            units = sampler.random_base2(math.ceil(math.log2(self.draws)))[: self.draws]
        return [self.point(row) for row in units]


def sweep_of(
    base: Request,
    params: Sequence[str],
    strategy_params: Sequence[str],
    schedule: Sequence[str] = (),
    *,
    method: str | None = None,
    draws: int | None = None,
    seeds: int = 1,
) -> Sweep:
    """A sweep from the words of the command line, NAME=VALUES each; schedule: train and every of a learner.

    Without a method: a grid, or Sobol points where `draws` is given. Raises ValueError for settings that do not fit.
    """
    cls, rule = PREDICTORS.find(base.predictor), STRATEGIES.find(base.strategy)
    axes = [
        *axes_of("p", params, cls, PREDICTORS, base.predictor),
        *axes_of("w", schedule, WalkForward, PREDICTORS, base.predictor),
        *axes_of("s", strategy_params, rule, STRATEGIES, base.strategy),
    ]
    if schedule and not issubclass(cls, Learner):
        name = schedule[0].partition("=")[0]
        raise ValueError(f"{base.predictor} is never refitted, so --{name} does not apply to it")
    method = method or ("sobol" if draws else "grid")
    varying = tuple(axis for axis in axes if len(axis.values) != 1)
    _check(base, varying, method, draws, seeds)
    if seeds > 1 and "seed" not in {parameter.name for parameter in PREDICTORS.parameters(cls)}:
        raise ValueError(f"{base.predictor} is not random, so --seeds does not apply to it")
    held: dict[str, Any] = {name: int(text) for name, text in constants(axes, "w").items()}
    fixed = replace(base, params=dict(constants(axes, "p")), strategy_params=dict(constants(axes, "s")), **held)
    sides = {"p": params, "w": schedule, "s": strategy_params}
    words = tuple((side, word) for side, given in sides.items() for word in given)
    return Sweep(fixed, varying, method, draws, seeds, words)


def _check(base: Request, axes: Sequence[Axis], method: str, draws: int | None, seeds: int) -> None:
    if base.allow_lookahead:
        raise ValueError("the best of many runs that look ahead says nothing; a sweep does not allow look-ahead")
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}. Known: {', '.join(METHODS)}")
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1; got {seeds}")
    if not axes:
        raise ValueError("there is nothing to sweep: give a parameter several values, such as -p window=10:200:10")
    count = seeds * (_grid_size(axes, draws) if method == "grid" else draws or 0)
    if count < 1:
        raise ValueError(f"--method {method} needs --draws, at least 1; got {draws}")
    if count > MOST_POINTS:
        raise ValueError(f"that is {count:,} points; at most {MOST_POINTS:,} in one sweep")


def _grid_size(axes: Sequence[Axis], draws: int | None) -> int:
    if draws is not None:
        raise ValueError("a grid takes all combinations; use --method sobol, random or tpe with --draws")
    for axis in axes:
        if axis.drawn:
            raise ValueError(f"{axis.name}: an interval is drawn from, with --draws; a grid needs START:STOP:STEP")
    return math.prod(len(axis.values) for axis in axes)


def _grid(axes: Sequence[Axis]) -> list[Point]:
    columns = [axis.column for axis in axes]
    return [Point(tuple(zip(columns, texts, strict=True))) for texts in itertools.product(*(a.values for a in axes))]


@dataclass(frozen=True)
class Maker:
    """Makes the predictor and the strategy's parameters of a point, from classes that are looked up once."""

    sweep: Sweep
    template: Predictor
    strategy: StrategyClass

    @classmethod
    def of(cls, sweep: Sweep) -> Maker:
        """Raises what `Request.model` and `Request.rule` raise."""
        point = sweep.corners(1)[0]
        try:
            return cls(sweep, sweep.request(point).model(), sweep.base.rule()[0])
        except ValueError as error:
            raise ValueError(f"{point}: {error}") from error

    def predictor(self, point: Point) -> Predictor:
        """The predictor of a point; raises ValueError with the point's name for values it refuses."""
        request = self.sweep.request(point)
        texts = dict(request.params) | ({} if request.seed is None else {"seed": str(request.seed)})
        template: Any = self.template
        wrapped = isinstance(self.template, WalkForward)
        model = template.learner if wrapped else template
        try:
            made = replace(model, **PREDICTORS.coerce(type(model), texts, request.predictor))
            return replace(template, learner=made, **point.schedule) if wrapped else made
        except (ValueError, TypeError) as error:
            raise ValueError(f"{point}: {error}") from error

    def parameters(self, point: Point) -> Mapping[str, Any]:
        """The strategy's parameters of a point; raises ValueError with the point's name for values it refuses."""
        texts = self.sweep.request(point).strategy_params
        try:
            values = STRATEGIES.coerce(self.strategy, texts, self.sweep.base.strategy)
            check_strategy(self.strategy, values)
        except ValueError as error:
            raise ValueError(f"{point}: {error}") from error
        return values


def name_of(sweep: Sweep) -> str:
    """What its folder is called after the key: its predictor and symbol, in characters that files may have."""
    plain = (re.sub(r"[^A-Za-z0-9.-]+", "", part.split("/")[-1].partition(":")[0]) for part in
             (sweep.base.predictor.removesuffix(".py"), sweep.base.symbol))  # fmt: skip
    return "-".join(plain)
