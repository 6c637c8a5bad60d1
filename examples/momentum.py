"""The smallest predictor: the average return so far goes on."""

from dataclasses import dataclass

import numpy as np

from rollcast import Predictor


@dataclass(frozen=True)
class Momentum(Predictor):
    """Average log return per bar over the last `window` bars."""

    window: int = 50

    def predict(self, bars):
        return np.log(bars["close"]).diff(self.window) / self.window
