"""What surrounds the code: requirements, the workflow, the issue form."""

import os
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
TESTED = dict(line.split("==") for line in LINES if not line.startswith("#"))
EXTRAS = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]


@pytest.mark.parametrize("line", [*PROJECT["dependencies"], *EXTRAS])
def test_the_tested_version_is_one_that_the_metadata_allow(line):
    wanted = Requirement(line)
    names = {name.lower().replace("_", "-"): version for name, version in TESTED.items()}
    version = names.get(wanted.name.lower().replace("_", "-"))
    if version is None:
        assert wanted.marker, f"{wanted.name} is in no constraints.txt"
    else:
        assert wanted.specifier.contains(version)


def test_torch_is_a_range_in_the_metadata_and_one_version_in_the_constraints():
    (torch,) = [Requirement(line) for line in PROJECT["dependencies"] if line.startswith("torch")]
    assert {clause.operator for clause in torch.specifier} == {">=", "<"}
    assert "torch" in TESTED


def test_the_workflow_runs_what_continuous_integration_runs():
    yaml = pytest.importorskip("yaml")
    (job,) = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"].values()
    (command,) = [step["run"] for step in job["steps"] if "run" in step]
    assert os.access(ROOT / command, os.X_OK)


def test_the_issue_form_requires_the_recipe_and_what_doctor_prints():
    yaml = pytest.importorskip("yaml")
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/wrong-result.yml").read_text(encoding="utf-8"))
    required = {part["id"] for part in form["body"] if part.get("validations", {}).get("required")}
    assert required == {"what", "recipe", "doctor"}
