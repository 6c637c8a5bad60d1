"""A user's own part of a page: HTML from a file, of which only harmless elements are kept.

What is kept is written anew from the parsed text: elements of `ELEMENTS` without attributes but those of `ATTRIBUTES`,
all of them closed, and everything else as escaped text. No element is among them whose content HTML reads in another
way (script, style, svg, math, template, noscript …), so that a browser reads what was written. Beside that, the page's
policy runs no script and loads nothing.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from markupsafe import Markup, escape

BLOCKS = ("p", "h3", "h4", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "pre", "hr", "div", "figure", "figcaption")
TABLES = ("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td")
WORDS = ("a", "abbr", "b", "br", "cite", "code", "em", "i", "img", "kbd", "mark", "q", "s", "samp", "small", "span")
ELEMENTS = frozenset((*BLOCKS, *TABLES, *WORDS, "strong", "sub", "sup", "u", "var"))
SPANS = {name: re.compile(r"\d{1,3}") for name in ("colspan", "rowspan")}
ATTRIBUTES = {
    "a": {"href": re.compile(r"(https?://|mailto:|#)[^\x00-\x20\"'<>]*")},
    "img": {
        "src": re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*"),
        "alt": re.compile(r"[^\x00-\x1f]*"),
    },
    "th": SPANS,
    "td": SPANS,
}
EMPTY = frozenset(("br", "hr", "img"))
# Their content is no text of the page.
DROPPED = frozenset((
    *("script", "style", "template", "noscript", "iframe", "object", "embed", "svg", "math", "title", "textarea"),
    *("select", "xmp", "noembed"),
))  # fmt: skip


def harmless(fragment: str) -> Markup:
    """The fragment without what could act, load, restyle the page or leave its place."""
    parser = _Parser()
    parser.feed(fragment)
    parser.close()
    return Markup("".join([*parser.parts, *(f"</{tag}>" for tag in reversed(parser.open))]))


class _Parser(HTMLParser):
    """Collects what is kept; open: elements that are not closed yet."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.open: list[str] = []
        self._dropped: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in DROPPED:
            self._dropped.append(tag)
        elif tag in ELEMENTS and not self._dropped:
            self.parts.append(f"<{tag}{''.join(_kept(tag, attrs))}>")
            if tag not in EMPTY:
                self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._dropped:
            del self._dropped[self._dropped.index(tag) :]
        elif tag in self.open and not self._dropped:
            place = len(self.open) - 1 - self.open[::-1].index(tag)
            self.parts += [f"</{inner}>" for inner in reversed(self.open[place:])]
            del self.open[place:]

    def handle_data(self, data: str) -> None:
        if not self._dropped:
            self.parts.append(escape(data))


def _kept(tag: str, attrs: list[tuple[str, str | None]]) -> list[str]:
    allowed, kept = ATTRIBUTES.get(tag, {}), {}
    for name, value in attrs:
        if name in allowed and name not in kept and allowed[name].fullmatch(value or ""):
            kept[name] = f' {name}="{escape(value or "")}"'
    return list(kept.values()) + [' rel="noreferrer"'] * ("href" in kept)
