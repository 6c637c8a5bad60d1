"""What a fitted recurrent net did, computed by the reference cells from its weights.

Notation: N lookbacks, T bars in each, F features, H units, D directions, O outputs, S nets of a learner; h_t hidden
state, C_t cell state; k lag: h_{T-k} is the hidden state k bars before the one the forecast is made at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
import torch
from torch import nn

from rollcast.predictors.features import features, lookbacks
from rollcast.predictors.recurrent import cells, reference
from rollcast.predictors.recurrent.jobs import Plan
from rollcast.predictors.recurrent.learner import Recurrent
from rollcast.predictors.recurrent.learners import LSTM, RNN
from rollcast.predictors.walk_forward import Window

NAMES = {"c": "cell", "h": "hidden"}  # the rest are called as in cells.py
ORDER = ("forget", "input", "output", "reset", "update", "candidate", "c", "h")
MEASURES = ("mean", "q25", "q50", "q75")


@dataclass(frozen=True)
class Inside:
    """What `look` saw.

    learner:   the fitted learner.
    bars:      those it was fitted on.
    gates:     `close` and `forecast` at every bar with a lookback behind it, and of every gate and state the mean and
               quartiles over all units of all nets (`forget_mean`, `forget_q25`, `forget_q50`, `forget_q75`, …), at the
               step that makes that bar's forecast. Of stacked layers, the one the forecast reads.
    attention: the mean over the nets of α, a column for each lag, "0" the bar itself; None without attention.
    gradients: net, when (before or after training), state, lag, norm: see `lag_gradients`.
    updates:   net, update, norm, clipped: the gradient's norm before clipping.
    """

    learner: Recurrent
    bars: pd.DataFrame
    gates: pd.DataFrame
    attention: pd.DataFrame | None
    gradients: pd.DataFrame
    updates: pd.DataFrame

    @property
    def clipped(self) -> float:
        """The share of updates whose gradient was cut."""
        return float(self.updates["clipped"].mean())


def look(learner: Recurrent, bars: pd.DataFrame) -> Inside:
    """Fits a copy of the learner on these bars, and an rnn and an lstm of its size to compare its gradients with."""
    with _one_thread():
        others: tuple[type[Recurrent], ...] = (RNN, LSTM)
        family = [learner, *(_as(other, learner) for other in others if type(learner) is not other)]
        fitted = [replace(one).fit(bars) for one in family]
        gradients = pd.concat([_gradients(one, bars) for one in fitted], ignore_index=True)
        attention = attention_of(fitted[0], bars) if learner.plan().attention else None
        return Inside(fitted[0], bars, gates_of(fitted[0], bars), attention, gradients, updates_of(learner, bars))


@dataclass(frozen=True)
class Pass:
    """One net over N lookbacks: every step of each direction of the last layer, α (N, T), and the outputs (N, O)."""

    steps: list[list[cells.State]]
    attention: torch.Tensor | None
    outputs: torch.Tensor


def net_of(plan: Plan, weights: np.ndarray) -> reference.Net:
    """The twin's net with these weights (P,), in double precision."""
    net = reference.Net(plan).double().requires_grad_(False)
    nn.utils.vector_to_parameters(torch.from_numpy(weights.astype(float)), net.parameters())
    return net


def forward(net: reference.Net, x: torch.Tensor) -> Pass:
    """What the net makes of x (N, T, F), by the equations of cells.py."""
    plan = net.plan
    *below, top = [_directions(layer, plan.directions) for layer in net.recurrent]
    for weights in below:
        x = cells.layer(plan.cell, weights, x)
    # Read by the second direction, the lookback's last step is at its first bar.
    steps = [cells.steps(plan.cell, w, x.flip(1) if d else x) for d, w in enumerate(top)]
    read, attention = torch.cat([states[-1]["h"] for states in steps], dim=1), None  # (N, D·H)
    if plan.attention:
        h = torch.stack([state["h"] for state in steps[0]], dim=1)  # (N, T, H)
        score, query = net.attention.score, net.attention.query.weight[0]
        u = torch.tanh(h @ score.weight.T + score.bias)  # u_t = tanh(W h_t + b)
        attention = torch.softmax(u @ query, dim=1)  # α = softmax_t(v · u_t)
        read = (attention[..., None] * h).sum(dim=1)  # Σ_t α_t h_t
    return Pass(steps, attention, read @ net.head.weight.T + net.head.bias)


