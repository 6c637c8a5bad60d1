"""A server on this machine that answers yfinance as Yahoo would, or fails as Yahoo fails, by the ticker asked for."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd

NOT_FOUND = {"code": "Not Found", "description": "No data found, symbol may be delisted"}


def answer(
    ticker: str, rows: pd.DataFrame, interval: str = "1d", *, session_ends: pd.Timestamp | None = None
) -> dict[str, Any]:
    """Yahoo's chart of rows as traded (`dividend`, `split` where there are any): adjusted for splits, dated by starts.

    session_ends: the end of the current regular session, UTC; long past by default.
    """
    zone = "UTC" if ticker.endswith("-USD") else "America/New_York"
    ratio = np.where(rows["split"] > 0, rows["split"], 1.0)
    from_here = np.cumprod(ratio[::-1])[::-1]
    later = from_here / ratio
    starts = rows.index if interval != "1d" or zone == "UTC" else rows.index + pd.Timedelta("9h30min")
    stamps = [int(stamp.timestamp()) for stamp in starts.tz_localize(zone)]
    quote = {name: _plain(rows[name] / later) for name in ("open", "high", "low", "close")}
    quote["volume"] = _plain(rows["volume"] * later)
    close, paid = (rows["close"] / later).to_numpy(), (rows["dividend"] / from_here).to_numpy()
    kept = np.nan_to_num(1 - paid[1:] / close[:-1], nan=1.0)
    adjusted = close * np.append(np.cumprod(kept[::-1])[::-1], 1.0)
    events = {
        "dividends": {str(s): {"amount": d, "date": s} for s, d in zip(stamps, paid, strict=True) if d},
        "splits": {
            str(s): {"date": s, "numerator": r, "denominator": 1.0}
            for s, r in zip(stamps, ratio, strict=True)
            if r != 1
        },
    }
    ends = int(session_ends.timestamp()) if session_ends is not None else stamps[-1]
    meta = _meta(ticker, zone, interval, stamps, ends)
    if interval != "1d":
        meta["tradingPeriods"] = [[_session(day, zone)] for day in rows.index.normalize().unique()]
    indicators: dict[str, Any] = {"quote": [quote]}
    if interval == "1d":
        indicators["adjclose"] = [{"adjclose": _plain(pd.Series(adjusted))}]
    result = {"meta": meta, "timestamp": stamps, "events": events, "indicators": indicators}
    return {"chart": {"result": [result], "error": None}}


class Yahoo:
    """The server. `charts`: ticker → what makes its chart from the query; other tickers fail as they are called."""

    def __init__(self) -> None:
        self.charts: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {}
        self.asked: Counter[str] = Counter()
        self.queries: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                outer.handle(self)

            do_POST = do_GET

        self.closed = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        url = urlsplit(request.path)
        if not url.path.startswith("/v8/finance/chart/"):
            return _send(request, 200, b"CRUMB" if url.path.endswith("getcrumb") else b"ok")
        ticker = url.path.rsplit("/", 1)[1]
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.asked[ticker] += 1
        self.queries.append((ticker, query))
        kind = ticker.partition("-")[0] if ticker not in self.charts else ""
        if kind == "FLAKY" and self.asked[ticker] > 2:
            kind, ticker = "", "AAPL"
        if kind == "HANG":
            self.closed.wait()
        if kind in ("RATE", "FLAKY"):
            return _send(request, 429, b"Too Many Requests")
        if kind.startswith("ERR"):
            return _send(request, int(kind[3:]), b"Internal Server Error")
        if kind == "PAST" and query.get("range") != "1d":
            error = {"code": "Unprocessable Entity", "description": "1m data not available for startTime=1"}
            return _send(request, 422, json.dumps({"chart": {"result": None, "error": error}}).encode())
        if kind == "NONE":
            return _send(request, 200, json.dumps({"chart": {"result": None, "error": None}}).encode())
        if kind not in ("", "CUT", "EMPTY", "PAST"):
            return _send(request, 404, json.dumps({"chart": {"result": None, "error": NOT_FOUND}}).encode())
        content = json.dumps(self.charts["AAPL" if kind else ticker](query))
        if kind == "EMPTY" and query.get("range") != "1d":
            chart = json.loads(content)
            chart["chart"]["result"][0]["indicators"]["quote"][0] = {}
            content = json.dumps(chart)
        return _send(request, 200, content.encode()[: 5000 if kind == "CUT" and query.get("range") != "1d" else None])


def serve(ticker: str, rows: pd.DataFrame, interval: str = "1d", **more: Any) -> Callable[[dict[str, str]], dict]:
    """A chart of rows that keeps to the range asked for, adjusted for every split there is."""

    def chart(query: dict[str, str]) -> dict[str, Any]:
        whole = answer(ticker, rows, interval, **more)
        if "period1" not in query:
            return whole
        result = whole["chart"]["result"][0]
        first, last = int(query["period1"]), int(query["period2"])
        inside = [first <= stamp < last for stamp in result["timestamp"]]
        for values in (result["indicators"]["quote"][0], result["indicators"].get("adjclose", [{}])[0]):
            for name in values:
                values[name] = [value for value, keep in zip(values[name], inside, strict=True) if keep]
        result["timestamp"] = [stamp for stamp, keep in zip(result["timestamp"], inside, strict=True) if keep]
        for events in result["events"].values():
            for stamp in [stamp for stamp in events if not first <= int(stamp) < last]:
                del events[stamp]
        return whole

    return chart


def connector(base: str) -> Callable[[], Any]:
    """What makes sessions that go to the server instead of Yahoo, and nowhere else."""
    from curl_cffi import requests

    class Loopback(requests.Session):
        def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
            parts = urlsplit(url)
            assert (parts.hostname or "").endswith("yahoo.com"), url
            return super().request(method, f"{base}{parts.path}?{parts.query}", *args, **options)

    return Loopback


def _send(request: BaseHTTPRequestHandler, status: int, content: bytes) -> None:
    try:
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the client gave up, as it should


def _plain(values: pd.Series) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _meta(ticker: str, zone: str, interval: str, stamps: list[int], ends: int) -> dict[str, Any]:
    span = {"timezone": "X", "start": ends - 23400, "end": ends, "gmtoffset": 0}
    return {
        **{"currency": "USD", "symbol": ticker, "instrumentType": "CRYPTOCURRENCY" if zone == "UTC" else "EQUITY"},
        **{"exchangeName": "CCC" if zone == "UTC" else "NMS", "exchangeTimezoneName": zone, "timezone": "X"},
        **{"firstTradeDate": stamps[0], "regularMarketTime": stamps[-1], "gmtoffset": 0, "priceHint": 2, "range": ""},
        **{"regularMarketPrice": 1.0, "dataGranularity": interval, "validRanges": ["1d", "max"]},
        **{"currentTradingPeriod": {name: dict(span) for name in ("pre", "regular", "post")}},
        "hasPrePostMarketData": zone != "UTC",
    }


def _session(day: pd.Timestamp, zone: str) -> dict[str, Any]:
    start, end = (int((day + pd.Timedelta(hours=h)).tz_localize(zone).timestamp()) for h in (9.5, 16))
    return {"timezone": "X", "gmtoffset": 0, "start": start, "end": end}
