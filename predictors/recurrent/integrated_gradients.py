"""Which inputs a net's forecast came from: integrated gradients, along the straight line from an average window.

    a_{tf} = x_{tf} ∫₀¹ ∂y(s·x) / ∂x_{tf} ds

x is scaled by the training slice, so that zero is its average bar. The attributions of all inputs add up to the
forecast less that for a lookback of average bars (completeness).

Reference: Sundararajan, Taly and Yan (2017), Axiomatic Attribution for Deep Networks, ICML, arXiv:1703.01365.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from .activations import inputs_of
from .forward_pass import forward, net_of
from .learner import Recurrent

POINTS = 64  # of the Gauss-Legendre rule, which is exact for polynomials of degree 127


@dataclass(frozen=True)
class Attribution:
    """The forecast at the last of some bars, shared out among the inputs.

    inputs:   a row for every bar of the lookback and a column for every feature, in log return.
    forecast: of the learner, the mean over its nets; baseline: the same for a lookback of average bars.
    """

    inputs: pd.DataFrame
    forecast: float
    baseline: float


def integrated_gradients(learner: Recurrent, bars: pd.DataFrame) -> Attribution:
    """The attribution of a fitted learner's forecast at the last of these bars, averaged over its nets."""
    x = inputs_of(learner, bars)[-1:]
    nodes, weights = (torch.from_numpy(values) for values in np.polynomial.legendre.leggauss(POINTS))
    nodes, weights = (nodes + 1) / 2, weights / 2  # from [-1, 1] to [0, 1]
    mean, std = learner.scale_[-1]
    attributions, ends = [], []
    for net_weights in learner.weights_:
        net = net_of(learner.plan(), net_weights)
        path = (nodes[:, None, None] * x).requires_grad_()
        (gradient,) = torch.autograd.grad(forward(net, path).outputs[:, 0].sum(), path)
        attributions.append(x[0] * (weights[:, None, None] * gradient).sum(dim=0))
        ends.append(forward(net, torch.cat([torch.zeros_like(x), x])).outputs[:, 0])
    baseline, forecast = (mean + std * torch.stack(ends).mean(dim=0)).tolist()
    shares = std * torch.stack(attributions).mean(dim=0).numpy()
    index = bars.index[-learner.lookback :]
    return Attribution(pd.DataFrame(shares, index, list(learner.features)), forecast, baseline)
