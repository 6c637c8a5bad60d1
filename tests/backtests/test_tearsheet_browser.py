"""The tear sheet in a real browser: it draws, it fits, it says nothing on the console and asks the network nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtests.tearsheet import write_tear_sheet

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to draw the page")

QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--v=0"),
    *("--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-default-apps", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
)


class Visit:
    """A page opened once: its picture (rows, columns, colours), its console lines and the addresses it asked for."""

    def __init__(self, page: Path, folder: Path, width: int, height: int) -> None:
        import matplotlib.image

        folder.mkdir()
        picture, log = folder / "page.png", folder / "net.json"
        options = [f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}"]
        options += [f"--screenshot={picture}", f"--log-net-log={log}", page.as_uri()]
        done = subprocess.run([str(CHROMIUM), *QUIET, *options], capture_output=True, text=True, timeout=60)
        assert picture.exists(), done.stderr
        self.pixels = (matplotlib.image.imread(picture)[:, :, :3] * 255).round().astype(int)
        self.console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        events = json.loads(log.read_text(encoding="utf-8"))["events"]
        asked = [event["params"] for event in events if "initiator" in event.get("params", {})]
        # The browser's own errands, which the resolver rule sends nowhere, have no page for an initiator.
        self.asked = {each["url"] for each in asked if each["initiator"] != "not an origin"}

    def ink(self) -> np.ndarray:
        return (self.pixels < 250).any(axis=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    dates = pd.bdate_range("2019-01-01", periods=700)
    moves = np.random.default_rng(1).normal(0.0004, 0.01, (2, len(dates)))
    moves[:, 0] = 0
    returns, benchmark = (pd.Series(row, dates) for row in moves)
    title = "<img src=http://127.0.0.1:9/x.png onerror=alert(1)> a long title, " + "x" * 200
    path = folder / "sheet.html"
    write_tear_sheet(
        path,
        returns,
        benchmark,
        title=title,
        strategy_name="strategy",
        benchmark_name="buy and hold",
        periods_per_year=252,
        facts={"Predictor": "sma(window=50)", "Script": "<script>alert(1)</script>", "Long": "y" * 200},
    )
    return path


@pytest.fixture(scope="module")
def desktop(page: Path, folder: Path) -> Visit:
    return Visit(page, folder / "desktop", 1280, 4700)


def test_browser_has_nothing_to_complain_about(desktop: Visit) -> None:
    assert desktop.console == []


def test_browser_asks_the_network_nothing(desktop: Visit) -> None:
    assert {address for address in desktop.asked if not address.startswith("file:")} == set()


def test_this_test_would_see_a_complaint_and_a_request(page: Path, folder: Path) -> None:
    image = '<img src="http://127.0.0.1:9/blocked.png">'
    blocked = folder / "blocked.html"
    blocked.write_text(page.read_text(encoding="utf-8").replace("<main>", f"<main>{image}"), encoding="utf-8")
    loading = folder / "loading.html"
    loading.write_text(f"<body>{image}", encoding="utf-8")
    assert any("Content Security Policy" in line for line in Visit(blocked, folder / "blocked", 800, 600).console)
    assert "http://127.0.0.1:9/blocked.png" in Visit(loading, folder / "loading", 800, 600).asked


def test_every_chart_has_ink(desktop: Visit) -> None:
    charts = desktop.ink()[:, 90:800]
    rows = np.flatnonzero(charts.any(axis=1))
    assert np.diff(rows).max() < 200, "the shortest chart is 260 high"
    blue = (abs(desktop.pixels - [0x34, 0x8D, 0xC1]).sum(axis=2) < 12)[:, 90:800].any(axis=1)
    yellow = (abs(desktop.pixels - [0xFE, 0xDD, 0x78]).sum(axis=2) < 12)[:, 90:800].any(axis=1)
    assert blue.sum() > 1000
    assert yellow.sum() > 500


def test_a_phone_sees_the_whole_width(page: Path, folder: Path) -> None:
    # Headless Chromium has no window narrower than 500, so a frame of 390 stands for the phone.
    frame = folder / "phone.html"
    style = "border:0;width:390px;height:7000px"
    frame.write_text(
        f'<body style="margin:0"><iframe src="{page.as_uri()}" style="{style}"></iframe>', encoding="utf-8"
    )
    ink = Visit(frame, folder / "phone", 500, 7000).ink()[:, :390]
    right = int(np.flatnonzero(ink.any(axis=0)).max())
    assert 360 < right < 380, "the page's right margin holds no ink"
    assert ink[:, 300:376].any(axis=1).sum() > 1500, "charts and tables reach the right margin"
