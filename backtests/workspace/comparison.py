"""Runs several predictors on the same bars, each with a folder in the workspace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from ..comparison import Comparison, Entrant, summarise
from ..ledger.trial_key import Row
from ..run_folder import RunFolder
from ..sweep.trial_rows import date_of
from .workspace import label, ledger_of, write


def compare(
    entrants: Sequence[Entrant], out: Path, progress: Callable[[str, int, int], None] | None = None
) -> Comparison:
    """Runs every request on the same bars, from the first date on which all have a forecast.

    out:      the workspace, in which each run gets a folder; none is left where one run fails.
    progress: called with (entrant, refits done, refits in all).

    All runs are recorded in the ledger before any sheet is written, so that each sheet counts all of them. Raises what
    `Request.run` raises.
    """
    base = entrants[0].requests[0]
    base.check_rule()
    market = base.market()
    report = progress or (lambda name, count, total: None)
    with ExitStack() as stack:
        requests = [(entrant, request) for entrant in entrants for request in entrant.requests]
        folders = [stack.enter_context(RunFolder(out, label(request))) for _, request in requests]
        ledger = ledger_of(out)
        ledger.runs(limit=1)
        forecasts = [request.predict(market, partial(report, entrant.name)) for entrant, request in requests]
        since = max(one.first for one in forecasts)
        since = since if base.since is None else max(since, pd.Timestamp(base.since))
        date = date_of(since)
        dated = [replace(request, since=date) for _, request in requests]
        results = [request.trade(one) for request, one in zip(dated, forecasts, strict=True)]
        for result, folder in zip(results, folders, strict=True):
            ledger.record(Row.of(result), folder.final)
        runs = list(zip(dated, results, folders, strict=True))
        written = [write(request, result, out, folder) for request, result, folder in runs]
        paths = [folder.finish() for folder in folders]
    finished, start = [], 0
    for entrant in entrants:
        span = slice(start, start := start + len(entrant.requests))
        finished.append(Entrant(entrant.name, tuple(dated[span]), tuple(written[span]), tuple(paths[span])))
    return summarise(finished)
