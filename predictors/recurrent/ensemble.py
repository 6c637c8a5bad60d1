"""The forecasts of an ensemble: several nets that differ in their initial weights alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class EnsembleForecast:
    """The forecasts of consecutive bars by every net of an ensemble.

    members: shape (bars, nets, O). O is 1, the expected return; for a Gaussian loss it is 2, and the second is the
             forecast standard deviation of the return.
    """

    members: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The forecast: the mean over the nets, (bars,)."""
        return self.members[..., 0].mean(axis=1)

    @property
    def spread(self) -> np.ndarray:
        """The standard deviation over the nets, (bars,): how much a forecast depends on the initial weights."""
        return self.members[..., 0].std(axis=1, ddof=min(1, self.members.shape[1] - 1))

    @property
    def deviation(self) -> np.ndarray:
        """The forecast standard deviation of the return, (bars,): √(mean of σ² + variance of the means).

        That is the standard deviation of an equal mixture of the nets' normal distributions.

        Raises ValueError unless the loss is gaussian.
        """
        if self.members.shape[2] < 2:
            raise ValueError("only a net with loss=gaussian forecasts a standard deviation")
        return np.sqrt((self.members[..., 1] ** 2).mean(axis=1) + self.members[..., 0].var(axis=1))
