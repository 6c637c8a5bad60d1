"""The bars of one name on the calendar of all of them, as a backtrader feed."""

from __future__ import annotations

from ..feed import ActionFeed, ForecastFeed


class NameFeed(ForecastFeed):
    """A `ForecastFeed` with a line that says whether the name has a bar of its own on the date.

    status: UNLISTED before its first bar, BAR on a bar, PAUSED on a date between two bars, ENDED after its last one;
            the numbers are those of `portfolio.calendar`.

    Every feed of a panel has a bar on every date, because backtrader forgets a name's last price where feeds of
    different lengths meet `exactbars=1`, and starts no strategy before the last name is listed.
    """

    lines = ("status",)
    params = (("status", "status"),)


class NameActionFeed(ActionFeed):
    """A `NameFeed` of prices as traded, with what the ex-dates did to a holding."""

    lines = ("status",)
    params = (("status", "status"),)
