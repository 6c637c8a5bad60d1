"""A learner of the direction: the probability of a rise, as an expected return."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from rollcast import Learner
from rollcast.predictors.features import features, next_returns


@dataclass
class Classifier(Learner):
    """The probability of a rise less that of a fall, times the mean size of a move.

    weight: the inverse of the penalty of logistic regression.
    """

    weight: float = 10.0

    def fit(self, bars):
        x, y = features(bars)[1:-1], next_returns(bars)[1:-1]
        self.size_ = float(np.abs(y).mean())
        # Prices that never rise, or never fall, are of one class, which no classifier can be fitted to.
        self.share_ = float((y > 0).mean())
        self.model_ = LogisticRegression(C=self.weight).fit(x, y > 0) if 0 < self.share_ < 1 else None
        return self

    def predict(self, bars):
        rise = np.full(len(bars), self.share_)
        if self.model_ is not None:
            rise = self.model_.predict_proba(np.nan_to_num(features(bars)))[:, 1]
        return pd.Series((2 * rise - 1) * self.size_, index=bars.index)
