"""A learner that chooses its penalty by cross-validation in time, inside every training slice."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn import linear_model
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rollcast import Learner
from rollcast.predictors.features import features, next_returns


@dataclass
class Grid(Learner):
    """Ridge regression whose penalty is the best of three, by cross-validation in time.

    folds: of the cross-validation, each validated on the bars after those it is fitted on.
    """

    folds: int = 3

    def fit(self, bars):
        ridge = make_pipeline(StandardScaler(), linear_model.Ridge())
        penalties = {"ridge__alpha": [0.1, 10.0, 1000.0]}
        self.model_ = GridSearchCV(ridge, penalties, cv=TimeSeriesSplit(self.folds))
        # The first bar has no return, and the last no target yet.
        self.model_.fit(features(bars)[1:-1], next_returns(bars)[1:-1])
        return self

    def predict(self, bars):
        return pd.Series(self.model_.predict(np.nan_to_num(features(bars))), index=bars.index)
