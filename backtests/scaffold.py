"""Writes the template of a plugin: a file that works, or a distribution that contains it."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from string import Template

from ..predictors.registry import PREDICTORS
from .pipeline.strategies import STRATEGIES

TEMPLATES = Path(__file__).parent / "templates"
GROUPS = {"predictor": PREDICTORS, "learner": PREDICTORS, "strategy": STRATEGIES}
BASES = ("Predictor", "Learner", "NameRule")  # what the templates import


def write_plugin(kind: str, name: str, folder: Path, *, package: bool = False) -> list[Path]:
    """Writes `my_idea.py`, or with `package` a folder `rollcast-my-idea/` to install. Returns the files written.

    kind: predictor, learner or strategy.   name: of the plugin, in any case.   folder: where the file or folder is put.

    Raises ValueError for a name that makes no Python module or is taken, FileExistsError rather than overwrite.
    """
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)
    fill = {
        "kind": kind,
        "name": "-".join(words).lower(),
        "title": " ".join(words).capitalize(),
        "class": "".join(word[0].upper() + word[1:] for word in words),
        "module": "_".join(words).lower(),
        "group": GROUPS[kind].group,
        "distribution": "rollcast-" + "-".join(words).lower(),
    }
    _check(kind, name, fill)
    files = {f"{fill['module']}.py": f"{kind}.py.txt"}
    if package:
        folder /= fill["distribution"]
        test = "strategy" if kind == "strategy" else "predictor"
        files["pyproject.toml"] = "package/pyproject.toml.txt"
        files[f"tests/test_{fill['module']}.py"] = f"package/test_{test}.py.txt"
    target = folder if package else folder / f"{fill['module']}.py"
    if target.exists() or target.is_symlink():
        raise FileExistsError(f"{target} is there already; choose another name or move it away")
    for path, template in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        text = Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(fill)
        (folder / path).write_text(text, encoding="utf-8")
    return [folder / path for path in files]


def _check(kind: str, name: str, fill: dict[str, str]) -> None:
    """Raises ValueError unless the name gives a valid module, class and plugin, none of which exists already."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        raise ValueError(f"a {kind}'s name is letters, digits, - and _, beginning with a letter; got {name!r}")
    if keyword.iskeyword(fill["module"]) or keyword.iskeyword(fill["class"]) or fill["class"] in BASES:
        raise ValueError(f"{name!r} means something else in the file it would name; choose another name")
    if known := GROUPS[kind].names().get(fill["name"]) or GROUPS[kind].names().get(fill["module"]):
        raise ValueError(f"there is a {GROUPS[kind].kind} {fill['name']!r} already ({known}); choose another name")
    # A file of that name beside a script would be imported in the module's place.
    if fill["module"] in sys.stdlib_module_names or _installed(fill["module"]):
        raise ValueError(f"there is a Python module {fill['module']!r} already; choose another name")


def _installed(module: str) -> bool:
    """Whether a module of that name can be imported from elsewhere than the working directory."""
    spec = find_spec(module)
    if spec is None:
        return False
    here = Path.cwd()
    return not (spec.origin and Path(spec.origin).resolve() == here / f"{module}.py")
