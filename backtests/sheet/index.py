"""The page of a workspace: every run in its ledger, newest first, with a link to its sheet."""

from __future__ import annotations

import os
from pathlib import Path

from ..atomic import write_whole
from ..json_values import plain
from ..ledger.database import NAME
from ..ledger.ledger import Ledger
from .cards import SHEET, cards
from .page import render
from .values import Context
from .words import text

PAGE, COMPARISON, SWEEP = "index.html", "comparison.html", "sweep.html"
EXPLANATION = "explain.html"
GONE: Context = {"conclusion": "", "holding": None, "growth": "", "placebo": None}  # of a run whose folder is gone
STILL = 100  # runs that are shown where no script runs
CODED = (
    "predictor",
    "predictor_parameters",
    "strategy",
    "strategy_parameters",
    "symbol",
    "conclusion",
    "first",
    "last",
)
NAMES = (
    "id",
    "created",
    "folder",
    "passed",
    "sharpe",
    "cagr",
    "max_drawdown",
    "holding",
    "growth",
    "placebo",
    *CODED,
)
MOST_RUNS = 10_000  # on the page; the ledger has them all


def write_index(out: Path) -> Path:
    """Writes index.html of a workspace, over an older one; returns it.

    Written again where a run was recorded meanwhile, so that of several writers the last leaves them all in it.

    Raises OSError where the workspace cannot be written to, and what an unreadable ledger raises.
    """
    ledger, page = Ledger(out / NAME), out / PAGE
    newest = None
    while (latest := ledger.newest()) != newest:
        newest = latest
        # Not flushed to the disk: the page can be made again from the ledger at any time.
        write_whole(page, render("index.html", context(ledger, out), scripts=("index.js",)).encode(), lasting=False)
    return page


def context(ledger: Ledger, out: Path) -> Context:
    """The variables of the template."""
    table = ledger.runs(limit=MOST_RUNS)
    table = table[table["folder"].notna()]  # a sweep's variants have no folder each
    there = cards(out, table["folder"][~table["gone"].astype(bool)])
    others = [out / name for name in os.listdir(out) if name not in there]
    columns = [name for name in NAMES if name in table]
    runs = [
        run
        | {"id": number, "folder": run["folder"] if run["folder"] in there else None}
        | there.get(run["folder"], GONE)
        for number, run in zip(table.index, plain(table[columns].to_dict("records")), strict=True)
    ]
    return {
        "title": f"Runs in {out.resolve().name}",
        "nav": [],
        "runs": runs,
        "still": STILL,
        "data": _data(runs),
        "sheet": SHEET,
        "run_count": ledger.size(),
        "comparisons": _folders(others, COMPARISON),
        "comparison": COMPARISON,
        "sweeps": _folders(others, SWEEP),
        "sweep": SWEEP,
        "explanations": _folders(others, EXPLANATION),
        "explanation": EXPLANATION,
    }


def _data(runs: list[Context]) -> Context:
    """The runs as index.js reads them: values in the order of `names`, those of `coded` as places in `words`."""
    places: dict[object, int] = {}

    def value(name: str, value: object) -> object:
        if name in CODED:
            return places.setdefault(value, len(places))
        return float(f"{value:.5g}") if isinstance(value, float) else value

    rows = [[value(name, run[name]) for name in NAMES] for run in runs]
    return {"names": NAMES, "coded": CODED, "words": [text(word) for word in places], "runs": rows, "sheet": SHEET}


def _folders(folders: list[Path], page: str) -> list[str]:
    """The names of the folders that hold a page, the newest first, since a name begins with its time."""
    return sorted((folder.name for folder in folders if (folder / page).is_file()), reverse=True)
