"""The gates, attention weights and gradients of a fitted recurrent net, computed by the equations of `cells`.

Notation: N lookbacks, T bars in each, F features, H units, D directions, S nets of a learner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
import torch

from ..features import features, lookbacks
from ..window import Window
from . import reference
from .forward_pass import COLUMN_NAMES, ForwardPass, forward, lag_gradients, net_of
from .learner import Recurrent
from .learners import LSTM, RNN

ORDER = ("forget", "input", "output", "reset", "update", "candidate", "c", "h")
STATISTICS = ("mean", "q25", "q50", "q75")


@dataclass(frozen=True)
class Activations:
    """What a fitted learner computed on its training bars, and how its gradients behaved.

    learner:   the fitted learner.
    bars:      the bars it was fitted on.
    gates:     a row for every bar with a whole lookback: `close`, `forecast`, and of every gate and state the mean and
               quartiles over all units of all nets (`forget_mean`, `forget_q25`, `forget_q50`, `forget_q75`, …), at the
               step that makes that bar's forecast. Of stacked layers, those of the last.
    attention: the mean over the nets of α, a column for each lag, "0" the bar itself; None without attention.
    gradients: columns net, when (before or after training), state, lag, norm: see `lag_gradients`.
    updates:   columns net, update, norm (of the gradient before clipping), clipped.
    """

    learner: Recurrent
    bars: pd.DataFrame
    gates: pd.DataFrame
    attention: pd.DataFrame | None
    gradients: pd.DataFrame
    updates: pd.DataFrame

    @property
    def clipping_rate(self) -> float:
        """The fraction of updates whose gradient was clipped."""
        return float(self.updates["clipped"].mean())


def activations_of(learner: Recurrent, bars: pd.DataFrame) -> Activations:
    """Fits a copy of the learner on these bars; for comparison of gradients, also an `RNN` and an `LSTM` of its size.

    Raises what `Recurrent.fit` raises.
    """
    with reference.one_thread():
        kinds: tuple[type[Recurrent], ...] = (RNN, LSTM)
        learners = [learner, *(_converted(learner, kind) for kind in kinds if type(learner) is not kind)]
        fitted = [replace(one).fit(bars) for one in learners]
        gradients = pd.concat([_gradients(one, bars) for one in fitted], ignore_index=True)
        attention = attention_of(fitted[0], bars) if learner.plan().attention else None
        return Activations(fitted[0], bars, gates_of(fitted[0], bars), attention, gradients, updates_of(learner, bars))


def gates_of(learner: Recurrent, bars: pd.DataFrame) -> pd.DataFrame:
    """The gates and states of a fitted learner, as `Activations.gates`."""
    passes = _passes(learner, bars)
    mean, std = learner.scale_[-1]
    forecasts = [net_pass.outputs[:, 0] * std + mean for net_pass in passes]
    index = bars.index[learner.lookback :]
    columns = {"close": bars["close"].to_numpy(float)[learner.lookback :], "forecast": torch.stack(forecasts).mean(0)}
    last = [states[-1] for net_pass in passes for states in net_pass.steps]
    for name in sorted(last[0], key=ORDER.index):
        units = torch.cat([state[name] for state in last], dim=1).numpy()  # (N, S·D·H)
        values = [units.mean(axis=1), *np.quantile(units, (0.25, 0.5, 0.75), axis=1)]
        columns |= {f"{COLUMN_NAMES.get(name, name)}_{s}": v for s, v in zip(STATISTICS, values, strict=True)}
    return pd.DataFrame(columns, index=index)


def attention_of(learner: Recurrent, bars: pd.DataFrame) -> pd.DataFrame:
    """The attention weights of a fitted net, as `Activations.attention`; every row sums to 1."""
    weights = torch.stack([p.attention for p in _passes(learner, bars) if p.attention is not None]).mean(0)
    lags = [str(lag) for lag in reversed(range(learner.lookback))]
    return pd.DataFrame(weights.numpy(), index=bars.index[learner.lookback :], columns=lags)


def updates_of(learner: Recurrent, bars: pd.DataFrame) -> pd.DataFrame:
    """The gradient's norm at every update when the reference implementation trains the learner on these bars.

    Columns as in `Activations.updates`.
    """
    tables = []
    for net, job in enumerate(learner.jobs([Window(bars, 0, len(bars), len(bars))])[1]):
        norms: list[float] = []
        reference.Training(learner.plan(), job, observe=norms.append).train()
        tables.append(pd.DataFrame({"net": net, "update": np.arange(1, len(norms) + 1), "norm": norms}))
    updates = pd.concat(tables, ignore_index=True)
    return updates.assign(clipped=updates["norm"] > learner.clip)


def unit_of(learner: Recurrent, bars: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """A row for every bar of the lookback that ends with these bars, and the number of the unit.

    It is the unit, of the first net's last layer, whose cell state is largest at the end. Columns: `f`, `i`, `o`,
    `candidate`, `c`, `h`, `c_before` and `h_before` of the bar before, `kept` f∗C, `news` i∗C̃, `squashed` tanh C.

    Raises TypeError for a net without a cell state.
    """
    if learner.plan().cell != "lstm":
        raise TypeError(f"{type(learner).__name__} has no cell state")
    net = net_of(learner.plan(), learner.weights_[0])
    steps = forward(net, inputs_of(learner, bars)[-1:]).steps[0]
    table = {name: torch.cat([step[name] for step in steps]).numpy() for name in steps[0]}  # (T, H) each
    unit = int(np.abs(table["c"][-1]).argmax())
    v = pd.DataFrame({name: values[:, unit] for name, values in table.items()}, bars.index[-learner.lookback :])
    v = v.rename(columns={"forget": "f", "input": "i", "output": "o"})
    v["c_before"], v["h_before"] = v["c"].shift(fill_value=0.0), v["h"].shift(fill_value=0.0)
    return v.assign(kept=v["f"] * v["c_before"], news=v["i"] * v["candidate"], squashed=np.tanh(v["c"])), unit


def inputs_of(learner: Recurrent, bars: pd.DataFrame) -> torch.Tensor:
    """The inputs of a fitted learner: every lookback after the first bar, scaled as in the fit, (N, T, F)."""
    mean, std = learner.scale_[:-1].T
    rows = (features(bars, learner.features)[1:] - mean) / std
    return torch.from_numpy(lookbacks(rows, learner.lookback).copy())


def _gradients(learner: Recurrent, bars: pd.DataFrame) -> pd.DataFrame:
    """`lag_gradients` of a fitted learner, averaged over its nets, before and after training."""
    plan, x = learner.plan(), inputs_of(learner, bars)
    _, jobs = learner.jobs([Window(bars, 0, len(bars), len(bars))])
    weights = {"before": [reference.initial_weights(plan, job) for job in jobs], "after": list(learner.weights_)}
    tables = []
    for when, nets in weights.items():
        norms = [lag_gradients(net_of(plan, net), x) for net in nets]
        for state in norms[0]:
            mean = np.mean([net_norms[state] for net_norms in norms], axis=0)
            labels = {"net": type(learner).__name__, "when": when, "state": state}
            tables.append(pd.DataFrame({**labels, "lag": np.arange(len(mean)), "norm": mean}))
    return pd.concat(tables, ignore_index=True)


def _passes(learner: Recurrent, bars: pd.DataFrame) -> list[ForwardPass]:
    """The forward pass of every net."""
    x = inputs_of(learner, bars)
    return [forward(net_of(learner.plan(), weights), x) for weights in learner.weights_]


def _converted(learner: Recurrent, kind: type[Recurrent]) -> Recurrent:
    """A learner of another kind with all fields that both have."""
    values: Mapping[str, object] = vars(learner)
    return kind(**{f.name: values[f.name] for f in fields(kind) if f.name in values})  # type: ignore[arg-type]