def gates_of(learner: Recurrent, bars: pd.DataFrame) -> pd.DataFrame:
    """A fitted learner's gates and states, as `Inside.gates`."""
    passes = _passes(learner, bars)
    mean, std = learner.scale_[-1]
    forecasts = [one.outputs[:, 0] * std + mean for one in passes]
    index = bars.index[learner.lookback :]
    columns = {"close": bars["close"].to_numpy(float)[learner.lookback :], "forecast": torch.stack(forecasts).mean(0)}
    last = [states[-1] for one in passes for states in one.steps]
    for name in sorted(last[0], key=ORDER.index):
        units = torch.cat([state[name] for state in last], dim=1).numpy()  # (N, S·D·H)
        values = [units.mean(axis=1), *np.quantile(units, (0.25, 0.5, 0.75), axis=1)]
        columns |= {f"{NAMES.get(name, name)}_{m}": v for m, v in zip(MEASURES, values, strict=True)}
    return pd.DataFrame(columns, index=index)


def attention_of(learner: Recurrent, bars: pd.DataFrame) -> pd.DataFrame:
    """A fitted attention net's weights, as `Inside.attention`; every row sums to 1."""
    weights = torch.stack([one.attention for one in _passes(learner, bars) if one.attention is not None]).mean(0)
    lags = [str(lag) for lag in reversed(range(learner.lookback))]
    return pd.DataFrame(weights.numpy(), index=bars.index[learner.lookback :], columns=lags)


def lag_gradients(net: reference.Net, x: torch.Tensor) -> dict[str, np.ndarray]:
    """Norms of d output / d h_{T-k} and d output / d C_{T-k} by lag k, (T,) each: the mean over x (N, T, F).

    The output is the head's first, in standard deviations of the target. h_{T-k} moves alone, C_{T-k} with h_{T-k}.
    """
    seen = forward(net, x.detach().requires_grad_())
    total, norms = seen.outputs[:, 0].sum(), {}
    for name in ("h", "c"):
        if name in seen.steps[0][0]:
            states = [state[name] for state in seen.steps[0]]
            by_step = torch.autograd.grad(total, states, retain_graph=True, materialize_grads=True)
            norms[NAMES[name]] = np.array([g.norm(dim=1).mean().item() for g in reversed(by_step)])
    return norms


def updates_of(learner: Recurrent, bars: pd.DataFrame) -> pd.DataFrame:
    """The gradient's norm at every update of every net the learner would train on these bars, by the twin."""
    _, jobs = learner.jobs([Window(bars, 0, len(bars), len(bars))])
    tables = []
    for i, job in enumerate(jobs):
        norms: list[float] = []
        reference.Training(learner.plan(), job, observe=norms.append).train()
        tables.append(pd.DataFrame({"net": i, "update": np.arange(1, len(norms) + 1), "norm": norms}))
    updates = pd.concat(tables, ignore_index=True)
    return updates.assign(clipped=updates["norm"] > learner.clip)


def inputs_of(learner: Recurrent, bars: pd.DataFrame) -> torch.Tensor:
    """What a fitted learner reads: every lookback after the first bar, (N, T, F), scaled as in the fit."""
    mean, std = learner.scale_[:-1].T
    rows = (features(bars, learner.features)[1:] - mean) / std
    return torch.from_numpy(lookbacks(rows, learner.lookback).copy())


def _gradients(learner: Recurrent, bars: pd.DataFrame) -> pd.DataFrame:
    """`lag_gradients` of a fitted learner, the mean over its nets, before and after training."""
    plan, x = learner.plan(), inputs_of(learner, bars)
    _, jobs = learner.jobs([Window(bars, 0, len(bars), len(bars))])
    weights = {"before": [reference.first_weights(plan, job) for job in jobs], "after": list(learner.weights_)}
    tables = []
    for when, nets in weights.items():
        each = [lag_gradients(net_of(plan, net), x) for net in nets]
        for state in each[0]:
            norm = np.mean([norms[state] for norms in each], axis=0)
            labels = {"net": type(learner).__name__, "when": when, "state": state}
            tables.append(pd.DataFrame({**labels, "lag": np.arange(len(norm)), "norm": norm}))
    return pd.concat(tables, ignore_index=True)


def _passes(learner: Recurrent, bars: pd.DataFrame) -> list[Pass]:
    x = inputs_of(learner, bars)
    return [forward(net_of(learner.plan(), weights), x) for weights in learner.weights_]


def _directions(layer: nn.Module, directions: int) -> list[cells.Weights]:
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    endings = ("", "_reverse")[:directions]
    return [cells.Weights(*(getattr(layer, name + ending) for name in names)) for ending in endings]


def _as(kind: type[Recurrent], learner: Recurrent) -> Recurrent:
    """A learner of this kind with all the fields that both have."""
    known: Mapping[str, object] = vars(learner)
    return kind(**{field.name: known[field.name] for field in fields(kind) if field.name in known})  # type: ignore[arg-type]


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
