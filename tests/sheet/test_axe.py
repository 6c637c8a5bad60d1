"""axe-core finds nothing to object to on any page, light and dark, with every section open.

axe-core (Deque Systems, MPL 2.0) is not part of this repository: `npm install --no-save axe-core` puts it
where this looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sheet.chromium import CHROMIUM, Tab, browser
from tests.sheet.conftest import KINDS
from tests.sheet.test_browser import UNFOLD

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to draw the page"),
    pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: npm install --no-save axe-core"),
    pytest.mark.slow,
]
FIND = "axe.run().then(found => found.violations.map(v => [v.id, v.nodes.map(n => n.target.join(' '))]))"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def violations(tab: Tab, page: Path, *, dark: bool) -> list:
    tab.open(page, dark=dark)
    tab.run(f"document.getElementById('unfold') && ({UNFOLD.partition(';')[0]}, 1)")
    tab.run(AXE.read_text(encoding="utf-8") + "; new Promise(done => setTimeout(() => done(1), 200))")
    return tab.run(FIND)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_sheet_has_no_violation(tab: Tab, sheet, kind: str, dark: bool) -> None:
    assert violations(tab, sheet(kind), dark=dark) == []


@pytest.mark.parametrize("dark", [False, True])
def test_comparison_and_index_have_none(tab: Tab, workspace, dark: bool) -> None:
    out, comparison = workspace
    for page in (comparison, out / "index.html"):
        assert violations(tab, page, dark=dark) == []


def test_axe_would_find_a_picture_without_words(tab: Tab, sheet) -> None:
    page = sheet("flat").with_name("wordless.html")
    picture = '<main id="main"><img src="data:image/png;base64,AAAA">'
    page.write_text(sheet("flat").read_text(encoding="utf-8").replace('<main id="main">', picture), encoding="utf-8")
    assert "image-alt" in [name for name, _ in violations(tab, page, dark=False)]
