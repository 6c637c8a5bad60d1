"""Lays out the pages of the site in build/pages: python -m docs.make_site

Those of docs/; what stands at the top of the repository; the reference of the public names and of the commands; the
gallery of sheets. Equations become MathML, which browsers draw without a script.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import latex2mathml.converter

from docs import make_gallery
from rollcast.backtests.commands.main import main as rollcast

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "build" / "pages"
EQUATION = r"(?P<code>^```.*?^```$|`[^`\n]+`)|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$\n]+)\$"
# Files outside docs/ and the pages they become; other files are copied as they are.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "backtests/prices/PROVENANCE.md": "provenance.md",
}
COPIED = ("CITATION.cff", "Dockerfile", "LICENSE")
GROUPS = {
    "rollcast.backtests": "Backtests and data",
    "rollcast.predictors": "Predictors",
    "rollcast.strategies": "Strategies",
}


def main() -> None:
    """Lays the pages of docs/ and what is generated into build/pages, from which the site is built."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(ROOT / "docs", FOLDER, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    generated = {"api.md": api(), "commands.md": commands(), "gallery.md": make_gallery.page()}
    for source, page in PAGES.items():
        generated[page] = with_site_links((ROOT / source).read_text(encoding="utf-8"))
    for page, text in generated.items():
        (FOLDER / page).write_text(text, encoding="utf-8")
    for page in FOLDER.rglob("*.md"):
        page.write_text(with_equations(as_installed(page.read_text(encoding="utf-8"))), encoding="utf-8")
    for name in COPIED:
        shutil.copy(ROOT / name, FOLDER)
    (FOLDER / "gallery").mkdir()
    for sheet in make_gallery.sheets():
        shutil.copy(sheet, FOLDER / "gallery")


def as_installed(text: str) -> str:
    """A page with the commands of a checkout as those of an installed rollcast, but where it names both."""
    lines = (
        line if "`python cli.py`" in line else line.replace("python cli.py", "rollcast") for line in text.split("\n")
    )
    return "\n".join(lines)


def with_equations(text: str) -> str:
    """A page with each of its equations, outside of code, as MathML."""

    def drawn(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        display = "block" if match["block"] else "inline"
        return latex2mathml.converter.convert(match["block"] or match["inline"], display=display)

    return re.sub(EQUATION, drawn, text, flags=re.MULTILINE | re.DOTALL)


def with_site_links(text: str) -> str:
    """The text of a file at the top of the repository, with its relative links as the site has them."""

    def moved(match: re.Match[str]) -> str:
        target = match[2]
        return f"{match[1]}{PAGES.get(target, target.removeprefix('docs/'))}"

    return re.sub(r'(\]\(|src(?:set)?=")([^)"#:]+)(?=[)"#])', moved, text)


def api() -> str:
    """The reference of every public name, as `rollcast/__init__.pyi` has them, by the package it is defined in."""
    stub = (ROOT / "rollcast" / "__init__.pyi").read_text(encoding="utf-8")
    names = re.findall(r"^from (\S+) import (\w+) as", stub, re.MULTILINE)
    parts = [
        "# Public names\n\nAll of them are imported from `rollcast`; [From Python](python-api.md) shows them at work.\n"
    ]
    for package, title in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [f"::: {module}.{name}\n" for module, name in names if module.startswith(package)]
    return "\n".join(parts)


def commands() -> str:
    """The reference of every command, with its options as `--help` has them."""
    start = "# Commands\n\n`rollcast` where it is installed; in a checkout `python cli.py`, with the same arguments."
    return "\n\n".join([start, *described(click.Context(rollcast, info_name="rollcast", max_content_width=100))])


def described(context: click.Context) -> Iterator[str]:
    """The Markdown of a command and of those below it."""
    command = context.command
    if context.parent:
        yield f"{'#' * (1 + context.command_path.count(' '))} {context.command_path}"
        yield from (part.replace("\n", " ") for part in (command.help or "").replace("\b", "").split("\n\n"))
        yield f"```text\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```"
    rows = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    table = [f"| `{names.replace('|', ', ')}` | {text.replace('|', '&#124;')} |" for names, text in rows]
    yield "\n".join(["| option | |", "|---|---|", *table])
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below:
                yield from described(click.Context(below, info_name=name, parent=context, max_content_width=100))


if __name__ == "__main__":
    main()
