"""A learner of quantiles: the median, the smaller the wider the interval around it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import QuantileRegressor

from rollcast import Learner
from rollcast.predictors.features import features, next_returns


@dataclass
class Quantiles(Learner):
    """The median of the next return, over the width of the interval from the lowest to the highest tenth.

    size: the forecast, in log return, where the median is as large as the interval is wide.
    """

    size: float = 0.001

    def fit(self, bars):
        x, y = features(bars)[1:-1], next_returns(bars)[1:-1]
        self.models_ = [QuantileRegressor(quantile=q, alpha=1e-4).fit(x, y) for q in (0.1, 0.5, 0.9)]
        return self

    def predict(self, bars):
        low, median, high = (model.predict(np.nan_to_num(features(bars))) for model in self.models_)
        return pd.Series(median / np.maximum(high - low, 1e-6) * self.size, index=bars.index)
