"""Compiles the GPU's kernel at run time with NVRTC, for the GPU at hand, and caches what it compiled.

NVRTC comes as a wheel (`nvidia-cuda-nvrtc`), so no CUDA toolkit is needed.

Reference: https://docs.nvidia.com/cuda/nvrtc
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

SOURCES = Path(__file__).parent / "cpp"
CACHE = Path(platformdirs.user_cache_dir("rollcast", appauthor=False)) / "gpu"


def binary(macros: Mapping[str, object], capability: tuple[int, int]) -> bytes:
    """The kernel with these macros of cpp/gpu/shape.h, for GPUs of this compute capability; from the cache if there.

    Raises ImportError without the extra `gpu`, and RuntimeError where it cannot be compiled.
    """
    path = CACHE / f"{_key(macros, capability)}.cubin"
    try:
        return path.read_bytes()
    except OSError:
        pass
    made, _ = compile_kernel(macros, capability)
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        # Appears whole: another process may read it at any time.
        with tempfile.NamedTemporaryFile(dir=CACHE, suffix=".part", delete=False) as file:
            file.write(made)
        os.replace(file.name, path)
    except OSError:
        pass  # a cache that cannot be written costs the next process the seconds of compiling
    return made


def compile_kernel(macros: Mapping[str, object], capability: tuple[int, int], *options: str) -> tuple[bytes, str]:
    """The compiled kernel and the compiler's log. For a GPU newer than the compiler: PTX, for the driver to finish.

    Raises as `binary`.
    """
    from cuda.bindings import nvrtc

    number = capability[0] * 10 + capability[1]
    newest = max(_call(nvrtc.nvrtcGetSupportedArchs))
    target = f"sm_{number}" if number <= newest else f"compute_{newest}"
    source = (SOURCES / "gpu" / "training.cu").read_bytes()
    program = _call(nvrtc.nvrtcCreateProgram, source, b"training.cu", 0, [], [])
    words = [f"--gpu-architecture={target}", "--std=c++17", f"--include-path={SOURCES / 'gpu'}", *options]
    words += [f"--define-macro={name}={value}" for name, value in macros.items()]
    try:
        result = nvrtc.nvrtcCompileProgram(program, len(words), [word.encode() for word in words])[0]
        log = b" " * _call(nvrtc.nvrtcGetProgramLogSize, program)
        _call(nvrtc.nvrtcGetProgramLog, program, log)
        text = log.rstrip(b"\0 ").decode(errors="replace")
        if result != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise RuntimeError(f"NVRTC could not compile the kernel for {target}: {text}")
        size, get = (nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN)
        if number > newest:
            size, get = (nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX)
        made = b" " * _call(size, program)
        _call(get, program, made)
        return made, text
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _key(macros: Mapping[str, object], capability: tuple[int, int]) -> str:
    """Of everything the binary depends on: sources, macros, the GPU's generation and the compiler."""
    from cuda.bindings import nvrtc

    digest = hashlib.sha256(repr((sorted(macros.items()), capability, nvrtc.nvrtcVersion()[1:])).encode())
    for path in sorted([*SOURCES.glob("*.h"), *SOURCES.glob("gpu/*")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _call(function: Any, *arguments: Any) -> Any:
    """The value of a call to NVRTC. Raises RuntimeError where it fails."""
    error, *values = function(*arguments)
    if error.value:
        raise RuntimeError(f"NVRTC: {error.name}")
    return values[0] if len(values) == 1 else tuple(values)
