"""A learner made of other predictors and learners, by their names."""

from dataclasses import dataclass

from rollcast import Learner, load


@dataclass
class Ensemble(Learner):
    """The mean of the forecasts of two built-in models.

    first:  the name of one, fitted if it is a learner.
    second: that of the other.
    """

    first: str = "ols-features"
    second: str = "ema"

    def fit(self, bars):
        self.models_ = [load(self.first), load(self.second)]
        for model in self.models_:
            if isinstance(model, Learner):
                model.fit(bars)
        return self

    def predict(self, bars):
        return sum(model.predict(bars) for model in self.models_) / len(self.models_)
