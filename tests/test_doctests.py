"""The examples in docstrings print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("predictors", "strategies", "backtests")
# By their text: to import every module only to find out would load torch.
MODULES = [
    ".".join(["rollcast", *path.relative_to(ROOT).with_suffix("").parts])
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_print_what_they_say(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted
    assert not results.failed


def test_there_are_examples():
    assert len(MODULES) >= 10
