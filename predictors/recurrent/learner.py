"""What the recurrent learners share: how windows become trainings, and trainings a forecast."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pandas as pd

from rollcast.predictors import training_log
from rollcast.predictors.bars import log_returns
from rollcast.predictors.base import Learner
from rollcast.predictors.features import FEATURES, Scale, check_features, features
from rollcast.predictors.recurrent import random_numbers, trainer
from rollcast.predictors.recurrent.jobs import LOSSES, Job, Plan, Samples, Trained
from rollcast.predictors.validation import at_least, between, one_of

if TYPE_CHECKING:
    from rollcast.predictors.walk_forward import Window

TARGETS = ("standard", "std", "raw")


@dataclass(frozen=True)
class Nets:
    """The forecasts of one block by every net of its window: `each` has the shape (block, seeds, O)."""

    each: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The forecast, (block,)."""
        return self.each[..., 0].mean(axis=1)

    @property
    def spread(self) -> np.ndarray:
        """The standard deviation over the nets, (block,): how much of the forecast is the luck of a start."""
        return self.each[..., 0].std(axis=1, ddof=min(1, self.each.shape[1] - 1))

    @property
    def deviation(self) -> np.ndarray:
        """The forecast standard deviation of the return, (block,): √(mean of σ² + variance of the means).

        Raises ValueError unless the loss is gaussian.
        """
        if self.each.shape[2] < 2:
            raise ValueError("only a net with loss=gaussian forecasts a standard deviation")
        return np.sqrt((self.each[..., 1] ** 2).mean(axis=1) + self.each[..., 0].var(axis=1))


