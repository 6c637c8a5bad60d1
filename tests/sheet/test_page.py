"""A page carries its own policy, runs only what it names, and shows whatever it is given as text."""

import base64
import hashlib
import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markupsafe import Markup

from rollcast.backtests.sheet.page import CHART_LIBRARY, HERE, asset, environment, policy, render
from rollcast.backtests.sheet.report import SCRIPTS
from rollcast.backtests.sheet.words import number, percent, sort_key
from tests.sheet.conftest import HOSTILE


def hashes_of(scripts: list[str]) -> set[str]:
    return {"sha256-" + base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts}


@pytest.mark.parametrize("kind", ["winning", "hostile", "lstm"])
def test_the_policy_names_the_hash_of_every_script_and_of_nothing_else(sheet, kind):
    page = sheet(kind).read_text(encoding="utf-8")
    (content,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.split(" ", 1) for rule in content.replace("&#39;", "'").split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["style-src"] == "'unsafe-inline'"
    assert rules["img-src"] == "data:"
    named = {source.strip("'") for source in rules["script-src"].split()}
    assert named == hashes_of(re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL))
    assert len(named) == len(SCRIPTS) + 1, "and that of the theme"


@pytest.mark.parametrize("kind", ["winning", "hostile", "lstm"])
def test_a_sheet_is_one_file_that_asks_for_nothing(sheet, kind):
    page = sheet(kind).read_text(encoding="utf-8")
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r"<(?:link|iframe|img|object|embed|base|form|image)\b", markup)
    assert not re.findall(r"\s(?:src|srcset|action|data|on\w+)\s*=", re.sub(r'data-v="[^"]*"', "", markup))
    assert set(re.findall(r'href="([^#"]*)', markup)) - {""} == {
        "https://github.com/ranaroussi/quantstats",
        "https://www.tradingview.com/",
    }
    assert not re.search(r"url\((?!#|&quot;#)|@import", markup)
    assert len(page) < 6e6
    assert page.count("@license") == 1, "one copy of the chart library, with its notice"


def test_hostile_names_are_text_everywhere(sheet):
    page = sheet("hostile").read_text(encoding="utf-8")
    body = page[page.index("<body") :]
    assert "<script>alert" not in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $\\frac{a}$ {{metrics}} &#34;&#39;&amp;amp;" in body
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", body)
    assert body.count("alert(1)") >= 4, "the title, the names, the recipe and the command"


def test_data_in_a_page_cannot_end_its_element():
    source = environment().from_string('<script type="application/json">{{ value | tojson }}</script>')
    page = source.render(value={"</script><script>alert(1)": HOSTILE.replace("\ud800", "")})
    assert page.count("</script>") == 1
    inside = page.removeprefix('<script type="application/json">').removesuffix("</script>")
    assert json.loads(inside) == {"</script><script>alert(1)": HOSTILE.replace("\ud800", "")}


def test_a_further_page_needs_no_more_than_a_template():
    page = render("base.html", {"title": "<b>Runs</b>", "nav": [("all", "All runs")]})
    assert "<title>&lt;b&gt;Runs&lt;/b&gt;</title>" in page
    assert '<a href="#all">All runs</a>' in page
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert scripts == [asset("theme.js"), asset("sort.js")]
    assert "script-src 'none'" in policy([])


def test_a_name_the_context_lacks_is_an_error():
    with pytest.raises(UndefinedError, match="title"):
        render("base.html", {"nav": []})


def test_names_are_escaped_and_markup_is_not():
    source = environment().from_string("{{ a }}{{ b }}")
    assert source.render(a="<i>", b=Markup("<i>")) == "&lt;i&gt;<i>"


def test_the_vendored_library_is_the_one_its_readme_names():
    path = HERE / "vendor" / CHART_LIBRARY
    readme = (path.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(path.read_bytes()).hexdigest() in readme
    version = re.search(r"\| version \| ([\d.]+) \|", readme)[1]
    assert f"Lightweight Charts™ v{version}" in path.read_text(encoding="utf-8")[:300]
    assert "Apache License" in (path.parent / "LICENSE").read_text(encoding="utf-8")
    assert "TradingView" in (path.parent / "NOTICE").read_text(encoding="utf-8")
    assert "</script" not in path.read_text(encoding="utf-8")


def test_every_template_and_asset_is_packaged():
    import tomllib

    root = Path(__file__).parents[2]
    packaged = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]
    files = {f for f in HERE.rglob("*") if f.is_file() and f.suffix not in (".py", ".pyc")}
    assert files == {f for pattern in packaged["rollcast.backtests.sheet"] for f in HERE.glob(pattern)}


@given(st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 6))
def test_a_number_is_written_without_a_hyphen_a_signed_zero_or_a_loss(value, digits):
    text = number(value, digits)
    assert "-" not in text
    if abs(value) < 1e12:
        parsed_value = float(text.replace("−", "-").replace(",", ""))
        assert parsed_value == pytest.approx(value, abs=0.5000001 * 10.0**-digits)
        assert not (parsed_value == 0 and "−" in text)


@given(st.one_of(st.none(), st.just(math.nan), st.floats(-1e9, 1e9)))
def test_a_percentage_has_one_unit_and_a_dash_has_none(value):
    text = percent(value)
    assert text == "–" if value is None or value != value else text.endswith("\u202f%")
    none = value is None or value != value
    assert sort_key(value) == "" if none else float(sort_key(value)) == pytest.approx(value, rel=1e-6)
