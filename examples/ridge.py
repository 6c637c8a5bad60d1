"""A learner: ridge regression of the next return on the last returns, refitted on a rolling past."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from predictors import Learner
from predictors.bars import log_returns
from predictors.features import lookbacks


@dataclass
class Ridge(Learner):
    """Next return on the last `lags` returns, weights shrunk towards zero by `penalty`.

    lags:    returns read for one forecast, in bars.
    penalty: added to the diagonal of X'X, in units of the number of samples.
    """

    lags: int = 10
    penalty: float = 1.0

    def fit(self, bars):
        returns = log_returns(bars).to_numpy()[1:, None]
        self.scale_ = returns.std() or 1.0  # prices that never moved
        x = lookbacks(returns / self.scale_, self.lags)[:-1, :, 0]  # (N, lags): the last row has no target yet
        y = returns[self.lags :, 0]
        self.weights_ = np.linalg.solve(x.T @ x + self.penalty * len(x) * np.eye(self.lags), x.T @ y)
        return self

    def predict(self, bars):
        returns = log_returns(bars).to_numpy()[:, None]
        forecast = np.full(len(bars), np.nan)
        if len(bars) > self.lags:
            forecast[self.lags :] = lookbacks(returns / self.scale_, self.lags)[1:, :, 0] @ self.weights_
        return pd.Series(forecast, index=bars.index)
