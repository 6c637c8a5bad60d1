"""Downloads from Yahoo by yfinance: complete or an error, which names its cause."""

from __future__ import annotations

import contextlib
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Protocol
from urllib.parse import quote

import pandas as pd

from .yahoo_rows import INTERVALS, Download, Metadata, YahooError, as_traded

META = ("exchangeName", "exchangeTimezoneName", "currency", "instrumentType", "currentTradingPeriod")
RETRIED = (429, 500, 502, 503, 504)


class Answer(Protocol):
    """An answer to an HTTP request, of which its status is read here."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""


class Session(Protocol):
    """An HTTP session of yfinance, of which `request` is replaced."""

    request: Callable[..., Answer]


@dataclass
class Line:
    """The connection: it bounds every request by the time left, and remembers the status of the last answer.

    deadline: seconds for the whole download; timeout: seconds for one request.
    """

    deadline: float = 60.0
    timeout: float = 10.0
    status: int | None = None
    start: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - (time.monotonic() - self.start)

    def bound(self, session: Session) -> Session:
        """The session, each of whose requests ends at the deadline and sets `status`.

        Such a request raises TimeoutError after the deadline.
        """
        request = session.request

        def bounded(method: str, url: str, *args: object, **options: object) -> Answer:
            """The session's `request`, with a timeout. Raises TimeoutError after the deadline."""
            if self.left() <= 0:
                raise TimeoutError("the deadline has passed")
            options["timeout"] = min(self.timeout, max(self.left(), 0.05))
            answer = request(method, url, *args, **options)
            if "/chart/" in url:
                self.status = answer.status_code
            return answer

        session.request = bounded
        return session


def download(
    ticker: str,
    interval: str = "1d",
    since: pd.Timestamp | None = None,
    *,
    connect: Callable[[], Session] | None = None,
    deadline: float = 60.0,
    timeout: float = 10.0,
    pause: float = 1.0,
) -> Download:
    """All bars of a ticker, or those from `since` on, without a bar that is still being traded.

    connect: makes the session, yfinance's own by default; deadline, timeout: seconds for the whole download and for one
    request; pause: seconds before the second attempt, doubled before each later one.

    Raises YahooError naming the cause: unknown ticker, rate limit, server error, no answer, broken answer, no bars.
    """
    if interval not in INTERVALS:
        raise YahooError(f"Yahoo has no bars of {interval!r}; it has {', '.join(INTERVALS)}")
    line = Line(deadline, timeout)
    for attempt in range(8):
        line.status = None
        try:
            frame, meta = _history(ticker, interval, since, line, connect)
            return as_traded(frame, meta, interval, ticker)
        except YahooError:
            raise
        except Exception as error:  # yfinance, its HTTP client and json raise a dozen kinds
            wait = pause * 2**attempt
            if not _worth_retrying(error, line.status) or line.left() < wait or attempt == 7:
                raise YahooError(_cause(ticker, error, line, attempt + 1)) from error
        time.sleep(wait)
    raise AssertionError("unreachable")


def _history(
    ticker: str, interval: str, since: pd.Timestamp | None, line: Line, connect: Callable[[], Session] | None
) -> tuple[pd.DataFrame, Metadata]:
    """One attempt at the download: yfinance's frame, and what it says of the ticker. Raises yfinance's errors."""
    import yfinance
    from yfinance._http import new_session

    with _loud(yfinance):
        yfinance.data.YfData.cache_get.cache_clear()  # it would answer a retry with the failure it remembers
        asset = yfinance.Ticker(quote(ticker, safe="^="), session=line.bound((connect or new_session)()))
        span = {"period": "max"} if since is None else {"start": since.strftime("%Y-%m-%d")}
        frame = asset.history(
            **span, interval=interval, auto_adjust=False, actions=True, keepna=True, timeout=line.timeout
        )
        metadata = asset.get_history_metadata()
        wanted = META if interval == "1d" else (*META, "tradingPeriods")  # asking for it makes a request
        return frame, {key: metadata.get(key) for key in wanted}


@contextlib.contextmanager
def _loud(yfinance: ModuleType) -> Iterator[None]:
    """Within it yfinance raises errors instead of logging them, and does not warn; then its settings are restored."""
    debug, logger = yfinance.config.debug, logging.getLogger("yfinance")
    hidden, level = debug.hide_exceptions, logger.level
    debug.hide_exceptions = False
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas 3.1's deprecations in yfinance 1.7
            yield
    finally:
        debug.hide_exceptions = hidden
        logger.setLevel(level)


def _worth_retrying(error: Exception, status: int | None) -> bool:
    """Whether a failure may be gone at the next attempt; status: of the last answer, None for no answer."""
    if status in RETRIED or type(error).__name__ == "YFRateLimitError":
        return True
    name = type(error).__name__
    broken = isinstance(error, ValueError) and "JSON" in name
    return status is None or (status == 200 and (broken or isinstance(error, OSError)))


def _cause(ticker: str, error: Exception, line: Line, tries: int) -> str:
    """The line that names the cause of a failure, and the number of attempts."""
    after = f" after {tries} {'try' if tries == 1 else 'tries'}"
    name = type(error).__name__
    if line.status == 429 or name == "YFRateLimitError":
        return f"Yahoo refuses {ticker}{after}: too many requests (429); wait some minutes"
    if line.status == 404:
        return f"Yahoo knows no {ticker!r}; look the ticker up at finance.yahoo.com"
    if name in ("YFPricesMissingError", "YFTzMissingError"):
        return f"Yahoo has no bars of {ticker}: {_first(error)}"
    if line.status is not None and line.status >= 400:
        return f"Yahoo's server failed for {ticker}{after}: status {line.status}"
    if isinstance(error, TimeoutError) or "Timeout" in name or "timed out" in str(error):
        return f"Yahoo did not answer for {ticker} within {line.deadline:.0f} s{after}"
    if line.status is None:
        return f"Yahoo cannot be reached for {ticker}{after}: {_first(error)}"
    if isinstance(error, ValueError) and "JSON" in name:
        return f"Yahoo's answer for {ticker} broke off{after}: {_first(error)}"
    return f"Yahoo's answer for {ticker} cannot be read{after}: {name}: {_first(error)}"


def _first(error: Exception) -> str:
    """The first line of an error, without addresses."""
    return (str(error).splitlines() or ["no reason given"])[0].partition(" See http")[0][:200]
