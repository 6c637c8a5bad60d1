"""`import rollcast`: its names, what importing them costs, and that the documents name and use them."""

import ast
import importlib
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import rollcast

ROOT = Path(__file__).parents[1]
STUB = ast.parse((ROOT / "rollcast" / "__init__.pyi").read_text(encoding="utf-8"))
API = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
HEAVY = {"backtrader", "click", "matplotlib", "numpy", "pandas", "quantstats", "scipy", "torch"}
SHOWN = [
    *(ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*.py")),
    *(*(ROOT / "examples").rglob("*.py"), *(ROOT / "backtests" / "templates").rglob("*.txt")),
]


def loaded_after(code: str) -> set[str]:
    """What of the heavy packages is imported after this code, run in a fresh process."""
    code += f"\nimport sys; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_rollcast_imports_no_package_of_others():
    assert loaded_after("import rollcast; dir(rollcast)") == set()


def test_importing_a_predictor_imports_neither_torch_nor_backtrader():
    assert loaded_after("from rollcast import LSTM, SMA, Learner, Predictor, WalkForward") <= {"numpy", "pandas"}


def test_the_stub_is_all_import_statements_but_for_the_version():
    *imports, version = STUB.body[1:]
    assert ast.unparse(version) == "__version__: str"
    aliases = [(node.names[0].name, node.names[0].asname) for node in imports if isinstance(node, ast.ImportFrom)]
    assert len(aliases) == len(imports)
    assert [name for name, _ in aliases] == [renamed for _, renamed in aliases]
    assert sorted(name for name, _ in aliases) == rollcast.__all__


@pytest.mark.parametrize("name", rollcast.__all__)
def test_a_public_name_is_the_object_its_module_defines(name):
    (module,) = [node.module for node in STUB.body if isinstance(node, ast.ImportFrom) and node.names[0].name == name]
    value = getattr(rollcast, name)
    assert value is getattr(importlib.import_module(module), name)
    assert getattr(value, "__module__", module) in (module, "rollcast.predictors.registry")


def test_every_public_name_is_documented():
    for node in STUB.body:
        if isinstance(node, ast.ImportFrom):
            name, file = node.names[0].name, ROOT.joinpath(*node.module.split(".")[1:]).with_suffix(".py")
            body = ast.parse(file.read_text(encoding="utf-8")).body
            assert any(documented(one, after) == name for one, after in pairwise([*body, None])), name


def documented(node: ast.stmt, after: ast.stmt | None) -> str | None:
    """The name that a statement defines with a docstring; that of a variable stands after it."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return node.name if ast.get_docstring(node) else None
    text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
    return (
        node.targets[0].id if isinstance(node, ast.Assign) and text and isinstance(node.targets[0], ast.Name) else None
    )


def test_dir_lists_the_public_names_and_the_three_packages():
    assert dir(rollcast) == sorted([*rollcast.__all__, "backtests", "predictors", "strategies"])


def test_a_wrong_name_is_an_attribute_error_that_suggests_the_nearest():
    with pytest.raises(AttributeError, match=r"module 'rollcast' has no attribute 'LTSM'\. Did you mean 'LSTM'\?"):
        rollcast.LTSM  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no attribute 'zzz'$"):
        rollcast.zzz  # noqa: B018


def test_the_page_on_python_lists_every_public_name_once():
    table = API.partition("## The names")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)", table, re.MULTILINE)) == rollcast.__all__


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_users_read_imports_public_names_from_rollcast_and_none_of_the_former_packages(path):
    imports = re.findall(r"^from ([\w.]+) import ([\w, ]+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    for module, names in imports:
        assert module.partition(".")[0] not in ("predictors", "strategies", "backtests")
        if module.startswith("rollcast."):
            assert not set(re.findall(r"\w+", names)) & set(rollcast.__all__)
