"""Builds the recurrent nets' kernel, once for each instruction set, and the accounts; without a compiler, neither.

Metadata lives in pyproject.toml. The libraries are loaded with ctypes, so they are no Python modules, and one wheel
serves every Python of a platform.
"""

import platform
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

KERNEL = Path("predictors/recurrent/cpp")
# Never -ffast-math: it breaks the rounding that the kernel's exponential rests on.
COMMON = ["-std=c++17", "-O3", "-g0", "-pthread", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math"]
BUILDS = {"portable": []}
if platform.machine().lower() in ("x86_64", "amd64"):
    BUILDS["avx2"] = ["-mavx2", "-mfma"]
    BUILDS["avx512"] = ["-mavx512f", "-mavx512dq", "-mfma", "-mprefer-vector-width=512"]


class BuildKernel(build_ext):
    """Keeps the builds' objects apart, for they come from one source, and asks for no Python entry point."""

    def build_extension(self, ext):
        shared, self.build_temp = self.build_temp, str(Path(self.build_temp) / ext.name)
        super().build_extension(ext)
        self.build_temp = shared

    def get_ext_filename(self, fullname):
        """Without the tag of one Python, as `predictors/native.py` looks for it."""
        return f"{fullname.replace('.', '/')}{EXTENSION_SUFFIXES[-1]}"

    def get_export_symbols(self, ext):
        return []


class Wheel(bdist_wheel):
    """For every Python of this platform."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


# One name in site-packages: what lies side by side in the checkout lies inside it.
PARTS = ("predictors", "strategies", "backtests")
PACKAGES = ["rollcast", *(f"rollcast.{name}" for name in find_packages(include=[f"{part}*" for part in PARTS]))]

setup(
    packages=PACKAGES,
    package_dir={"rollcast": "rollcast"} | {f"rollcast.{part}": part for part in PARTS},
    ext_modules=[
        Extension(
            f"rollcast.predictors.recurrent._kernel_{name}",
            [str(KERNEL / "kernel.cpp")],
            depends=[str(path) for path in sorted(KERNEL.glob("*.h"))],
            extra_compile_args=COMMON + flags,
            extra_link_args=["-pthread"],
            language="c++",
            optional=True,
        )
        for name, flags in BUILDS.items()
    ]
    + [
        Extension(
            "rollcast.backtests.account._accounts",
            ["backtests/account/cpp/accounts.cpp"],
            # No fused multiply-adds: every rounding is the engine's.
            extra_compile_args=[*COMMON, "-ffp-contract=off"],
            extra_link_args=["-pthread"],
            language="c++",
            optional=True,
        )
    ],
    cmdclass={"bdist_wheel": Wheel, "build_ext": BuildKernel},
)
