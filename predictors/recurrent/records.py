"""Plans and jobs as the compiled kernels read them: cpp/plan.h, field by field."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from .jobs import CELLS, LOSSES, Job, Plan

DONE, DIVERGED = 1, 2  # a job's status

_i32, _i64, _f64 = ctypes.c_int32, ctypes.c_int64, ctypes.c_double


class PlanRecord(ctypes.Structure):
    """cpp/plan.h, Plan."""

    _fields_ = [
        *((name, _i32) for name in ("cell", "features", "hidden", "layers", "directions", "attention")),
        *((name, _i32) for name in ("lookback", "stride", "batch", "loss", "patience", "rows")),
        *((name, _f64) for name in ("lr", "clip", "decay", "dropout", "validation")),
    ]


class JobRecord(ctypes.Structure):
    """cpp/plan.h, Job."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("rows", "returns", "scale", "weights", "forecast", "losses", "starts")),
        ("seed", ctypes.c_uint64),
        *((name, _i64) for name in ("count", "first", "split", "stop")),
        *((name, _i32) for name in ("epochs", "resume", "continues", "status")),
    ]

    def fill(self, job: Job) -> None:
        """Takes what is no address from the job."""
        self.seed, self.first, self.split, self.stop = job.seed, job.first, job.split, job.stop
        self.count = 0 if job.starts is None else len(job.starts)
        self.epochs, self.resume, self.continues = job.epochs, job.weights is not None, job.continues


def plan_record(plan: Plan, jobs: Sequence[Job]) -> PlanRecord:
    """The plan, with as many rows as the longest of these jobs needs."""
    # Blocks are forecast in pieces that fit into the rows allocated for training, at least 256.
    rows = max(max(job.split - job.first for job in jobs), plan.lookback + 256)
    return PlanRecord(
        cell=list(CELLS).index(plan.cell),
        features=plan.features,
        hidden=plan.hidden,
        layers=plan.layers,
        directions=plan.directions,
        attention=plan.attention,
        lookback=plan.lookback,
        stride=plan.stride,
        batch=plan.batch,
        loss=LOSSES.index(plan.loss),
        patience=plan.patience,
        rows=rows,
        lr=plan.lr,
        clip=plan.clip,
        decay=plan.weight_decay,
        dropout=plan.dropout,
        validation=plan.validation,
    )


def address(name: str, array: np.ndarray) -> int:
    """Where an array's numbers lie.

    Raises TypeError for arrays other than contiguous float64.
    """
    if array.dtype != np.float64 or not array.flags.c_contiguous:
        raise TypeError(f"{name} must be a contiguous float64 array; got {array.dtype}")
    return array.ctypes.data
