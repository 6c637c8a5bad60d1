"""Training on GPUs by the kernel of cpp/gpu: whole trainings in one launch, a window in each block of threads.

The host uploads the bars once, launches, and collects results as they end, from memory that both can read. Everything
else, random numbers included, happens on the GPU. Not yet measured on a card.

Notation: P parameters, E epochs, O outputs.
"""

from __future__ import annotations

import ctypes
import time
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from .gpu_device import Device, Kernel
from .jobs import Job, Plan, Trained, chains_of
from .records import DIVERGED, DONE, JobRecord, PlanRecord, address, plan_record

MOST_UNITS, MOST_FEATURES = 64, 16
# Of a GPU's free memory for the blocks' workspaces, and bytes of results in the host's memory for one launch.
SHARE, RESULT_BYTES = 0.6, 256 << 20
_POLL = 0.005  # seconds between two looks at what has ended


def covers(plan: Plan) -> bool:
    """Whether the kernel trains such nets; the others are `batched`'s."""
    plain = plan.layers == plan.directions == 1 and not plan.attention
    return plain and plan.hidden <= MOST_UNITS and plan.features <= MOST_FEATURES


def train(plan: Plan, jobs: Sequence[Job], devices: Sequence[Device]) -> Iterator[tuple[int, Trained]]:
    """As `kernel.train`; several GPUs share the windows. Closing the iterator stops them within an epoch.

    Raises MemoryError where a GPU's memory is too small for a single window.
    """
    chains = deque(chains_of(jobs))
    launches: dict[int, _Launch] = {}
    try:
        while chains or launches:
            for i, device in enumerate(devices):
                if i not in launches and chains:
                    fair = -(-len(chains) // (len(devices) - len(launches)))
                    launches[i] = _Launch(plan, jobs, chains, fair, device)
            for i, launch in list(launches.items()):
                over = not launch.device.busy()  # asked before, so that nothing ends between the two
                yield from launch.ended()
                if over:
                    if launch.waiting:
                        raise RuntimeError(f"the GPU ended and left {len(launch.waiting)} of its nets untrained")
                    launch.close()
                    del launches[i]
            if launches:
                time.sleep(_POLL)
    finally:
        for launch in launches.values():
            launch.close()


def gradient(plan: Plan, job: Job, device: Device) -> tuple[float, np.ndarray]:
    """As `kernel.gradient`."""
    try:
        launch = _Prepared(plan, [job], device, ROLLCAST_GRADIENT=1)
        records, _ = launch.records([job])
        results, at = device.shared_with_host(8 + 4 * plan.parameters)
        arguments = [
            launch.plan,
            _pointer(records),
            _pointer(device.allocate(launch.workspace)),
            _pointer(at),
            _pointer(at + 8),
        ]
        launch.kernel.launch("rollcast_gradient", 1, launch.threads, launch.shared, arguments)
        while device.busy():
            time.sleep(_POLL)
        return float(results[:8].view(np.float64)[0]), results[8:].view(np.float32).copy()
    finally:
        device.release()


class _Prepared:
    """A kernel for a plan, and the sizes it needs.

    threads, shared, workspace: threads of a block, and its bytes of shared and of global memory.
    """

    def __init__(self, plan: Plan, jobs: Sequence[Job], device: Device, **extra: object) -> None:
        self.device, self.plan, self.outputs = device, plan_record(plan, jobs), plan.outputs
        self.parameters = plan.parameters
        macros = {
            "ROLLCAST_CELL": plan.cell.capitalize(),
            "ROLLCAST_HIDDEN": plan.hidden,
            "ROLLCAST_FEATURES": plan.features,
            "ROLLCAST_OUTPUTS": plan.outputs,
            **extra,
        }
        for shared_weights in (1, 0):  # where shared memory is too small for the weights, they lie in global memory
            self.kernel = device.kernel(macros | {"ROLLCAST_SHARED_WEIGHTS": shared_weights})
            self.threads, self.shared, self.workspace = self._sizes(device, self.kernel, self.plan)
            if self.shared <= device.shared_memory:
                return
        raise MemoryError(
            f"{plan.hidden} units need {self.shared} bytes of shared memory; there are {device.shared_memory}"
        )

    @staticmethod
    def _sizes(device: Device, kernel: Kernel, plan: PlanRecord) -> tuple[int, ...]:
        sizes, at = device.shared_with_host(24)
        kernel.launch("rollcast_sizes", 1, 1, 0, [plan, _pointer(at)])
        while device.busy():
            time.sleep(_POLL)
        return tuple(int(size) for size in sizes.view(np.uint64))

    def records(self, jobs: Sequence[Job]) -> tuple[int, list[list[np.ndarray]]]:
        """The address of the jobs on the GPU, and for each the arrays of its results: forecast, losses, weights."""
        sizes = [(8 * (j.stop - j.split + 1) * self.outputs, 4 * j.epochs, 4 * self.parameters) for j in jobs]
        host, at = self.device.shared_with_host(sum(-(-size // 8) * 8 for parts in sizes for size in parts))
        shared = {
            id(array): array for job in jobs for array in (job.rows, job.returns, job.starts) if array is not None
        }
        uploaded = {key: self.device.upload(_checked(array)) for key, array in shared.items()}
        scale = self.device.upload(_checked(np.stack([job.scale for job in jobs])))
        records, results, used = (JobRecord * len(jobs))(), [], 0
        for k, (record, job) in enumerate(zip(records, jobs, strict=True)):
            record.fill(job)
            record.rows, record.returns = uploaded[id(job.rows)], uploaded[id(job.returns)]
            record.starts = uploaded.get(id(job.starts))
            record.scale = scale + k * job.scale.nbytes
            arrays = []
            for name, size, kind in zip(
                ("forecast", "losses", "weights"), sizes[k], (np.float64, np.float32, np.float32), strict=True
            ):
                setattr(record, name, at + used)
                arrays.append(host[used : used + size].view(kind))
                used += -(-size // 8) * 8
            arrays[0].fill(np.nan)
            arrays[1].fill(np.nan)
            if job.weights is not None:
                arrays[2][:] = job.weights
            results.append(arrays)
        return self.device.upload(np.frombuffer(bytes(records), np.uint8)), results


class _Launch:
    """Chains of jobs being trained on one GPU, at most `most` of them; what it takes, it takes from `chains`."""

    def __init__(self, plan: Plan, jobs: Sequence[Job], chains: deque[list[int]], most: int, device: Device) -> None:
        self.jobs, self.device, self.outputs = jobs, device, plan.outputs
        most = min(most, max(1, RESULT_BYTES // (4 * plan.parameters * len(chains[0]))))
        while True:
            self.taken = [chain for chain, _ in zip(chains, range(most), strict=False)]
            try:
                self._start(plan)
                break
            except MemoryError:
                device.release()
                if most == 1:
                    raise
                most = -(-min(most, len(chains)) // 2)
        for _ in self.taken:
            chains.popleft()

    def _start(self, plan: Plan) -> None:
        self.positions = [k for chain in self.taken for k in chain]
        jobs = [self.jobs[k] for k in self.positions]
        prepared = _Prepared(plan, jobs, self.device)
        records, self.results = prepared.records(jobs)
        # The status of every job, how many blocks have been handed out, and whether to stop.
        self.control, at = self.device.shared_with_host(4 * (len(jobs) + 1))
        self.control = self.control.view(np.int32)
        resident = prepared.kernel.resident("rollcast_train", prepared.threads, prepared.shared)
        affordable = int(SHARE * self.device.free_memory()) // prepared.workspace
        blocks = min(len(self.taken), resident, affordable)
        if not blocks:
            raise MemoryError(f"a window needs {prepared.workspace} bytes of the GPU's memory")
        memory, handed_out = self.device.allocate(prepared.workspace * blocks), self.device.allocate(4)
        pointers = [_pointer(value) for value in (records, handed_out, memory, at, at + 4 * len(jobs))]
        arguments = [
            prepared.plan, pointers[0], ctypes.c_int(len(jobs)), pointers[1], pointers[2],
            ctypes.c_uint64(prepared.workspace), pointers[3], pointers[4],
        ]  # fmt: skip
        self.waiting = set(range(len(jobs)))
        prepared.kernel.launch("rollcast_train", blocks, prepared.threads, prepared.shared, arguments)

    def ended(self) -> Iterator[tuple[int, Trained]]:
        """What has ended since the last call."""
        for k in sorted(k for k in self.waiting if self.control[k] in (DONE, DIVERGED)):
            self.waiting.discard(k)
            forecast, losses, weights = (array.copy() for array in self.results[k])
            yield (
                self.positions[k],
                Trained(forecast.reshape(-1, self.outputs), losses, weights, self.control[k] == DIVERGED),
            )

    def close(self) -> None:
        """Stops what still runs, within an epoch, and frees the memory."""
        self.control[-1] = 1
        self.results = []
        self.device.release()


def _checked(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.int32:
        address("the bars", array)
    return array


def _pointer(value: int) -> ctypes.c_void_p:
    return ctypes.c_void_p(value)
