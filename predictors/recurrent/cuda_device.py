"""NVIDIA GPUs through the driver, by `cuda-bindings` (the extra `gpu`). Not yet run on a card.

Everything is ordered on one stream of each GPU. Results lie in pinned host memory, which the GPU writes directly.

Reference: https://docs.nvidia.com/cuda/cuda-driver-api
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from . import cuda_compiler
from .gpu_device import Kernel

LOWEST = 8, 0  # compute capability; the tests compile for this and later ones
INSTALL = "install rollcast's extra gpu: pip install 'rollcast[gpu]'"


@cache
def gpus() -> tuple[CudaGpu, ...]:
    """The GPUs that the kernel can use.

    Raises RuntimeError, which says why in one line, where there is none.
    """
    try:
        from cuda.bindings import driver
    except ImportError:
        raise RuntimeError(f"cuda-bindings is not installed; {INSTALL}") from None
    _call(driver.cuInit, 0)
    found = [CudaGpu(driver, i) for i in range(_call(driver.cuDeviceGetCount))]
    usable = tuple(gpu for gpu in found if gpu.capability >= LOWEST)
    if not usable:
        names = ", ".join(f"{gpu.name} ({gpu.capability[0]}.{gpu.capability[1]})" for gpu in found) or "none"
        raise RuntimeError(f"the kernel needs a GPU of compute capability {LOWEST[0]}.{LOWEST[1]}; there is {names}")
    return usable


class CudaGpu:
    """A GPU, as `gpu_device.Device`; its context is made when it is first used.

    peak: float32 operations a second, by its clock.
    """

    def __init__(self, driver: Any, ordinal: int) -> None:
        self.driver, self.ordinal = driver, ordinal
        self.handle = _call(driver.cuDeviceGet, ordinal)
        self.name = _call(driver.cuDeviceGetName, 64, self.handle).rstrip(b"\0").decode()
        self.capability = self._attribute("COMPUTE_CAPABILITY_MAJOR"), self._attribute("COMPUTE_CAPABILITY_MINOR")
        self.shared_memory = self._attribute("MAX_SHARED_MEMORY_PER_BLOCK_OPTIN")
        self.multiprocessors = self._attribute("MULTIPROCESSOR_COUNT")
        lanes = 64 if self.capability == (8, 0) else 128  # of a multiprocessor
        self.peak = 2.0 * lanes * self.multiprocessors * self._attribute("CLOCK_RATE") * 1000
        self.stream: Any = None
        self.kernels: dict[tuple[tuple[str, object], ...], CudaKernel] = {}
        self.device_memory: list[Any] = []
        self.host_memory: list[int] = []
        self.copied: list[np.ndarray] = []  # alive until their copies are done

    def kernel(self, macros: Mapping[str, object]) -> Kernel:
        self.enter()
        key = tuple(sorted(macros.items()))
        if key not in self.kernels:
            image = cuda_compiler.binary(macros, self.capability)
            self.kernels[key] = CudaKernel(self, _call(self.driver.cuModuleLoadData, image))
        return self.kernels[key]

    def free_memory(self) -> int:
        self.enter()
        return int(_call(self.driver.cuMemGetInfo)[0])

    def allocate(self, size: int) -> int:
        self.enter()
        pointer = _call(self.driver.cuMemAlloc, max(size, 1))
        self.device_memory.append(pointer)
        _call(self.driver.cuMemsetD8Async, pointer, 0, max(size, 1), self.stream)
        return int(pointer)

    def upload(self, array: np.ndarray) -> int:
        array = np.ascontiguousarray(array)
        self.copied.append(array)
        address = self.allocate(array.nbytes)
        _call(self.driver.cuMemcpyHtoDAsync, address, array.ctypes.data, array.nbytes, self.stream)
        return address

    def shared_with_host(self, size: int) -> tuple[np.ndarray, int]:
        self.enter()
        flags = self.driver.CU_MEMHOSTALLOC_DEVICEMAP | self.driver.CU_MEMHOSTALLOC_PORTABLE
        place = int(_call(self.driver.cuMemHostAlloc, max(size, 1), flags))
        self.host_memory.append(place)
        array = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(place))
        array.fill(0)
        return array, int(_call(self.driver.cuMemHostGetDevicePointer, place, 0))

    def busy(self) -> bool:
        self.enter()
        (error,) = self.driver.cuStreamQuery(self.stream)
        if error == self.driver.CUresult.CUDA_ERROR_NOT_READY:
            return True
        _check(error)
        return False

    def release(self) -> None:
        self.enter()
        _call(self.driver.cuStreamSynchronize, self.stream)
        while self.device_memory:
            _call(self.driver.cuMemFree, self.device_memory.pop())
        while self.host_memory:
            _call(self.driver.cuMemFreeHost, self.host_memory.pop())
        self.copied = []

    def enter(self) -> None:
        """Makes the GPU's context this thread's current one."""
        _call(self.driver.cuCtxSetCurrent, self._context())
        if self.stream is None:
            self.stream = _call(self.driver.cuStreamCreate, self.driver.CUstream_flags.CU_STREAM_NON_BLOCKING)

    @cache  # noqa: B019 (as long-lived as the process, like the GPUs)
    def _context(self) -> Any:
        return _call(self.driver.cuDevicePrimaryCtxRetain, self.handle)

    def _attribute(self, name: str) -> int:
        attribute = getattr(self.driver.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
        return int(_call(self.driver.cuDeviceGetAttribute, attribute, self.handle))


class CudaKernel:
    """A loaded kernel, as `gpu_device.Kernel`."""

    def __init__(self, gpu: CudaGpu, module: Any) -> None:
        self.gpu, self.module = gpu, module

    def launch(self, name: str, blocks: int, threads: int, shared: int, arguments: Sequence[Any]) -> None:
        driver, function = self.gpu.driver, self._function(name, shared)
        addresses = np.array([ctypes.addressof(argument) for argument in arguments], dtype=np.uint64)
        grid = blocks, 1, 1, threads, 1, 1
        _call(driver.cuLaunchKernel, function, *grid, shared, self.gpu.stream, addresses.ctypes.data, 0)

    def resident(self, name: str, threads: int, shared: int) -> int:
        driver, function = self.gpu.driver, self._function(name, shared)
        count = _call(driver.cuOccupancyMaxActiveBlocksPerMultiprocessor, function, threads, shared)
        return int(count) * self.gpu.multiprocessors

    def _function(self, name: str, shared: int) -> Any:
        self.gpu.enter()
        driver = self.gpu.driver
        function = _call(driver.cuModuleGetFunction, self.module, name.encode())
        # More than 48 KB has to be asked for.
        limit = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        _call(driver.cuFuncSetAttribute, function, limit, shared)
        return function


def _call(function: Any, *arguments: Any) -> Any:
    """The value of a call to the driver.

    Raises MemoryError where memory is too small, and RuntimeError for any other failure.
    """
    error, *values = function(*arguments)
    _check(error)
    return values[0] if len(values) == 1 else tuple(values)


def _check(error: Any) -> None:
    if error.name == "CUDA_ERROR_OUT_OF_MEMORY":
        raise MemoryError("the GPU's memory is too small")
    if error.value:
        raise RuntimeError(f"the CUDA driver refused: {error.name}")
