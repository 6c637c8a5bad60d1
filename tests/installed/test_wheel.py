"""The wheel: for every Python of its platform, enough for a verdict, and without torch lacking only what needs it."""

import re
import shutil
import subprocess
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import release
from tests.installed.environment import NOT_COPIED, ROOT, Environment

pytestmark = pytest.mark.slow
NET = ["-p", "epochs=2", "-p", "seeds=1", "--start", "2015"]


@pytest.fixture
def without_torch(
    new_environment: Callable[[Path], Environment], dependencies: Path, wheel: Path, tmp_path: Path
) -> Environment:
    """An environment with the wheel and all that it needs but torch."""
    others = tmp_path / "others"
    others.mkdir()
    for entry in dependencies.iterdir():
        if not entry.name.startswith("torch"):
            (others / entry.name).symlink_to(entry)
    environment = new_environment(tmp_path / "environment")
    (environment.site / "dependencies.pth").write_text(f"{others}\n", encoding="utf-8")
    environment.install_rollcast("wheel", wheel)
    return environment


def test_a_wheel_serves_every_python_of_its_platform(wheel):
    platform = re.sub(r"\W", "_", sysconfig.get_platform())
    tag = f"py3-none-{platform}"
    assert wheel.name.endswith(f"-{tag}.whl")
    with zipfile.ZipFile(wheel) as archive:
        (info,) = [name for name in archive.namelist() if name.endswith(".dist-info/WHEEL")]
        assert re.findall(r"^Tag: (.*)$", archive.read(info).decode(), re.MULTILINE) == [tag]
    if shutil.which("c++"):
        assert {Path(name).stem for name in release.kernels(wheel)} >= {"_kernel_portable"}
    assert not [name for name in release.kernels(wheel) if "cpython" in name or "cp3" in name]


def test_a_wheel_gives_a_verdict(new_environment, wheel, tmp_path):
    environment = new_environment(tmp_path / "environment")
    environment.install_rollcast("wheel", wheel)
    printed = environment.run([*environment.command, "backtest", "-P", "sma", "--out", "runs"], tmp_path)
    assert "yes       Was it kept from seeing the future?" in printed
    (sheet,) = tmp_path.glob("runs/*-sma-SPY/tearsheet.html")
    assert str(sheet.relative_to(tmp_path)) in printed


def test_without_torch_a_net_is_backtested_and_one_line_says_what_is_lost(without_torch, tmp_path):
    without_torch.run([without_torch.python, "-c", "import torch"], tmp_path, fails=True)
    printed = without_torch.run([*without_torch.command, "backtest", "-P", "lstm", *NET, "--out", "runs"], tmp_path)
    assert printed.count("gates and states are not recorded: torch cannot be imported") == 1
    assert "yes       Was it kept from seeing the future?" in printed


def test_without_torch_what_needs_none_works_and_what_needs_it_says_so_in_a_line(without_torch, tmp_path):
    for words in (
        ["list"],
        ["check", "sma"],
        ["explain", "sma", "--out", "runs"],
        ["compare", "sma", "ema", "--start", "2018", "--out", "runs"],
        ["sweep", "-P", "sma", "-p", "window=20:40:10", "--start", "2018", "--out", "runs"],
        ["predict", "SPY", "-P", "ols"],
    ):
        without_torch.run([*without_torch.command, *words], tmp_path)
    printed = without_torch.run([*without_torch.command, "doctor"], tmp_path)
    assert re.search(r"^lacking\s+torch\s.*lost are", printed, re.MULTILINE)
    printed = without_torch.run([*without_torch.command, "explain", "lstm", "--out", "runs"], tmp_path, fails=True)
    assert re.fullmatch(r"Error: .*torch.*", printed.strip().splitlines()[-1])
    assert "Traceback" not in printed


def test_a_wheel_built_from_the_sdist_is_the_wheel(wheel, tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "false")  # what is compiled takes long, and is compared by none
    monkeypatch.setenv("CXX", "false")
    source = shutil.copytree(ROOT, tmp_path / "source", ignore=NOT_COPIED)
    sdist = release.build("sdist", source, tmp_path / "dist")
    shutil.unpack_archive(sdist, tmp_path, filter="data")
    again = release.build("wheel", tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path / "dist")
    ours, theirs = (set(zipfile.ZipFile(path).namelist()) - set(release.kernels(path)) for path in (wheel, again))
    assert ours == theirs


def test_a_release_is_refused_with_every_reason_until_it_is_ready(tmp_path):
    root = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-tags", str(ROOT), str(root)], check=True)
    version = release.version_of(root)
    assert list(release.problems(root, version)) == []
    release.git(root, "tag", f"v{version}", "HEAD~1")
    (root / "CHANGELOG.md").write_text("# Changelog\n\n## 0.0.1\n\n- Older.\n", encoding="utf-8")
    (root / "CITATION.cff").write_text("cff-version: 1.2.0\nversion: 0.0.1\n", encoding="utf-8")
    reasons = list(release.problems(root, version))
    assert [re.search(r"not clean|CHANGELOG|CITATION|tag", reason)[0] for reason in reasons] == [
        *("not clean", "CHANGELOG", "CITATION", "tag")
    ]
