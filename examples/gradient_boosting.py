"""A learner that is not linear: scikit-learn's gradient-boosted trees, refitted on a rolling past."""

from dataclasses import dataclass

import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from rollcast import Learner
from rollcast.predictors.features import features, next_returns


@dataclass
class GradientBoosting(Learner):
    """Next return on the features of the bar, by boosted trees.

    trees: how many.   leaves: of each tree.   rate: by which each one corrects those before it.   seed: of the trees.
    """

    trees: int = 30
    leaves: int = 8
    rate: float = 0.05
    seed: int = 0

    @classmethod
    def tiny(cls):
        """A small one, for the checks."""
        return cls(trees=5, leaves=4)

    def fit(self, bars):
        # No early stopping: scikit-learn would stop on a random part of the slice, later bars among earlier ones.
        self.model_ = HistGradientBoostingRegressor(
            max_iter=self.trees,
            max_leaf_nodes=self.leaves,
            learning_rate=self.rate,
            early_stopping=False,
            random_state=self.seed,
        )
        self.model_.fit(features(bars)[1:-1], next_returns(bars)[1:-1])
        return self

    def predict(self, bars):
        return pd.Series(self.model_.predict(features(bars)), index=bars.index)
