"""What a sample could have shown: the smallest effect that is seen with 80 % power, and how long until one is seen.

Notation: an effect is tested one-sided against 0 by its t = effect/error, and seen where t is above a needed one.
"""

from __future__ import annotations

import math

from scipy.special import ndtri

SURE = 0.95  # a probability from which on an answer is yes
SURE_T = 1.645  # the same of a normal t, one-sided
POWER = 0.80
REACH = float(ndtri(POWER))  # standard errors by which the true effect must lie above what is needed


def smallest(error: float, needed_t: float = SURE_T) -> float:
    """The smallest true effect that is seen with a probability of 80 %, from the standard error of its estimate.

    >>> round(smallest(0.02), 4)
    0.0497
    """
    return (needed_t + REACH) * error


def years_more(t: float, years: float, needed_t: float = SURE_T) -> float:
    """Further years until an effect with this t would be seen with 80 %, if it is what it seems: t ∝ √years.

    NaN where the effect is not above 0: then no length would show it. 0 where it would be seen in these years.

    >>> round(years_more(1.2, 10.0), 1)
    32.9
    """
    if not t > 0:
        return math.nan
    return max(0.0, years * ((needed_t + REACH) / t) ** 2 - years)
