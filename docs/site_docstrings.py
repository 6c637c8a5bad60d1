"""Docstrings as Markdown: a paragraph whose lines say `name: what it is` becomes a list. mkdocs.yml names this file."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

FIELD = re.compile(r"^((?:\w+, )*\w+):\s+(?=\S)")


class Lists(Extension):
    """Rewrites the docstring of everything that is read."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Called by griffe for each class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """The docstring with each paragraph of fields, and of examples, as Markdown has them."""
    return "\n\n".join(_paragraph(part) for part in text.split("\n\n"))


def _paragraph(part: str) -> str:
    if part.startswith(">>>"):
        return f"```pycon\n{part}\n```"
    if not FIELD.match(part):
        return part
    lines = [FIELD.sub(r"* `\1`: ", line) if FIELD.match(line) else f"    {line.strip()}" for line in part.splitlines()]
    return "\n".join(lines)
