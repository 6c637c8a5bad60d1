"""The page of a sweep shows every number it is made of, links to the winner, and loads nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.ledger.database import NAME
from rollcast.backtests.ledger.ledger import Ledger
from rollcast.backtests.ledger.trials import count
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.sheet.surface import HeatMap, _levels, surfaces
from rollcast.backtests.sheet.sweep import conclusion, write_sweep
from rollcast.backtests.sheet.words import number, percent
from rollcast.backtests.sweep.points import sweep_of
from rollcast.backtests.workspace.sweep import run_sweep
from tests.sheet.chromium import CHROMIUM, browser
from tests.sheet.test_browser import SPILLS
from tests.sweep.conftest import Story


def test_the_page_links_to_the_winners_sheet_and_asks_for_nothing_else(story: Story):
    page = story.page.read_text(encoding="utf-8")
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    links = set(re.findall(r'href="([^#"]*)', markup)) - {""}
    assert links == {f"../{story.swept.winner.folder.name}/tearsheet.html"}
    assert (story.page.parent / links.pop()).is_file()
    assert not re.findall(r"\s(?:src|srcset|on\w+)\s*=", markup)
    assert not re.findall(r"\b(?:nan|NaN|None|inf)\b", re.sub(r"<[^>]*>", " ", markup))


def test_the_numbers_on_the_page_are_those_of_the_judgement(story: Story):
    page, judgement = story.page.read_text(encoding="utf-8"), story.swept.judgement
    assert judgement.overfitting is not None
    assert judgement.nested is not None
    for text in (
        number(story.swept.rows["sharpe"].max()),
        percent(judgement.overfitting.pbo),
        number(judgement.nested.scores["nested"]["sharpe"]),
        percent(judgement.plateau.score, 0),
        judgement.plateau.word,
        "12,870",
        "to the last bit",
        "rollcast sweep --predictor sma --start 2008 -p window=10:200:10 -s &#39;dead_band_bps=0|1|2&#39;",
    ):
        assert text in page, text
    assert conclusion(story.swept) in page


def test_a_heat_map_has_a_field_for_every_point_and_frames_the_winner(story: Story):
    (heat_map,) = surfaces(story.swept)
    assert isinstance(heat_map, HeatMap)
    assert len(heat_map.cells) == 60
    best = [cell for cell in heat_map.cells if cell.best]
    assert len(best) == 1
    assert best[0].strength == 1.0
    values = dict(story.swept.winner.point.values)
    assert best[0].title.startswith(f"window {values['p.window']}, dead_band_bps {values['s.dead_band_bps']}: ")
    strengths = {cell.title: cell.strength for cell in heat_map.cells}
    assert min(strengths.values()) == 0.06


def test_many_levels_are_gathered_in_bins_of_equal_count():
    place, names = _levels(np.arange(1.0, 241.0))
    assert len(names) == 24
    assert np.unique(place, return_counts=True)[1].tolist() == [10] * 24
    assert (names[0], names[-1]) == ("1–10", "231–240")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to draw the page")
def test_a_browser_draws_it_whole_and_quietly_and_it_fits_a_phone(story: Story, tmp_path):
    with browser(tmp_path) as tab:
        for width, dark in ((1280, False), (390, True)):
            tab.open(story.page, width, dark=dark)
            assert tab.console == []
            assert tab.asked == [story.page.as_uri()]
            assert tab.run("document.documentElement.scrollWidth") == width
            assert tab.run(SPILLS) == []
        sections = ["surface", "overfitting", "nested", "best", "recipe"]
        assert tab.run("[...document.querySelectorAll('section')].map(s => s.id)") == sections
        assert tab.run("[...document.querySelectorAll('nav a')].map(a => a.hash.slice(1))") == sections
        assert tab.run("document.querySelectorAll('#surface svg path[fill-opacity]').length") == 60


COIN = """
from dataclasses import dataclass
import numpy as np
import pandas as pd
from rollcast import Predictor


@dataclass(frozen=True)
class Coin(Predictor):
    \"\"\"A coin of its own for every bar.\"\"\"

    side: str = "fair"
    seed: int = 0

    def predict(self, bars):
        draws = np.random.default_rng([self.seed, len(self.side)]).normal(size=len(bars))
        return pd.Series(draws / 100, index=bars.index, name="forecast")
"""


def test_an_axis_of_words_with_seeds_makes_a_page_of_their_means(tmp_path):
    plugin = tmp_path / "coin.py"
    plugin.write_text(COIN)
    sweep = sweep_of(Request(str(plugin), start="2017"), ["side=fair|<b>bold</b>"], ["tolerance=0.1|0.2"], seeds=3)
    swept = run_sweep(sweep, tmp_path / "runs")
    variants, rows = swept.judgement.variants, swept.rows
    assert (len(rows), len(variants), variants["seeds"].to_list()) == (12, 4, [3] * 4)
    assert rows["seed"].to_list() == [0, 1, 2] * 4
    table = pd.read_parquet(swept.folder / "returns.parquet")
    together = table[rows["key"].iloc[:3]].mean(axis=1)
    assert variants["sharpe"].iloc[0] == pytest.approx(together.mean() / together.std() * 252**0.5)
    assert variants["sharpe_sd"].iloc[0] == pytest.approx(rows["sharpe"].iloc[:3].std())
    assert swept.winner.point.seed == 0
    assert swept.winner.same
    page = write_sweep(swept).read_text(encoding="utf-8")
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "No nested selection" in page, "the tolerances differ"
    assert isinstance(surfaces(swept)[0], HeatMap)
    ledger = Ledger(tmp_path / "runs" / NAME)
    assert count(ledger.row(1), [ledger]).trials.count == 12


def test_one_axis_is_a_line(story: Story):
    only = replace(story.swept.sweep, axes=story.swept.sweep.axes[:1])
    assert not isinstance(surfaces(replace(story.swept, sweep=only))[0], HeatMap)
