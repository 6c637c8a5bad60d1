"""A learner: scikit-learn's scaler and ridge regression in a pipeline, refitted on a rolling past."""

from dataclasses import dataclass

import pandas as pd
from sklearn import linear_model
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rollcast import Learner
from rollcast.predictors.features import features, lookbacks, next_returns


@dataclass
class Ridge(Learner):
    """Next return on the features of the last `lags` bars, weights shrunk towards zero by `penalty`.

    lags:    bars read for one forecast.
    penalty: scikit-learn's alpha, of features in standard deviations.
    """

    lags: int = 5
    penalty: float = 100.0

    def fit(self, bars):
        # The scaler is fitted on the training slice, because the pipeline is. The last bar has no target yet.
        self.model_ = make_pipeline(StandardScaler(), linear_model.Ridge(alpha=self.penalty))
        self.model_.fit(self.inputs(bars)[:-1], next_returns(bars)[self.lags : -1])
        return self

    def predict(self, bars):
        # The first bar has no return, so the first `lags` bars have no forecast.
        forecast = self.model_.predict(self.inputs(bars)) if len(bars) > self.lags else []
        return pd.Series(forecast, index=bars.index[self.lags :], dtype=float).reindex(bars.index)

    def inputs(self, bars):
        rows = lookbacks(features(bars)[1:], self.lags)
        return rows.reshape(len(rows), -1)  # (bars - lags, lags · features)
