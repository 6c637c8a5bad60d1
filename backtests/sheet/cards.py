"""What the page of a workspace says of each run beyond its row in the ledger; every run's folder is read once.

`index.json` in the workspace keeps the cards. It can be deleted at any time, and is made again from the folders.
"""

from __future__ import annotations

import json
import os
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..atomic import write_whole
from .values import Metrics

FILE, METRICS, SHEET = "index.json", "metrics.json", "tearsheet.html"
DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
POINTS = 24

Card = dict[str, Any]


def cards(out: Path, folders: Iterable[str]) -> dict[str, Card]:
    """The card of every folder with a sheet: `conclusion`, `holding` (its Sharpe ratio), `growth`, `placebo`.

    growth: digits of base 62 between the lowest and the highest logarithm of equity; placebo: p of the Sharpe ratio.
    A card is made again where its sheet was written again since.
    """
    try:
        kept = json.loads((out / FILE).read_text(encoding="utf-8"))
        kept = kept if isinstance(kept, dict) else {}
    except (OSError, ValueError):
        kept = {}
    found: dict[str, Card] = {}
    for name in folders:
        try:
            changed = os.stat(f"{out}/{name}/{SHEET}").st_mtime_ns  # a Path takes longer than the file
        except OSError:
            continue
        card = kept.get(name)
        found[name] = card if isinstance(card, dict) and card.get("changed") == changed else _card(out / name, changed)
    if found != kept:
        write_whole(out / FILE, json.dumps(found, separators=(",", ":")).encode(), lasting=False)
    return found


def _card(folder: Path, changed: int) -> Card:
    """The card of a folder; of one that cannot be read, an empty one."""
    card: Card = {"changed": changed, "conclusion": "", "holding": None, "growth": "", "placebo": None}
    try:
        metrics: Metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        equity = pd.read_parquet(folder / "equity.parquet", columns=["equity"])["equity"].to_numpy(float)
    except (OSError, ValueError):
        return card
    return card | {
        "conclusion": metrics.get("conclusion", ""),
        "holding": metrics.get("benchmark", {}).get("sharpe"),
        "growth": spark(equity),
        "placebo": metrics.get("placebo", {}).get("sharpe", {}).get("p"),
    }


def spark(equity: np.ndarray) -> str:
    """A curve as POINTS digits, the lowest 0 and the highest z; a flat one lies in the middle."""
    places = np.linspace(0, len(equity) - 1, min(POINTS, len(equity))).round().astype(int)
    curve = np.log(np.maximum(equity[places], 1e-9))
    low, high = curve.min(), curve.max()
    share = (curve - low) / (high - low) if high - low > 1e-12 else np.full(len(curve), 0.5)
    return "".join(DIGITS[i] for i in (share * (len(DIGITS) - 1)).round().astype(int))