@dataclass
class Recurrent(Learner):
    """A recurrent net on the last `lookback` bars, and the mean of `seeds` of them.

    lookback: bars read for one forecast; a trading month.
    hidden:   units of a hidden state. A thousand bars of almost pure noise do not support more.
    epochs:   passes over the training samples. Three times as many fit more of the noise: see docs/recurrent-nets.md.
    batch:    samples for one Adam step; 0 for all of them: a noisy target gains nothing from noisy steps.
    lr:       Adam's step size. With ten full batches, 0.01 is where nets of different seeds come to agree (0.8).
    clip:     the gradient's norm is cut to this: a recurrent net's gradient sometimes explodes.
    weight_decay: decoupled (AdamW), as a rate; a step shrinks every weight by lr · weight_decay.
    dropout:  share of what the head, and every layer but the first, reads that is dropped while training.
    loss:     mse; huber, linear beyond one standard deviation, for fat tails; or gaussian, the likelihood of a normal
              law whose mean and variance are both forecast.
    target:   what the net is trained on: standard, the return less the slice's mean, over its standard deviation; std,
              only over it, so that a net without a view forecasts zero; raw, the return itself.
    validation: share of the samples, the latest, held out for early stopping, a lookback away from the rest.
    patience: epochs without a better validation loss before training stops.
    warm:     0 to train each window from scratch. Otherwise it starts from the weights of the window before and trains
              for this many epochs: cheaper, but windows then depend on one another, and so does the luck of a start.
    features: which of return, range, gap and volume it reads, each scaled by the training slice.
    seeds:    nets that differ in their initial weights alone. Two of them are not the same forecast: one is no result.
    seed:     of the first net, together with the date of the fit.
    device:   cpu, cuda, or auto (cuda where there is one).
    diverged: what to do with a net whose loss is no longer a number: raise, or mean, the slice's mean return.
    """

    lookback: int = 20
    hidden: int = 16
    epochs: int = 10
    batch: int = 0
    lr: float = 0.01
    clip: float = 1.0
    weight_decay: float = 0.0
    dropout: float = 0.0
    loss: Literal["mse", "huber", "gaussian"] = "mse"
    target: Literal["standard", "std", "raw"] = "standard"
    validation: float = 0.0
    patience: int = 5
    warm: int = 0
    features: tuple[str, ...] = FEATURES
    seeds: int = 5
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    diverged: Literal["raise", "mean"] = "raise"

    def __post_init__(self) -> None:
        for name in ("lookback", "hidden", "epochs", "patience", "seeds"):
            at_least(name, getattr(self, name), 1)
        for name in ("batch", "warm", "seed"):
            at_least(name, getattr(self, name), 0)
        for name in ("lr", "clip"):
            between(name, getattr(self, name), 0, 1 if name == "lr" else float("inf"), open_low=True)
        for name, most in (("weight_decay", float("inf")), ("dropout", 0.9), ("validation", 0.9)):
            between(name, getattr(self, name), 0, most)
        one_of("loss", self.loss, LOSSES)
        one_of("target", self.target, TARGETS)
        one_of("device", self.device, ("auto", "cpu", "cuda"))
        one_of("diverged", self.diverged, ("raise", "mean"))
        check_features(self.features)

    @property
    def chained(self) -> bool:
        return self.warm > 0

    @abstractmethod
    def plan(self) -> Plan:
        """The net and its training, as the trainer reads them."""

    def fit(self, bars: pd.DataFrame) -> Self:
        jobs = self._window_jobs(*_inputs(bars, self.features), 0, len(bars), len(bars), bars.index[-1])
        self.weights_ = np.stack([trained.weights for trained in self._train(jobs)])  # (seeds, P)
        self.scale_ = jobs[0].scale
        return self

    def fit_many(self, slices: Sequence[pd.DataFrame]) -> list[Self]:
        """As `predictors.pooled.FitsMany.fit_many`: the same nets for every slice, each scaled by its own."""
        from rollcast.predictors.recurrent import pooled

        return pooled.fit_many(self, slices)

    def predict_block(self, window: Window) -> pd.Series:
        """What `predict` says of `window.seen` at the bars of the block, without the others."""
        return self.predict(window.bars.iloc[window.split - 1 - self.lookback : window.stop]).iloc[self.lookback :]

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        forecast = pd.Series(np.nan, index=bars.index, name="forecast")
        if len(bars) > self.lookback:
            forecast.iloc[self.lookback :] = self.predict_nets(bars).mean
        return forecast

    def predict_nets(self, bars: pd.DataFrame) -> Nets:
        """Every fitted net's forecasts at all bars from number `lookback` on (the first bar has no return)."""
        inputs = _inputs(bars, self.features)
        # A training of no epochs that starts from the fitted weights, and forecasts wherever it can.
        bounds = 1, self.lookback + 1, len(bars)
        jobs = [Job(*inputs, self.scale_, *bounds, 0, 0, bars.index[-1], weights) for weights in self.weights_]
        return Nets(np.stack([trained.forecast for trained in self._train(jobs)], axis=1))

    def forecast(self, windows: Sequence[Window]) -> Iterator[tuple[int, pd.Series]]:
        """As `Learner.forecast`, with every net of every window trained together."""
        for k, nets in self.forecast_nets(windows):
            window = windows[k]
            yield k, pd.Series(nets.mean, index=window.bars.index[window.split - 1 : window.stop])

    def forecast_nets(self, windows: Sequence[Window]) -> Iterator[tuple[int, Nets]]:
        """`(position in windows, every net's forecasts)` as each window is done; `forecast` is their mean."""
        order, jobs = self.jobs(windows)
        done: list[dict[int, np.ndarray]] = [{} for _ in windows]
        page, weights, notes, spreads = training_log.current(), {}, {}, {}
        for position, trained in trainer.train(self.plan(), jobs, self.device):
            k, i = order[position]
            done[k][i] = self._checked(jobs[position], trained).forecast
            if page:
                notes[position] = {"date": jobs[position].date, "net": i} | _losses(trained)
                weights[position] = trained.weights
            if len(done[k]) == self.seeds:
                # In the nets' order: they end in any, and a sum depends on it.
                nets = Nets(np.stack([done[k].pop(i) for i in range(self.seeds)], axis=1))
                if page and self.seeds > 1:
                    window = windows[k]
                    spreads[k] = pd.Series(nets.spread, window.bars.index[window.split - 1 : window.stop])
                yield k, nets
        if page:
            from rollcast.predictors.recurrent.states import block_states

            # In their order: trainings end in any.
            page.windows += [notes[position] for position in sorted(notes)]
            page.spreads += [spreads[k] for k in sorted(spreads)]
            page.states += block_states(self.plan(), windows, [k for k, _ in order], jobs, weights)

    def jobs(self, windows: Sequence[Window]) -> tuple[list[tuple[int, int]], list[Job]]:
        """Every (window, seed) in the order of training, and the job it is."""
        frames = {id(window.bars): window.bars for window in windows}
        inputs = {frame: _inputs(bars, self.features) for frame, bars in frames.items()}
        made = [self._window_jobs(*inputs[id(w.bars)], w.start, w.split, w.stop, w.date) for w in windows]
        if not self.warm:
            order = [(k, i) for k in range(len(windows)) for i in range(self.seeds)]
            return order, [made[k][i] for k, i in order]
        chains = [
            [(k, i) for k, window in enumerate(windows) if id(window.bars) == frame]
            for frame in frames
            for i in range(self.seeds)
        ]
        order = [place for chain in chains for place in chain]
        jobs = [
            replace(made[k][i], epochs=self.warm, continues=True) if (k, i) != chain[0] else made[k][i]
            for chain in chains
            for k, i in chain
        ]
        return order, jobs

    def _window_jobs(
        self, rows: np.ndarray, returns: np.ndarray, start: int, split: int, stop: int, date: pd.Timestamp
    ) -> list[Job]:
        # A slice's first bar has no return.
        known = slice(start + 1, split)
        scale = Scale.of(np.column_stack([rows[known], returns[known]]))
        columns = np.column_stack([scale.mean, scale.std])
        if self.target != "standard":
            columns[-1] = 0.0, 1.0 if self.target == "raw" else columns[-1, 1]
        when = random_numbers.key(self.seed, date.value)
        jobs = [
            Job(rows, returns, columns, start + 1, split, stop, random_numbers.key(when, i), self.epochs, date)
            for i in range(self.seeds)
        ]
        if not len(Samples.of(self.plan(), jobs[0]).starts):
            raise ValueError(
                f"lookback={self.lookback} and validation={self.validation} leave nothing to train on in "
                f"{split - start} bars; a lookback without validation needs {self.lookback + 2} bars"
            )
        return jobs

    def _train(self, jobs: list[Job]) -> list[Trained]:
        done = dict(trainer.train(self.plan(), jobs, self.device))
        return [self._checked(job, done[k]) for k, job in enumerate(jobs)]

    def _checked(self, job: Job, trained: Trained) -> Trained:
        if not trained.diverged:
            return trained
        if self.diverged == "raise":
            raise FloatingPointError(
                f"the loss of the window fitted on {job.date} is not a number; try a smaller lr or clip, or let such a "
                "net forecast its slice's mean return with diverged=mean"
            )
        trained.forecast[:] = job.scale[-1] if self.loss == "gaussian" else job.scale[-1, 0]
        return trained


def _losses(trained: Trained) -> dict[str, float]:
    """The mean loss of the samples in the first and the last epoch, and how many epochs there were."""
    known = trained.losses[np.isfinite(trained.losses)]
    first, last = (float(known[0]), float(known[-1])) if len(known) else (np.nan, np.nan)
    return {"loss_first": first, "loss": last, "epochs": len(known)}


def _inputs(bars: pd.DataFrame, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The features (bars, F) and the log returns (bars,) of a whole frame, computed once for all its windows."""
    return np.ascontiguousarray(features(bars, names)), log_returns(bars).to_numpy()
