"""A pretend cuda:0: tensors say they are on it, compute on the CPU, and refuse what a GPU would refuse.

It refuses tensors of mixed devices and, while a CUDA graph is recorded, everything that waits for the device or copies
from the host. What is computed while recording is spoilt afterwards, since a GPU would not have computed it; a replay
repeats the operations on the same storages. Not shown are races, speed, and the arithmetic of a GPU.

Importing it changes torch for good, so it is for a process of its own. The environment's PRETEND_CUDA is the library
made of pretend_cuda.cpp, which must be loaded before torch is.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
from collections import Counter
from pathlib import Path

libraries = Path(importlib.util.find_spec("torch").origin).parent / "lib"
for name in ("libtorch_global_deps.so", "libc10.so", "libtorch_cpu.so"):
    ctypes.CDLL(str(libraries / name), mode=ctypes.RTLD_GLOBAL)
ctypes.CDLL(os.environ["PRETEND_CUDA"], mode=ctypes.RTLD_GLOBAL)

import torch  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves, tree_map  # noqa: E402

make = torch.tensor
events: Counter[str] = Counter()
recording: dict[str, list] = {}
waiting = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "is_nonzero"}
indexing = {"index", "index_put", "index_put_", "_index_put_impl_"}


def on_cuda(device: object) -> bool:
    return device is not None and torch.device(device).type == "cuda"


class OnCuda(torch.Tensor):
    @staticmethod
    def __new__(cls, real):
        layout = {"strides": real.stride(), "storage_offset": real.storage_offset(), "dtype": real.dtype}
        made = torch.Tensor._make_wrapper_subclass(cls, real.size(), device=torch.device("cuda:0"), **layout)
        made.inner = real
        return made

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return run(function, args, kwargs or {})


def while_recording(what: str) -> None:
    events[what] += 1
    if recording:
        raise RuntimeError(f"pretend cuda: {what} while a graph is recorded")


def check(base: str, args: tuple, device: object, tensors: list) -> None:
    here = [t for t in tensors if isinstance(t, OnCuda)]
    elsewhere = [t for t in tensors if not isinstance(t, OnCuda) and t.dim()]
    if not here and not on_cuda(device):
        return
    if base in waiting:
        while_recording("waiting for a value")
    elif base == "_to_copy" and here and device is not None and not on_cuda(device):
        while_recording("copy to the host")
    elif base in ("_to_copy", "copy_") and elsewhere:
        while_recording("copy from the host")
    elif base in indexing:
        for index in filter(lambda i: i is not None, args[1]):
            if index.dtype in (torch.bool, torch.uint8) or not isinstance(index, OnCuda):
                while_recording("boolean index or index on the host")
    elif elsewhere:
        raise RuntimeError(f"pretend cuda: tensors on two devices in {base}")


def writes(function, args, kwargs) -> list:
    """The real tensors that the function overwrites."""
    given = zip(function._schema.arguments, args, strict=False)
    named = [(a, kwargs[a.name]) for a in function._schema.arguments if a.name in kwargs]
    return [t for a, t in [*given, *named] if a.alias_info is not None and a.alias_info.is_write]


def run(function, args, kwargs):
    base = function._schema.name.split("::")[1]
    device = kwargs.get("device")
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
    check(base, args, device, tensors)
    here = on_cuda(device) or (device is None and any(isinstance(t, OnCuda) for t in tensors))
    real_args, real_kwargs = tree_map(lambda t: t.inner if isinstance(t, OnCuda) else t, (args, kwargs))
    # Called from Python, torch makes a double of an integer given for a tensor, and 64 bits do not fit.
    given = zip(function._schema.arguments, real_args, strict=False)
    real_args = [make(v) if type(v) is int and str(a.type) == "Tensor" else v for a, v in given]
    if on_cuda(device):
        real_kwargs["device"] = torch.device("cpu")
    if recording and here:
        recording["written"] += [(t, t.clone()) for t in writes(function, real_args, real_kwargs)]
    out = function(*real_args, **real_kwargs)
    if not here:
        return out
    if recording:
        recording["operations"].append((function, real_args, real_kwargs, out))
    if base.endswith("_") and isinstance(args[0], OnCuda):
        return args[0]
    return tree_map(lambda t: OnCuda(t) if isinstance(t, torch.Tensor) else t, out)


def results(operation) -> list:
    """The new tensors of an operation, which are neither views nor its arguments."""
    function, *_, out = operation
    if function.is_view or function._schema.name.endswith("_"):
        return []
    return [t for t in tree_leaves(out) if isinstance(t, torch.Tensor)]


class Mode(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return run(function, args, kwargs or {})


class Stream:
    def __init__(self, *_):
        events["streams"] += 1

    def wait_stream(self, other):
        pass


class Graph:
    def replay(self):
        events["replays"] += 1
        for operation in self.operations:
            function, args, kwargs, _ = operation
            new = [t for t in tree_leaves(function(*args, **kwargs)) if isinstance(t, torch.Tensor)]
            for old, value in zip(results(operation), new, strict=False):
                old.copy_(value)


streams = [Stream()]
events.clear()


@contextlib.contextmanager
def stream(entered):
    streams.append(entered)
    try:
        yield
    finally:
        streams.pop()


@contextlib.contextmanager
def graph(made, stream=None, **_):
    assert stream is streams[-1], "a graph must be captured on the stream of its warm-ups"
    assert len(streams) > 1, "the default stream cannot be captured"
    recording.update(operations=[], written=[])
    try:
        yield
    finally:
        made.operations, written = recording["operations"], recording["written"]
        recording.clear()
        for tensor, value in reversed(written):
            tensor.copy_(value)
        for operation in made.operations:
            for tensor in results(operation):
                tensor.fill_(float("nan") if tensor.is_floating_point() else -1)


def tensor(data, device=None, **options):
    made = make(data, **options)
    return made.to(device) if on_cuda(device) else made


torch.cuda.is_available = lambda: True
torch.cuda._lazy_init = lambda: None
torch.cuda.device_count = lambda: 1
torch.cuda.mem_get_info = lambda *_: (60 << 30, 80 << 30)
torch.cuda.memory_reserved = torch.cuda.memory_allocated = lambda *_: 0
torch.cuda.Stream, torch.cuda.stream = Stream, stream
torch.cuda.current_stream = lambda *_: streams[-1]
torch.cuda.CUDAGraph, torch.cuda.graph = Graph, graph

torch.tensor = tensor
