"""The points of a sweep: each is one backtest, and determines all that it depends on."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...predictors import Learner, WalkForward
from ...predictors.registry import PREDICTORS
from ..pipeline.request import Request
from ..pipeline.strategies import STRATEGIES
from .axes import Axis, axes_of, constants

METHODS = ("grid", "sobol", "random", "tpe")
MOST_POINTS = 200_000
ENTROPY = 0  # seeds the draws, so that a sweep draws the same points every time

# The values a forecast depends on, as `Point.values` has them, and the seed.
ModelKey = tuple[tuple[tuple[str, str], ...], int | None]


@dataclass(frozen=True)
class Point:
    """One combination of values.

    values: pairs of an axis's column and a value of it as text, for every axis.
    seed:   of the predictor; None for the sweep's own.
    """

    values: tuple[tuple[str, str], ...]
    seed: int | None = None

    @property
    def key(self) -> str:
        """A digest of the values and the seed, 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps([self.values, self.seed]).encode()).hexdigest()[:16]

    def texts(self, side: str) -> dict[str, str]:
        """The values of one side, as `Axis.side` names it, by parameter."""
        return {column[2:]: text for column, text in self.values if column.startswith(side)}

    @property
    def schedule(self) -> Mapping[str, int]:
        """The values of a learner's walk-forward: `train` and `every`, where they are axes."""
        return {name: int(text) for name, text in self.texts("w").items()}

    @property
    def model(self) -> ModelKey:
        """What the forecast depends on: points with equal keys share one forecast."""
        return tuple((column, text) for column, text in self.values if not column.startswith("s")), self.seed

    def __str__(self) -> str:
        words = [f"{column[2:]}={text}" for column, text in self.values]
        return " ".join(words + ([] if self.seed is None else [f"seed={self.seed}"])) or "the defaults"


@dataclass(frozen=True)
class Sweep:
    """A sweep of one symbol: the request that all points share, the axes, and how points are chosen.

    method:    grid, all combinations; sobol or random, `draws` points; tpe, `draws` points proposed by Optuna.
    seeds:     runs of each point of a random predictor.
    arguments: the values as on the command line, pairs of a side, as `Axis.side` names it, and NAME=VALUES.
    """

    base: Request
    axes: tuple[Axis, ...]
    method: str = "grid"
    draws: int | None = None
    seeds: int = 1
    arguments: tuple[tuple[str, str], ...] = ()

    def point(self, units: Sequence[float]) -> Point:
        """The point at these fractions of the axes, without a seed."""
        return Point(tuple((axis.column, axis.at(u)) for axis, u in zip(self.axes, units, strict=True)))

    def request(self, point: Point, since: str | None = None) -> Request:
        """The backtest of a point; since: a date that replaces that of the base."""
        request = replace(
            self.base,
            params={**self.base.params, **point.texts("p")},
            strategy_params={**self.base.strategy_params, **point.texts("s")},
            seed=self.base.seed if point.seed is None else point.seed,
            since=since or self.base.since,
        )
        return _with_schedule(request, point.schedule)

    def seeded(self, point: Point) -> list[Point]:
        """The point with each of the seeds."""
        if self.seeds == 1:
            return [point]
        first = self.base.seed or 0
        return [replace(point, seed=first + k) for k in range(self.seeds)]

    def command(self) -> str:
        """The command line of this sweep."""
        schedule = [text.partition("=")[::2] for side, text in self.arguments if side == "w"]
        base = replace(self.base, params={}, strategy_params={})
        plain = _with_schedule(base, {name: None for name, _ in schedule}).command().replace("backtest", "sweep", 1)
        words = [word for side, text in self.arguments if side != "w" for word in (f"-{side}", text)]
        words += [word for name, text in schedule for word in (f"--{name}", text)]
        words += [] if self.draws is None else ["--method", self.method, "--draws", str(self.draws)]
        return " ".join([plain, shlex.join(words), *([f"--seeds {self.seeds}"] if self.seeds > 1 else [])])

    def points(self) -> list[Point]:
        """All points in their order, without repetition. Raises ValueError for tpe, whose points depend on scores."""
        if self.method == "tpe":
            raise ValueError("the points of a guided search are known only when it has ended")
        unique = dict.fromkeys(_grid(self.axes) if self.method == "grid" else self._draw())
        return [point for variant in unique for point in self.seeded(variant)]

    def corners(self, most: int = 64) -> list[Point]:
        """The points of lowest and highest values, where the longest warm-ups are; at most `most`, evenly spaced."""
        texts = [axis.corners() if axis.side != "s" else axis.corners()[:1] for axis in self.axes]
        corners = _combinations(self.axes, texts)
        return [corners[k] for k in sorted(set(np.linspace(0, len(corners) - 1, most).astype(int).tolist()))]

    def _draw(self) -> list[Point]:
        assert self.draws is not None  # sweep_of has checked it
        if self.method == "random":
            units = np.random.default_rng(ENTROPY).random((self.draws, len(self.axes)))
        else:
            from scipy.stats import qmc  # a second to import

            sampler = qmc.Sobol(len(self.axes), scramble=True, rng=np.random.default_rng(ENTROPY))
            # A Sobol sequence is balanced at powers of two: a whole one is generated, and its first draws are used.
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
    """A sweep from arguments NAME=VALUES as on the command line; schedule: `train` and `every` of a learner.

    method: None for a grid, or for Sobol points where there are `draws`.

    Raises ValueError for settings that exclude one another or are out of range, and what `axes_of` and
    `Registry.find` raise.
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
    base = replace(base, params=constants(axes, "p"), strategy_params=constants(axes, "s"))
    base = _with_schedule(base, {name: int(text) for name, text in constants(axes, "w").items()})
    sides = {"p": params, "w": schedule, "s": strategy_params}
    arguments = tuple((side, text) for side, texts in sides.items() for text in texts)
    return Sweep(base, varying, method, draws, seeds, arguments)


def _with_schedule(request: Request, values: Mapping[str, int | None]) -> Request:
    """The request with these values of `train` and `every`."""
    return replace(request, train=values.get("train", request.train), every=values.get("every", request.every))


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
        if axis.is_interval:
            raise ValueError(f"{axis.name}: an interval is drawn from, with --draws; a grid needs START:STOP:STEP")
    return math.prod(len(axis.values) for axis in axes)


def _grid(axes: Sequence[Axis]) -> list[Point]:
    return _combinations(axes, [axis.values for axis in axes])


def _combinations(axes: Sequence[Axis], values: Sequence[Sequence[str]]) -> list[Point]:
    """Every combination of these values of the axes."""
    columns = [axis.column for axis in axes]
    return [Point(tuple(zip(columns, texts, strict=True))) for texts in itertools.product(*values)]


def name_of(sweep: Sweep) -> str:
    """The part of the folder's name after the key: predictor and symbol, in characters allowed in file names."""
    plain = (re.sub(r"[^A-Za-z0-9.-]+", "", part.split("/")[-1].partition(":")[0]) for part in
             (sweep.base.predictor.removesuffix(".py"), sweep.base.symbol))  # fmt: skip
    return "-".join(plain)
