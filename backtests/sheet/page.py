"""A page of HTML from a template: one file that loads nothing, and runs only the scripts whose hashes it names.

A template extends `base.html` and fills its block `body`; its context has a `title` and, for the list of sections,
`nav`. Whatever is not `Markup` is escaped. A further page needs no more than a template and a call of `render`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .values import Context
from .words import FILTERS

HERE = Path(__file__).parent
THEME = "theme.js"
CHART_LIBRARY = "lightweight-charts/lightweight-charts.standalone.production.js"


@functools.cache
def environment() -> Environment:
    """The templates, with escaping, the filters of `words`, and an error for a name that is not there."""
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= FILTERS
    env.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    env.globals |= {"asset": asset}
    return env


@functools.cache
def asset(name: str) -> Markup:
    """A style or script of the page, as it is: from `templates/`, or the chart library from `vendor/`.

    Raises FileNotFoundError for another name.
    """
    folder = "vendor" if name == CHART_LIBRARY else "templates"
    return Markup((HERE / folder / name).read_text(encoding="utf-8").strip())


def policy(scripts: list[Markup]) -> str:
    """The Content-Security-Policy that lets these scripts run, and nothing be loaded.

    A script is named by the hash of its text, so one that a hostile name smuggles into the page does not run.
    """
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src {hashes or chr(39) + 'none' + chr(39)}; base-uri 'none'; form-action 'none'"
    )


def render(template: str, context: Context, *, scripts: tuple[str, ...] = ("sort.js",)) -> str:
    """The page of a template with these variables; `scripts` are the assets it may run, in this order, at its end.

    The script of the theme, in the head of every page, runs before anything is drawn.

    Raises jinja2.UndefinedError for a variable of the template that the context lacks.
    """
    sources = [asset(name) for name in scripts]
    rules = policy([asset(THEME), *sources])
    page = environment().get_template(template).render(context, scripts=sources, policy=rules)
    return page if page.endswith("\n") else page + "\n"
