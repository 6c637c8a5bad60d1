"""The recurrent learner: windows are trained as jobs, and the forecast is the mean of an ensemble of nets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd

from .. import training_log
from ..base import Learner
from ..training_log import TrainingLog
from ..window import Window
from . import gpu_choice, pooled, trainer
from .ensemble import EnsembleForecast
from .jobs import Job, Trained
from .settings import RecurrentSettings
from .window_jobs import Inputs, walk_forward_jobs, window_jobs


@dataclass
class Recurrent(RecurrentSettings, Learner):
    """An ensemble of recurrent nets on the last `lookback` bars; the fields are those of `RecurrentSettings`."""

    @property
    def chained(self) -> bool:
        return self.warm > 0

    def fit(self, bars: pd.DataFrame) -> Self:
        """Trains every net on these bars.

        Raises ValueError for too few bars, and FloatingPointError where a net's loss is not finite, unless
        `diverged` is mean.
        """
        window = Window(bars, 0, len(bars), len(bars))
        jobs = window_jobs(self, Inputs.of(bars, self.features), window, window.date)
        self.weights_ = np.stack([trained.weights for trained in self._train(jobs)])  # (seeds, P)
        self.scale_ = jobs[0].scale
        return self

    def fit_many(self, slices: Sequence[pd.DataFrame]) -> list[Self]:
        """As `predictors.pooled.FitsMany.fit_many`: the same nets for every slice, each slice with a scale of its own.

        Raises ValueError for `validation` and `warm`, which are not defined for several symbols.
        """
        for name in ("validation", "warm"):
            if getattr(self, name):
                raise ValueError(f"pooled nets are trained from scratch on every sample; set {name}=0")
        date = max(bars.index[-1] for bars in slices)
        windows = [Window(bars, 0, len(bars), len(bars)) for bars in slices]
        jobs = [window_jobs(self, Inputs.of(w.bars, self.features), w, date) for w in windows]  # [slice][net]
        nets = pooled.train(self.plan(), list(zip(*jobs, strict=True)), self.device)
        weights = np.stack([self._resolved(job, net).weights for job, net in zip(jobs[0], nets, strict=True)])
        models = [replace(self) for _ in slices]
        for model, slice_jobs in zip(models, jobs, strict=True):
            model.weights_, model.scale_ = weights, slice_jobs[0].scale
        if (log := training_log.current()) is not None:
            log.windows += [{"date": date, "net": i} | net.loss_summary() for i, net in enumerate(nets)]
        return models

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        forecast = pd.Series(np.nan, index=bars.index, name="forecast")
        if len(bars) > self.lookback:
            forecast.iloc[self.lookback :] = self.predict_nets(bars).mean
        return forecast

    def predict_block(self, window: Window) -> pd.Series:
        """The last `window.block` values of `predict(window.model_bars)`, without computing the others."""
        return self.predict(window.bars.iloc[window.split - 1 - self.lookback : window.stop]).iloc[self.lookback :]

    def predict_nets(self, bars: pd.DataFrame) -> EnsembleForecast:
        """The forecasts of every fitted net at all bars from number `lookback` on (the first bar has no return)."""
        inputs = Inputs.of(bars, self.features)
        # A job without epochs that starts from the fitted weights only forecasts.
        bounds = 1, self.lookback + 1, len(bars)
        jobs = [
            Job(inputs.rows, inputs.returns, self.scale_, *bounds, 0, 0, bars.index[-1], weights)
            for weights in self.weights_
        ]
        return EnsembleForecast(np.stack([trained.forecast for trained in self._train(jobs)], axis=1))

    def forecast(self, windows: Sequence[Window]) -> Iterator[tuple[int, pd.Series]]:
        """As `Learner.forecast`, with the nets of all windows trained together.

        Raises what `fit` raises.
        """
        for k, ensemble in self.forecast_nets(windows):
            yield k, pd.Series(ensemble.mean, index=windows[k].block_index)

    def forecast_nets(self, windows: Sequence[Window]) -> Iterator[tuple[int, EnsembleForecast]]:
        """`(position in windows, every net's forecasts of the block)` as windows end; `forecast` is their mean.

        Raises what `fit` raises.
        """
        order, jobs = self.jobs(windows)
        forecasts: list[dict[int, np.ndarray]] = [{} for _ in windows]  # by net
        log = training_log.current()
        spreads: dict[int, pd.Series] = {}
        nets: dict[int, Trained] = {}  # by position in jobs; without their forecasts
        for position, trained in trainer.train(self.plan(), jobs, self.device):
            k, net = order[position]
            forecasts[k][net] = self._resolved(jobs[position], trained).forecast
            if log is not None:
                nets[position] = replace(trained, forecast=np.empty(0))
            if len(forecasts[k]) == self.seeds:
                # Stacked in the order of the nets: they end in any order, and the rounding of a mean depends on it.
                ensemble = EnsembleForecast(np.stack([forecasts[k].pop(i) for i in range(self.seeds)], axis=1))
                if log is not None and self.seeds > 1:
                    spreads[k] = pd.Series(ensemble.spread, windows[k].block_index)
                yield k, ensemble
        if log is not None:
            log.spreads += [spreads[k] for k in sorted(spreads)]
            self._record(log, windows, order, jobs, nets)

    def jobs(self, windows: Sequence[Window]) -> tuple[list[tuple[int, int]], list[Job]]:
        """As `walk_forward_jobs`: (position in windows, net) of every training in its order, and the jobs.

        Raises ValueError where a window is too short to train on.
        """
        return walk_forward_jobs(self, windows)

    def _record(
        self,
        log: TrainingLog,
        windows: Sequence[Window],
        order: Sequence[tuple[int, int]],
        jobs: Sequence[Job],
        nets: Mapping[int, Trained],
    ) -> None:
        """Records losses and states in the order of the jobs, whatever the order in which they ended."""
        for position in sorted(nets):
            record: dict[str, object] = {"date": jobs[position].date, "net": order[position][1]}
            log.windows.append(record | nets[position].loss_summary())
        try:
            # In the function, because it imports torch, which a learner does not need.
            from .states import block_states
        except (ImportError, OSError) as error:  # OSError: one of torch's libraries cannot be loaded
            gpu_choice.say(f"recurrent nets: gates and states are not recorded: torch cannot be imported ({error})")
            return
        weights = {position: trained.weights for position, trained in nets.items()}
        log.states += block_states(self.plan(), windows, [k for k, _ in order], jobs, weights)

    def _train(self, jobs: Sequence[Job]) -> list[Trained]:
        trained = dict(trainer.train(self.plan(), jobs, self.device))
        return [self._resolved(job, trained[k]) for k, job in enumerate(jobs)]

    def _resolved(self, job: Job, trained: Trained) -> Trained:
        """The trained net; where it diverged, raises or lets it forecast the mean return, as `diverged` says."""
        if not trained.diverged:
            return trained
        if self.diverged == "raise":
            raise FloatingPointError(
                f"the loss of the window fitted on {job.date} is not a number; try a smaller lr or clip, or let such a "
                "net forecast its slice's mean return with diverged=mean"
            )
        trained.forecast[:] = job.scale[-1] if self.loss == "gaussian" else job.scale[-1, 0]
        return trained
