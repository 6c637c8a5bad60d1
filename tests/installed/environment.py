"""Virtual environments with rollcast as a wheel, as an editable install, and as a checkout on the path."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
OFFLINE = ["--no-index", "--no-deps"]
NOT_COPIED = shutil.ignore_patterns(
    *(".*", "build", "dist", "runs", "tests", "benchmarks", "__pycache__", "*.egg-info", "*.so")
)


@dataclass(frozen=True)
class Environment:
    """A virtual environment; of a checkout on the path, the folder of it."""

    folder: Path
    checkout: Path | None = None

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    @property
    def command(self) -> list[str]:
        """The command line as its user calls it, from any folder."""
        return [self.python, str(self.checkout / "cli.py")] if self.checkout else [str(self.folder / "bin/rollcast")]

    @property
    def site(self) -> Path:
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder), "platbase": str(self.folder)}))

    def pip(self, *arguments: str) -> None:
        """Runs the running environment's pip on this one; what it builds, it builds without a compiler."""
        run([*PIP, "--python", self.python, *arguments], self.folder, os.environ | {"CC": "false", "CXX": "false"})

    def install_rollcast(self, kind: str, wheel: Path) -> Path:
        """Installs rollcast as a wheel or as an editable checkout; returns the folder it must be imported from."""
        if kind == "wheel":
            self.pip("install", *OFFLINE, str(wheel))
            return self.site / "rollcast"
        source = shutil.copytree(ROOT, self.folder / "checkout", ignore=NOT_COPIED)
        self.pip("install", "--no-build-isolation", *OFFLINE, "--editable", str(source))
        return source / "rollcast"

    def run(self, command: list[str], cwd: Path, *, fails: bool = False) -> str:
        """What a command prints; asserts that it succeeds, or that it fails."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        environment |= {"PYTHONPATH": str(self.checkout or ""), "OMP_NUM_THREADS": "1"}
        return run(command, cwd, environment, fails=fails)

    def execute(self, code: str, cwd: Path, *arguments: str) -> str:
        """What Python code prints, run as a script in a folder."""
        (cwd / "script.py").write_text(code, encoding="utf-8")
        return self.run([self.python, "script.py", *arguments], cwd)


def run(command: list[str], cwd: Path, environment: dict[str, str] | None = None, *, fails: bool = False) -> str:
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, cwd=cwd, env=environment, text=True, **output)
    assert (done.returncode != 0) is fails, f"{command}\n{done.stdout}"
    return done.stdout


def write_wheel(folder: Path, name: str, files: dict[str, str], entry_points: str = "") -> Path:
    """A wheel of these files, version 1.2."""
    info = f"{name}-1.2.dist-info"
    contents = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": entry_points,
    }
    record = "".join(f"{path},,\n" for path in [*contents, f"{info}/RECORD"])
    path = folder / f"{name}-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in (contents | {f"{info}/RECORD": record}).items():
            archive.writestr(member, text)
    return path
