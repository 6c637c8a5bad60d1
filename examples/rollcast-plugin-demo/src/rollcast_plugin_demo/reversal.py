"""A predictor: part of what the last bars brought is given back."""

from dataclasses import dataclass

import numpy as np

from rollcast import Predictor


@dataclass(frozen=True)
class Reversal(Predictor):
    """Minus a share of the average log return per bar over the last `window` bars.

    window: bars averaged over.
    share:  of that average, given back in the next bar.
    """

    window: int = 5
    share: float = 0.2

    def __post_init__(self):
        if self.window < 1:
            raise ValueError(f"window must be at least 1; got {self.window}")

    def predict(self, bars):
        return -self.share * np.log(bars["close"]).diff(self.window) / self.window
