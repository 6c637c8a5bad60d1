"""Environments that see what the running one has installed but for rollcast, so that no other copy can be imported."""

import os
import shutil
import sys
import venv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from tests.installed.environment import NOT_COPIED, OFFLINE, PIP, ROOT, Environment, run

KINDS = [pytest.param("wheel", marks=pytest.mark.slow), pytest.param("editable", marks=pytest.mark.slow), "checkout"]


@pytest.fixture(scope="session")
def dependencies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the running environment has installed, but for rollcast and what only runs at start-up."""
    folder = tmp_path_factory.mktemp("dependencies")
    for site in {Path(path) for path in sys.path if Path(path).name in ("site-packages", "dist-packages")}:
        for entry in site.iterdir():
            if "rollcast" not in entry.name and entry.suffix != ".pth" and entry.name != "__pycache__":
                (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built once for all of xdist's processes, since that compiles the kernel.

    With CC and CXX set to `false` it is built at once, without the kernel.
    """
    pytest.importorskip("setuptools")
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    with FileLock(shared / "wheel.lock"):
        if not (shared / "wheels").exists():
            source = shutil.copytree(ROOT, tmp_path_factory.mktemp("build") / "source", ignore=NOT_COPIED)
            built = source.parent / "wheels"
            run([*PIP, "wheel", "--no-build-isolation", *OFFLINE, "--wheel-dir", str(built), str(source)], source)
            built.rename(shared / "wheels")
    (path,) = (shared / "wheels").glob("rollcast-*.whl")
    return path


@pytest.fixture(scope="session")
def new_environment(dependencies: Path) -> Callable[[Path], Environment]:
    """Makes an environment without rollcast in a new folder."""

    def make(folder: Path) -> Environment:
        venv.create(folder, symlinks=True, with_pip=False)
        environment = Environment(folder)
        (environment.site / "dependencies.pth").write_text(f"{dependencies}\n", encoding="utf-8")
        return environment

    return make


@pytest.fixture(scope="session", params=KINDS)
def installed(request, new_environment, tmp_path_factory) -> tuple[Environment, Path]:
    """An environment with rollcast in one of three ways, and the folder that must come from; no test changes it."""
    environment = new_environment(tmp_path_factory.mktemp("environment") / request.param)
    if request.param == "checkout":
        return replace(environment, checkout=ROOT), ROOT / "rollcast"
    return environment, environment.install_rollcast(request.param, request.getfixturevalue("wheel"))
