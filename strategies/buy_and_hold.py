"""Buy and hold."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from .actions import actions_of
from .rule import NameRule, NameState


@dataclass
class BuyAndHold(NameRule):
    """Fully invested from the first forecast on, whatever it says: the benchmark of every tear sheet."""

    def decide(self, state: NameState) -> float | None:
        return 1.0


def holding(bars: pd.DataFrame) -> dict[str, float]:
    """The parameters of the benchmark on these bars: where dividends are paid in cash, they are put back as they come.

    With the usual tolerance they would lie idle until they are a tenth of the account.
    """
    return {} if actions_of(bars) is None else {"tolerance": 0.005}
