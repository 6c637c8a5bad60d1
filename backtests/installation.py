"""What is installed: versions of packages, and the files of a package that can change what it computes."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

SUFFIXES = {".py", ".so", ".pyd", ".cpp", ".h"}  # of sources and compiled modules


def version_of(package: str) -> str | None:
    """The version of an installed distribution; None where it is not installed, as in a bare checkout."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def source_files(folder: Path) -> list[Path]:
    """All sources and compiled modules below a folder, sorted, with symbolic links resolved."""
    files = folder.resolve().rglob("*")
    return sorted(path for path in files if path.suffix in SUFFIXES and "__pycache__" not in path.parts)
