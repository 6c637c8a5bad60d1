"""The page that `explain` writes: what a predictor makes of the past, section by section."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..json_values import Values
from ..sheet.page import render
from ..sheet.svg import Chart
from . import unit


@dataclass(frozen=True)
class Image:
    """A figure that matplotlib drew, and how to read it."""

    title: str
    reading: str
    svg: str

    @property
    def data(self) -> str:
        return base64.b64encode(self.svg.encode()).decode()


@dataclass(frozen=True)
class Steps:
    """The diagram of a unit, and its values at every step, which a slider shows."""

    diagram: str
    values: list[Values]
    dates: list[str]


@dataclass(frozen=True)
class Section:
    """A part of the page, and the tables and figures that it leaves beside it, by file name without ending."""

    id: str
    title: str
    reading: str
    prose: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    images: tuple[Image, ...] = ()
    steps: Steps | None = None
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)


def write_page(folder: Path, title: str, facts: tuple[str, ...], sections: list[Section]) -> None:
    """Writes `explain.html`, a parquet file for each table and an SVG for each figure, into an existing folder."""
    for section in sections:
        for name, table in section.tables.items():
            table.to_parquet(folder / f"{name}.parquet")
        for name, text in section.figures.items():
            (folder / f"{name}.svg").write_text(text, encoding="utf-8", newline="\n")
    scripts = ("unit.js",) if any(section.steps for section in sections) else ()
    nav = [(section.id, section.title) for section in sections]
    context = {"title": title, "facts": facts, "sections": sections, "nav": nav, "unit": unit}
    page = render("explain.html", context, scripts=scripts)
    (folder / "explain.html").write_text(page, encoding="utf-8", newline="\n")
