"""Every relative link of the documents leads somewhere: to a file that is there and, with `#`, to a heading of it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
CODE = r"^```.*?^```$|`[^`\n]+`"
LINKS = r'\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"'


def prose(page: Path) -> str:
    return re.sub(CODE, "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of its headings, as a forge makes them: small letters, hyphens for spaces, no other signs."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_of_a_page_leads_somewhere(page):
    for link in (one or other for one, other in re.findall(LINKS, prose(page))):
        if not re.match(r"[a-z]+:", link):
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_example_that_a_page_names_is_there(page):
    for name in re.findall(r"`(examples/[\w./-]+)`", page.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), name


def test_every_page_of_docs_has_its_place_on_the_site():
    placed = re.findall(
        r"^ +- (?:.*: )?([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE
    )
    docs = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert docs <= set(placed)
    assert len(placed) == len(set(placed))


def test_the_links_of_a_page_are_found():
    assert sum(len(re.findall(LINKS, prose(page))) for page in PAGES) > 100
