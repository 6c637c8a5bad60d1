"""The tear sheet in a real browser: it draws, it fits, it says nothing on the console and asks the network nothing."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from tests.sheet.chromium import CHROMIUM, Tab, browser
from tests.sheet.conftest import KINDS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to draw the page")

SPILLS = """[...document.querySelectorAll('main *')].filter(e =>
  e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, svg, .hidden, #price-chart'))
  .map(e => e.tagName + '#' + e.id + '.' + e.className)"""
# Drawn in the next frame, since a chart that is folded has no size.
UNFOLD = "document.getElementById('unfold').click(); new Promise(done => setTimeout(() => done(1), 200))"
CANVAS_INK = """[...document.querySelectorAll('#price-chart canvas')].map(c => {
  const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, seen = new Set();
  for (let i = 0; i < p.length; i += 4) if (p[i + 3]) seen.add((p[i] << 16) | (p[i + 1] << 8) | p[i + 2]);
  return seen.size; })"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_run_is_drawn_whole_and_quietly_and_fits_a_phone(tab: Tab, sheet, kind: str) -> None:
    page = sheet(kind)
    for width, dark in ((1280, False), (390, True)):
        tab.open(page, width, dark=dark)
        assert tab.run("document.documentElement.scrollHeight / innerHeight") < 5, "folded, a few screens"
        assert max(tab.run(CANVAS_INK.replace("price", "overview"))) > 3, "two curves, their losses and the exposure"
        tab.run(UNFOLD)
        assert tab.console == []
        assert tab.asked == [page.as_uri()]
        assert tab.run("document.documentElement.scrollWidth") == width
        assert tab.run(SPILLS) == []
    trained = ["training"][: kind == "lstm"]
    sections = ["verdict", "performance", "price", "skill", "costs", "luck", *trained, "quantstats", "recipe"]
    assert tab.run("[...document.querySelectorAll('section')].map(s => s.id)") == sections
    assert tab.run("[...document.querySelectorAll('nav a')].map(a => a.hash.slice(1))") == sections
    assert tab.run("[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.hash))")
    assert max(tab.run(CANVAS_INK)) > 3, "candles, forecast, error and grid have colours of their own"
    assert tab.run("document.querySelectorAll('#quantstats svg').length") == 13
    assert tab.run("document.getElementById('price-readout').textContent").count("close") == 1
    words = tab.run("[...document.querySelectorAll('details')].forEach(d => d.open = true); document.body.innerText")
    assert not re.findall(r"\b(?:nan|NaN|None|NaT|inf|profitable)\b", words)


def test_this_test_would_see_a_complaint_a_request_and_a_spill(tab: Tab, sheet) -> None:
    page = sheet("losing")
    spoilt = page.with_name("spoilt.html")
    image = '<main><img src="http://127.0.0.1:9/blocked.png"><p style="width:2000px">wide</p><script>alert(1)</script>'
    spoilt.write_text(page.read_text(encoding="utf-8").replace('<main id="main">', image), encoding="utf-8")
    tab.open(spoilt, 390)
    assert sum("Content Security Policy" in line for line in tab.console) >= 2
    assert tab.run(SPILLS)
    loading = page.with_name("loading.html")
    loading.write_text('<body><img src="http://127.0.0.1:9/loaded.png">', encoding="utf-8")
    tab.open(loading)
    assert "http://127.0.0.1:9/loaded.png" in tab.asked


def test_a_heading_sorts_its_table_up_then_down_and_says_so(tab: Tab, sheet, result_of) -> None:
    tab.open(sheet("winning"))
    click = "document.querySelectorAll('#trades thead button')[6].click()"
    read = "[...document.querySelectorAll('#trades td:nth-child(7)')].map(c => Number(c.dataset.v || c.innerText))"
    state = "document.querySelectorAll('#trades th')[6].getAttribute('aria-sort')"
    profits = result_of("winning").trades["pnl"].tolist()
    assert tab.run(read) == pytest.approx(profits, rel=1e-6)
    for direction, expected in (("ascending", sorted(profits)), ("descending", sorted(profits, reverse=True))):
        tab.run(click)
        assert tab.run(state) == direction
        assert tab.run(read) == pytest.approx(expected, rel=1e-6)
    assert tab.run("document.querySelectorAll('#trades [aria-sort]').length") == 1


def press(chart: str, key: str) -> str:
    return f"document.getElementById('{chart}-chart').dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}'}}))"


def test_keys_move_and_zoom_the_price_and_buttons_choose_its_range(tab: Tab, sheet) -> None:
    tab.open(sheet("winning")).run(UNFOLD)

    def after(script: str) -> np.ndarray:
        tab.run(f"{script}; new Promise(done => setTimeout(() => done(1), 120))")
        return tab.pixels("#price-chart")

    whole = after("document.querySelector(\"button[data-years='0']\").click()")
    assert tab.run("document.querySelector('[data-years][aria-pressed=true]').textContent") == "All"
    pictures = [whole, after("document.querySelector(\"button[data-years='1']\").click()")]
    pictures += [after(press("price", key)) for key in ("+", "Home")]
    for before, now in itertools.pairwise(pictures):
        assert (before != now).any(axis=2).mean() > 0.01


def test_the_crosshair_of_one_chart_is_that_of_the_other(tab: Tab, sheet, result_of) -> None:
    tab.open(sheet("winning")).run(UNFOLD)
    read = "['overview', 'price'].map(c => document.querySelector('#' + c + '-readout b').textContent)"
    dates = [f"{date:%Y-%m-%d}" for date in result_of("winning").equity.index]
    assert tab.run(read) == [dates[-1]] * 2
    for chart, key, date in (("overview", "ArrowLeft", dates[-2]), ("price", "ArrowLeft", dates[-2]),
                             ("overview", "Home", dates[0]), ("overview", "ArrowRight", dates[1])):  # fmt: skip
        tab.run(press(chart, key))
        assert tab.run(read) == [date] * 2


def test_an_entry_in_the_list_of_trades_leads_to_its_bar_in_the_price_chart(tab: Tab, sheet, result_of) -> None:
    tab.open(sheet("winning"))
    tab.run(
        "document.querySelectorAll('#trades button.jump')[7].click(); new Promise(d => setTimeout(() => d(1), 200))"
    )
    assert tab.run("document.querySelector('#price > details').open")
    entry = result_of("winning").trades["entry_date"][7]
    assert tab.run("document.querySelector('#price-readout b').textContent") == f"{entry:%Y-%m-%d}"


def test_a_link_unfolds_its_section_and_paper_has_all_of_them_open(tab: Tab, sheet) -> None:
    tab.open(sheet("losing"))
    closed = "document.querySelectorAll('details.fold:not([open])').length"
    sections = tab.run(closed)
    tab.run("document.querySelector(\"nav a[href='#costs']\").click(); new Promise(d => setTimeout(() => d(1), 50))")
    assert (tab.run(closed), tab.run("document.querySelector('#costs > details').open")) == (sections - 1, True)
    tab.run("window.dispatchEvent(new Event('beforeprint'))")
    assert tab.run(closed) == 0
    tab.run("window.dispatchEvent(new Event('afterprint'))")
    assert tab.run(closed) == sections - 1


def test_a_table_is_saved_as_csv_with_the_numbers_that_it_shows(tab: Tab, sheet, result_of) -> None:
    tab.open(sheet("losing")).run(UNFOLD)
    tab.run("URL.createObjectURL = blob => { window.saved = blob.text(); return '#' }")
    tab.run("document.querySelector('#trades').closest('.scroll').nextElementSibling.click()")
    table = pd.read_csv(io.StringIO(tab.run("window.saved")), thousands=",")
    trades = result_of("losing").trades
    assert table["Profit"].tolist() == pytest.approx(trades["pnl"].tolist(), abs=0.0051)
    assert table["Side"].tolist() == trades["side"].tolist()


def test_the_page_scrolls_over_the_price_until_the_price_is_clicked(tab: Tab, sheet) -> None:
    tab.open(sheet("winning")).run(UNFOLD)
    tab.run("document.documentElement.style.scrollBehavior = 'auto'; document.getElementById('price').scrollIntoView()")
    box = tab.run(
        "(() => { const b = document.getElementById('price-chart').getBoundingClientRect(); return [b.x, b.y] })()"
    )
    at = {"x": box[0] + 200, "y": box[1] + 100}

    def wheel() -> float:
        start = tab.run("scrollY")
        tab.call("Input.dispatchMouseEvent", type="mouseWheel", deltaX=0, deltaY=60, **at)
        tab.run("new Promise(done => setTimeout(() => done(1), 150))")
        return tab.run("scrollY") - start

    assert wheel() == 60
    at["y"] -= 60
    for kind in ("mousePressed", "mouseReleased"):
        tab.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)
    assert tab.run("document.activeElement.id") == "price-chart"
    assert wheel() == 0


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_the_contrast_that_accessibility_asks_for(tab: Tab, sheet, dark: bool) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1 for text."""
    tab.open(sheet("losing"), dark=dark)
    read = "n => getComputedStyle(document.documentElement).getPropertyValue('--' + n).trim()"
    names = ("ground", "raised", "ink", "muted", "accent", "good", "bad", "unsure")
    colours = dict(zip(names, tab.run(f"{list(names)}.map({read})"), strict=True))

    def luminance(colour: str) -> float:
        digits = colour.lstrip("#")
        full = digits if len(digits) == 6 else "".join(2 * d for d in digits)
        c = np.array([int(full[i : i + 2], 16) for i in (0, 2, 4)]) / 255
        return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])

    for name in names[2:]:
        light, low = sorted((luminance(colours[name]), luminance(colours["ground"])), reverse=True)
        assert (light + 0.05) / (low + 0.05) >= 4.5, name
    assert (luminance(colours["ground"]) < 0.1) == dark


def test_the_theme_is_chosen_by_a_button_and_remembered(tab: Tab, sheet) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(255, 255, 255)", "rgb(16, 19, 23)"
    tab.open(sheet("losing"), dark=True)
    assert tab.run("document.getElementById('theme').textContent") == "Theme: system"
    assert tab.run(ground) == dark
    before = tab.pixels("#overview-chart")
    tab.run("document.getElementById('theme').click()")
    assert tab.run(ground) == light
    assert tab.pixels("#overview-chart").mean() > before.mean() + 100, "the charts follow"
    tab.open(sheet("flat"), dark=True)
    assert tab.run(ground) == light, "another page has the choice"
    tab.run("document.getElementById('theme').click()")
    tab.open(sheet("flat"))
    assert tab.run(ground) == dark
    tab.run("document.getElementById('theme').click()")
    assert tab.run("document.getElementById('theme').textContent") == "Theme: system"
    assert tab.run(ground) == light


def test_without_scripts_nothing_but_the_interaction_is_lost(tab: Tab, sheet) -> None:
    tab.open(sheet("winning"), scripts=False)
    assert tab.run("getComputedStyle(document.querySelector('.still')).display") == "block"
    assert tab.run("getComputedStyle(document.getElementById('price-chart')).display") == "none"
    assert tab.run("document.querySelector('.still svg').getBoundingClientRect().height") > 100
    assert tab.run("document.querySelectorAll('#price details tbody tr').length") > 10


def test_paper_gets_the_still_picture_in_light_colours(tab: Tab, sheet) -> None:
    tab.open(sheet("losing"), 794, dark=True)
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    tab.call("Emulation.setEmulatedMedia", media="print", features=dark)
    try:
        assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert tab.run("getComputedStyle(document.querySelector('.still')).display") == "block"
        assert tab.run("getComputedStyle(document.getElementById('price-chart')).display") == "none"
        assert tab.run("document.documentElement.scrollWidth") <= 794
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")
