"""The pages of a workspace, comparison and index: right, linked, quiet in a browser, and no wider than a phone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from rollcast import Request
from rollcast.backtests.comparison import entrants_of
from rollcast.backtests.ledger.database import NAME
from rollcast.backtests.ledger.ledger import Ledger
from rollcast.backtests.sheet.cards import FILE, POINTS, cards
from rollcast.backtests.sheet.index import write_index
from rollcast.backtests.workspace.comparison import compare
from rollcast.backtests.workspace.workspace import backtest
from tests.sheet.chromium import CHROMIUM, Tab, browser
from tests.sheet.test_browser import SPILLS

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to draw the page")


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@needs_browser
def test_both_pages_are_quiet_and_fit_a_phone(tab: Tab, workspace: tuple[Path, Path]) -> None:
    out, comparison = workspace
    for page in (comparison, out / "index.html"):
        for width, dark in ((1280, False), (390, True)):
            tab.open(page, width, dark=dark)
            assert tab.console == []
            assert tab.asked == [page.as_uri()]
            assert tab.run("document.documentElement.scrollWidth") == width
            assert tab.run(SPILLS) == []
        assert not re.findall(r"\b(?:nan|NaN|None|NaT|inf)\b", tab.run("document.body.innerText"))


@needs_browser
def test_the_scores_of_a_comparison_sort(tab: Tab, workspace: tuple[Path, Path]) -> None:
    tab.open(workspace[1])
    tab.run("document.querySelectorAll('#scores thead button')[1].click()")
    values = tab.run("[...document.querySelectorAll('#scores tbody tr')].map(r => Number(r.cells[1].dataset.v))")
    assert values == sorted(values)
    assert len(values) == 3


def test_every_link_of_the_pages_leads_to_a_file(workspace: tuple[Path, Path]) -> None:
    out, comparison = workspace
    for page, least in ((comparison, 3), (out / "index.html", 4)):
        links = [link for link in re.findall(r'href="([^"]+)"', page.read_text()) if not link.startswith("#")]
        assert len(links) >= least
        for link in links:
            assert (page.parent / unquote(unescape(link))).resolve().is_file()


def test_what_a_user_named_stays_text(workspace: tuple[Path, Path]) -> None:
    out, comparison = workspace
    for page in (comparison, out / "index.html", *out.glob("*/tearsheet.html")):
        text = page.read_text()
        assert "<script>alert" not in text
        assert "<b>bold</b>" not in text


def test_the_numbers_of_the_comparison_are_those_of_its_runs(workspace: tuple[Path, Path]) -> None:
    out, comparison = workspace
    for entrant in json.loads((comparison.parent / "comparison.json").read_text())["entrants"]:
        (run,) = entrant["runs"]
        metrics = json.loads((out / run / "metrics.json").read_text())
        assert entrant["scores"]["sharpe"]["mean"] == metrics["strategy"]["sharpe"]
        assert entrant["scores"]["r2"]["mean"] == metrics["forecast"]["r2"]
        assert entrant["scores"]["sharpe"]["sd"] is None


def test_the_index_says_which_folders_are_gone_and_keeps_their_rows(tmp_path: Path) -> None:
    _, folder = backtest(Request("sma", start="2014", end="2016"), tmp_path)
    assert "<small>folder gone" not in (tmp_path / "index.html").read_text()
    folder.rename(tmp_path.parent / f"{tmp_path.name}-moved")
    write_index(tmp_path)
    text = (tmp_path / "index.html").read_text()
    assert "<small>folder gone" in text
    assert folder.name not in text
    assert Ledger(tmp_path / NAME).size() == 1


def test_a_comparison_that_fails_half_way_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import rollcast.backtests.workspace.comparison as module

    written = []

    def fails_later(*arguments):
        written.append(arguments)
        if len(written) == 2:
            raise OSError("no space left")
        return arguments[1]

    monkeypatch.setattr(module, "write", fails_later)
    with pytest.raises(OSError, match="no space"):
        compare(entrants_of(["sma", "ema"], Request("sma", start="2014", end="2016")), tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


@needs_browser
def test_the_index_filters_sorts_and_shows_the_verdict_and_growth_of_every_run(
    tab: Tab, workspace: tuple[Path, Path]
) -> None:
    out, _ = workspace
    tab.open(out / "index.html")
    rows = "[...document.querySelectorAll('#runs-table tbody tr')]"
    metrics = [json.loads(path.read_text()) for path in out.glob("*/metrics.json")]
    assert sorted(tab.run(f"{rows}.map(r => r.cells[4].textContent)")) == sorted(m["conclusion"] for m in metrics)
    assert tab.run(f"{rows}.every(r => r.cells[5].querySelector('path').getAttribute('d').split('L').length === 24)")
    tab.run("document.querySelectorAll('#runs-table thead button')[5].click()")
    sharpe = tab.run(f"{rows}.map(r => parseFloat(r.cells[6].textContent.replace('−', '-')))")
    assert sharpe == sorted((round(m["strategy"]["sharpe"], 2) for m in metrics), reverse=True)
    select = "document.querySelector('select[name=predictor]')"
    tab.run(f"{select}.value = 'EMA'; {select}.dispatchEvent(new Event('change'))")
    assert tab.run(f"{rows}.map(r => r.cells[1].firstChild.textContent)") == ["EMA"]
    assert tab.run("document.getElementById('count').textContent") == "1 of 3 runs"


def test_a_card_is_read_once_and_again_when_its_run_was_redrawn(tmp_path: Path) -> None:
    _, folder = backtest(Request("sma", start="2014", end="2016"), tmp_path)
    first = cards(tmp_path, [folder.name])
    assert len(first[folder.name]["growth"]) == POINTS
    stamp = (tmp_path / FILE).stat().st_mtime_ns
    assert cards(tmp_path, [folder.name]) == first
    assert (tmp_path / FILE).stat().st_mtime_ns == stamp, "nothing changed, nothing written"
    metrics = json.loads((folder / "metrics.json").read_text()) | {"conclusion": "Another."}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "tearsheet.html").write_text("drawn again")
    assert cards(tmp_path, [folder.name])[folder.name]["conclusion"] == "Another."
    (tmp_path / FILE).write_text("{damaged")
    assert cards(tmp_path, [folder.name, "gone"])[folder.name]["growth"] == first[folder.name]["growth"]
