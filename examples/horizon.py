"""A learner of a longer horizon than one bar: its target is a mean, and the last bars of a slice have none."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn import linear_model

from rollcast import Learner
from rollcast.predictors.features import features


@dataclass
class Horizon(Learner):
    """The mean return of the next bars, by ridge regression.

    bars_ahead: number of bars.
    """

    bars_ahead: int = 5

    def fit(self, bars):
        close = np.log(bars["close"].to_numpy())
        target = (close[self.bars_ahead :] - close[: -self.bars_ahead]) / self.bars_ahead
        # The last `bars_ahead` bars have no target inside the slice, and are left out.
        self.model_ = linear_model.Ridge(alpha=1e-3).fit(features(bars)[1 : -self.bars_ahead], target[1:])
        return self

    def predict(self, bars):
        return pd.Series(self.model_.predict(np.nan_to_num(features(bars))), index=bars.index)
