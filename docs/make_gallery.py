"""Makes the sheets of the site's gallery by real runs, into build/gallery: python -m docs.make_gallery"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "build" / "gallery"
# Looks one bar ahead, on purpose.
LEAK = '''from dataclasses import dataclass
import numpy as np
from rollcast import Predictor


@dataclass(frozen=True)
class Tomorrow(Predictor):
    """A centred mean of returns: the mistake is that its last bar is tomorrow's."""

    window: int = 5

    def predict(self, bars):
        return np.log(bars["close"]).diff().rolling(self.window, center=True, min_periods=3).mean()
'''


@dataclass(frozen=True)
class Sheet:
    """One page of the gallery: what was run, and what to look at."""

    name: str
    title: str
    command: str
    sentence: str
    page: str = "tearsheet.html"


SHEETS = (
    Sheet(
        *("winning", "Something to find", "backtest -P ema -p span=3 --symbol momentum.csv"),
        "A made-up market of twelve years in which a tenth of every return carries over to the next day. There is "
        "something to find, and the verdict says so. No bundled market gave such a sheet.",
    ),
    Sheet(
        *("losing", "Nothing, at a cost", "backtest -P sma --strategy long_short"),
        "Long above its average and short below, on SPY since 1993: two thirds are lost.",
    ),
    Sheet(
        *("lucky", "The best of thirty", "sweep -P sma -p window=10:300:10"),
        "Thirty windows on the same prices. The best one is judged as the best of thirty, and what remains is said.",
        "sweep.html",
    ),
    Sheet(
        *("leaking", "A look ahead", "backtest -P tomorrow.py --allow-lookahead"),
        "A centred mean, a mistake often made. The run is refused; with `--allow-lookahead` there is a sheet, in red, "
        "and what else it would have said is grey.",
    ),
    Sheet(
        *("portfolio", "Twenty names", "backtest -P ema --symbol sp20 --strategy top_k -s k=5 --start 2012"),
        "One account that holds the five names with the highest forecasts of twenty.",
    ),
    Sheet(
        *("placebo", "Against markets with nothing to find", "placebo -P sma --markets 40"),
        "The same pipeline on forty rearrangements of SPY's returns in which no past tells of the future.",
    ),
)


def main() -> None:
    """Makes every sheet anew, in the folder whole or not at all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        momentum().to_csv(folder / "momentum.csv")
        (folder / "tomorrow.py").write_text(LEAK, encoding="utf-8")
        (folder / "pages").mkdir()
        for sheet in SHEETS:
            keep(run(sheet, folder), folder / "pages" / f"{sheet.name}.html")
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.parent.mkdir(exist_ok=True)
        shutil.move(folder / "pages", FOLDER)


def run(sheet: Sheet, folder: Path) -> Path:
    """Runs the command of a sheet in a folder; returns its page."""
    environment = os.environ | {"ROLLCAST_LEDGER": str(folder / f"{sheet.name}.sqlite")}
    command = [sys.executable, str(ROOT / "cli.py"), *sheet.command.split(), "--quiet", "--out", sheet.name]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{sheet.command} failed:\n{done.stderr}")
    return folder / done.stdout.split()[-1]


def keep(page: Path, target: Path) -> None:
    """Copies a page, and the sheet of the one run that a sweep's page refers to, which gets a name beside it."""
    text = page.read_text(encoding="utf-8")
    for name in set(re.findall(r'"(\.\./[^/"]+/tearsheet\.html)"', text)):
        beside = target.with_stem(f"{target.stem}-run")
        shutil.copy(page.parent / name, beside)
        text = text.replace(name, beside.name)
    target.write_text(text, encoding="utf-8")


def momentum(correlation: float = 0.1, days: int = 3000, seed: int = 1) -> pd.DataFrame:
    """Daily bars whose returns are an AR(1) process with this correlation, σ 1 % a day."""
    shocks = np.random.default_rng(seed).normal(0, 0.01, days)
    returns = np.zeros(days)
    for t in range(1, days):
        returns[t] = correlation * returns[t - 1] + shocks[t]
    close = 100 * np.exp(np.cumsum(returns))
    opened = np.r_[100, close[:-1]]
    dates = pd.bdate_range("2010-01-04", periods=days, name="date")
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    return pd.DataFrame({"open": opened, "high": high, "low": low, "close": close, "volume": 10**6}, dates)


def sheets() -> list[Path]:
    """The pages there are. Raises FileNotFoundError where the gallery has not been made."""
    if missing := [sheet.name for sheet in SHEETS if not (FOLDER / f"{sheet.name}.html").is_file()]:
        raise FileNotFoundError(f"build/gallery lacks {', '.join(missing)}; run python -m docs.make_gallery first")
    return sorted(FOLDER.glob("*.html"))


def page() -> str:
    """The page of the gallery, each sheet folded, and loaded when it is opened."""
    parts = ["# Gallery\n\nReal sheets, made by the commands above them. Open one in place, or on a page of its own.\n"]
    for sheet in SHEETS:
        source = f"gallery/{sheet.name}.html"
        parts.append(
            f"## {sheet.title}\n\n{sheet.sentence}\n\n    rollcast {sheet.command}\n\n"
            f"[On a page of its own]({source})\n\n"
            f'<details><summary>Open it here</summary><iframe src="{source}" title="{sheet.title}" loading="lazy" '
            'style="width:100%;height:85vh;border:1px solid #8888"></iframe></details>\n'
        )
    return "\n".join(parts)


if __name__ == "__main__":
    main()
