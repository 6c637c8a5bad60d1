"""A user's own title, note and section: on the page, in the recipe, in the redrawn page, and harmless."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcast import Request
from rollcast.backtests.ledger.trial_key import trial_key
from rollcast.backtests.sheet.fragment import ATTRIBUTES, DROPPED, ELEMENTS, harmless
from rollcast.backtests.workspace.workspace import backtest, rebuild

ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<p style='position:fixed;inset:0'>x</p>",
    "<style>#verdict{display:none}</style>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mi><style><img src=x onerror=alert(1)></style></mi></math>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "</div></details></section></main><h1>x",
    "<!--><img src=x onerror=alert(1)>-->",
    "<meta http-equiv=refresh content='0;url=//x'><base href=//x><form action=//x><iframe srcdoc=x>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src='data:image/svg+xml;base64,AAAA'>",
    "<h3 id=verdict class=alarm>x</h3>",
    "<p title='\"><script>alert(1)</script>'>",
)


class Reader(HTMLParser):
    """Every element with its attributes, and how deep its end tags go."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements, self.depth, self.lowest = [], 0, 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.depth += tag not in ("br", "hr", "img")

    def handle_endtag(self, tag):
        self.depth -= 1
        self.lowest = min(self.lowest, self.depth)


def check(text: str) -> None:
    read = Reader(harmless(text))
    assert read.depth == read.lowest == 0, "what is opened is closed, and nothing else"
    for tag, attributes in read.elements:
        assert tag in ELEMENTS - DROPPED
        for name, value in attributes.items():
            assert (name, value) == ("rel", "noreferrer") or ATTRIBUTES[tag][name].fullmatch(value)


@pytest.mark.parametrize("text", ATTACKS)
def test_what_could_act_load_restyle_or_leave_its_place_is_left_out(text):
    check(text)


@given(st.lists(st.one_of(st.sampled_from(ATTACKS), st.text("<>/\"'=ab !-&;#x", max_size=12)), max_size=6).map("".join))
def test_no_text_makes_another_element(text):
    check(text)


def test_plain_html_stays_as_it_was():
    text = (
        '<p>A <b>bold</b> word &amp; a <a href="https://example.org/?a=1&amp;b=2" rel="noreferrer">link</a>.</p>'
        '<table><tr><th colspan="2">x</th></tr></table><img src="data:image/png;base64,AAAA" alt="p">'
    )
    assert harmless(text) == text


def test_the_words_are_on_the_page_in_the_recipe_and_in_the_redrawn_page(tmp_path: Path) -> None:
    page = {"title": "My <idea>", "note": "First & last.", "section": "<p>Mine</p><script>alert(1)</script>"}
    result, folder = backtest(Request("sma", start="2014", end="2016"), tmp_path, page=page)
    assert result.recipe["page"] == page
    without = {name: value for name, value in result.recipe.items() if name != "page"}
    assert trial_key(result.recipe) == trial_key(without), "words are no other trial"
    drawn = (folder / "tearsheet.html").read_text(encoding="utf-8")
    for words in ('<h1 dir="auto">My &lt;idea&gt;</h1>', "First &amp; last.", "<p>Mine</p></div>", 'href="#own"'):
        assert words in drawn
    assert "alert(1)" not in drawn
    rebuild(folder)
    stamp = r'<p id="stamp">.*?</p>'
    assert re.sub(stamp, "", (folder / "tearsheet.html").read_text(encoding="utf-8")) == re.sub(stamp, "", drawn)
