"""The page of a workspace: every run in its ledger, newest first, with a link to its sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rollcast.backtests.atomic import write_whole
from rollcast.backtests.ledger.database import NAME
from rollcast.backtests.ledger.ledger import Ledger
from rollcast.backtests.sheet.page import render

PAGE, SHEET, COMPARISON, SWEEP = "index.html", "tearsheet.html", "comparison.html", "sweep.html"
MOST_RUNS = 2_000  # on the page; the ledger has them all


def write_index(out: Path) -> Path:
    """Writes index.html of a workspace, over an older one; returns it.

    Written again where a run was recorded meanwhile, so that of several writers the last leaves them all in it.
    """
    ledger, page = Ledger(out / NAME), out / PAGE
    seen = None
    while (newest := _newest(ledger)) != seen:
        seen = newest
        write_whole(page, render("index.html", **context(ledger, out)).encode(), lasting=False)
    return page


def context(ledger: Ledger, out: Path) -> dict[str, Any]:
    """What the template shows."""
    runs = ledger.runs(limit=MOST_RUNS)
    runs = runs[runs["folder"].notna()]  # a sweep's variants have no folder each
    tried = ledger.summary()
    pages = {
        kind: sorted((page.parent.name for page in out.glob(f"*/{name}")), reverse=True)
        for kind, name in (("comparisons", COMPARISON), ("sweeps", SWEEP))
    }
    return {
        "title": f"Runs in {out.resolve().name}",
        "nav": [],
        "runs": [{"id": number, **run} for number, run in zip(runs.index, runs.to_dict("records"), strict=True)],
        "sheets": {run for run in runs["folder"].dropna() if (out / run / SHEET).is_file()},
        "sheet": SHEET,
        "all": int(tried["runs"].sum()),
        "tried": tried.to_dict("index"),
        **pages,
        "comparison": COMPARISON,
        "sweep": SWEEP,
    }


def _newest(ledger: Ledger) -> int:
    runs = ledger.runs(limit=1)
    return int(runs.index[0]) if len(runs) else 0
