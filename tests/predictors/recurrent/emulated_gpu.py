"""The GPU's kernel compiled by g++ and run on the CPU, behind the interface of a GPU (`gpu.Device`).

A block is run at a time; its threads take turns between barriers, in a random order that a seed gives.
"""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from rollcast.predictors.recurrent import gpu

HERE = Path(__file__).parent / "emulation"
CPP = Path(gpu.__file__).parent / "cpp"
FLAGS = ("-std=c++17", "-O2", "-g0", "-pthread", "-Wno-unknown-pragmas", "-fvisibility=hidden")
needs_compiler = pytest.mark.skipif(not shutil.which("g++"), reason="no g++ here, which compiles the emulated kernel")


def build(folder: Path, macros, flags=(), sources: Path = CPP, output=("-shared", "-fPIC")) -> Path:
    """The library of the kernel with these macros, compiled once for a folder."""
    words = [
        *FLAGS,
        *flags,
        *output,
        *(f"-D{name}={value}" for name, value in macros.items()),
        f"-I{sources}",
        f"-I{HERE}",
    ]
    path = folder / (hashlib.sha256(" ".join(words).encode()).hexdigest()[:16] + ".so")
    if not path.exists():
        subprocess.run(["g++", *words, str(HERE / "emulation.cpp"), "-o", str(path)], check=True)
    return path


class EmulatedKernel:
    def __init__(self, device: EmulatedGpu, path: Path) -> None:
        self.device, self.library = device, ctypes.CDLL(str(path))
        self.library.emulated_launch.argtypes = [
            *(ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64)
        ]

    def launch(self, name, blocks, threads, shared, arguments):
        assert shared <= self.device.shared_memory or name == "rollcast_sizes"
        pointers = (ctypes.c_void_p * len(arguments))(*(ctypes.addressof(value) for value in arguments))
        self.device.launches.append((name, blocks))

        def run(_kept=arguments):
            assert not self.library.emulated_launch(name.encode(), blocks, threads, shared, pointers, self.device.seed)

        if self.device.waits:
            run()
        else:
            self.device.running.append(Thread(target=run, daemon=True))
            self.device.running[-1].start()

    def resident(self, name, threads, shared):
        return self.device.blocks


class EmulatedGpu:
    """Has so many bytes of memory; fresh memory holds no numbers but NaN where a GPU would have anything.

    waits: whether a launch returns only when it has ended, for sanitizers that take the host's looks for races.
    """

    def __init__(
        self, folder, seed=1, flags=(), sources=CPP, shared_memory=227 << 10, memory=1 << 30, blocks=3, waits=False
    ):
        self.waits = waits
        self.folder, self.seed, self.flags, self.sources = folder, seed, flags, sources
        self.shared_memory, self.memory, self.blocks = shared_memory, memory, blocks
        self.arrays, self.running, self.launches = [], [], []

    def kernel(self, macros):
        return EmulatedKernel(self, build(self.folder, macros, self.flags, self.sources))

    def free_memory(self):
        return self.memory - sum(array.nbytes for array in self.arrays)

    def allocate(self, size):
        return self._own(np.zeros(size, np.uint8) if size < 64 else np.full(size, 0xFF, np.uint8))

    def upload(self, array):
        return self._own(array.copy())

    def shared_with_host(self, size):
        array = np.zeros(size, np.uint8)
        return array, self._own(array)

    def release(self):
        for thread in self.running:
            thread.join()
        self.arrays, self.running = [], []

    def busy(self):
        return any(thread.is_alive() for thread in self.running)

    def _own(self, array):
        if array.nbytes > self.free_memory():
            raise MemoryError
        self.arrays.append(array)
        return array.ctypes.data
