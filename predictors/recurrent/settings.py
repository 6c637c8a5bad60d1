"""The hyper-parameters that all recurrent learners have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from ..features import FEATURES, check_features
from ..validation import at_least, between, one_of
from .jobs import LOSSES, Plan

TARGETS = ("standard", "std", "raw")


@dataclass
class RecurrentSettings(ABC):
    """The hyper-parameters of an ensemble of recurrent nets.

    lookback: bars read for one forecast; the default is a trading month.
    hidden:   units of a hidden state. A thousand bars with hardly any signal do not support more than the default.
    epochs:   passes over the training samples. Three times as many overfit: see docs/recurrent-nets.md.
    batch:    samples for one step of Adam; 0 for all of them. With targets this noisy, small batches gain nothing.
    lr:       learning rate of Adam. With ten full batches, forecasts of different seeds agree best near 0.01 (their
              correlation is 0.8).
    clip:     the largest norm of a gradient; a larger one is scaled down to it, since gradients of recurrent nets can
              explode.
    weight_decay: decoupled weight decay (AdamW), as a rate: a step shrinks every weight by lr · weight_decay.
    dropout:  probability with which an input of the head, or of any layer but the first, is dropped in training.
    loss:     mse; huber, linear beyond one standard deviation, for fat tails; or gaussian, the negative log likelihood
              of a normal distribution of which the net forecasts mean and variance.
    target:   how returns are scaled for training. standard: less the slice's mean, over its standard deviation. std:
              over the standard deviation only, so that a net without information forecasts zero. raw: as they are.
    validation: fraction of the samples, the latest ones, held out for early stopping; a gap of one lookback separates
              them from the training samples.
    patience: epochs without an improvement of the validation loss before training stops.
    warm:     0 to train every window from random weights. Otherwise a window starts from the weights of the window
              before and trains for this many epochs. That is cheaper, but makes windows depend on one another.
    features: the inputs, some of return, range, gap and volume, each scaled by the training slice.
    seeds:    number of nets, which differ in their initial weights; the forecast is their mean. A single net's forecast
              depends too much on its initial weights.
    seed:     seed of the first net, combined with the date of the fit.
    device:   cpu, cuda, or auto (cuda where there is one and it is modelled to be quicker).
    diverged: what happens to a net whose loss is not finite. raise: FloatingPointError; mean: it forecasts the slice's
              mean return.

    Raises TypeError and ValueError for a field of another type or out of its range.
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
        for name, highest in (("weight_decay", float("inf")), ("dropout", 0.9), ("validation", 0.9)):
            between(name, getattr(self, name), 0, highest)
        one_of("loss", self.loss, LOSSES)
        one_of("target", self.target, TARGETS)
        one_of("device", self.device, ("auto", "cpu", "cuda"))
        one_of("diverged", self.diverged, ("raise", "mean"))
        check_features(self.features)

    @abstractmethod
    def plan(self) -> Plan:
        """The architecture and the training of the net."""
