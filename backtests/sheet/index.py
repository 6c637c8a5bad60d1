"""The page of a workspace: every run in its ledger, newest first, with a link to its sheet."""

from __future__ import annotations

from pathlib import Path

from ..atomic import write_whole
from ..ledger.database import NAME
from ..ledger.ledger import Ledger
from .page import render
from .values import Context

PAGE, SHEET, COMPARISON, SWEEP = "index.html", "tearsheet.html", "comparison.html", "sweep.html"
MOST_RUNS = 2_000  # on the page; the ledger has them all


def write_index(out: Path) -> Path:
    """Writes index.html of a workspace, over an older one; returns it.

    Written again where a run was recorded meanwhile, so that of several writers the last leaves them all in it.

    Raises OSError where the workspace cannot be written to, and what an unreadable ledger raises.
    """
    ledger, page = Ledger(out / NAME), out / PAGE
    newest = None
    while (latest := _newest(ledger)) != newest:
        newest = latest
        # Not flushed to the disk: the page can be made again from the ledger at any time.
        write_whole(page, render("index.html", context(ledger, out)).encode(), lasting=False)
    return page


def context(ledger: Ledger, out: Path) -> Context:
    """The variables of the template."""
    runs = ledger.runs(limit=MOST_RUNS)
    runs = runs[runs["folder"].notna()]  # a sweep's variants have no folder each
    return {
        "title": f"Runs in {out.resolve().name}",
        "nav": [],
        "runs": [{"id": number, **run} for number, run in zip(runs.index, runs.to_dict("records"), strict=True)],
        "folders": {run for run in runs["folder"] if (out / run / SHEET).is_file()},
        "sheet": SHEET,
        "run_count": ledger.size(),
        "comparisons": _folders(out, COMPARISON),
        "comparison": COMPARISON,
        "sweeps": _folders(out, SWEEP),
        "sweep": SWEEP,
    }


def _folders(out: Path, page: str) -> list[str]:
    """The names of the folders that hold a page, the newest first, since a name begins with its time."""
    return sorted((path.parent.name for path in out.glob(f"*/{page}")), reverse=True)


def _newest(ledger: Ledger) -> int:
    """The number of the last run in the ledger; 0 for none."""
    runs = ledger.runs(limit=1)
    return int(runs.index[0]) if len(runs) else 0
