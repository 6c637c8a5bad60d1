"""The equations against torch's own layers, in double precision."""

import pytest
import torch
from torch import nn

from rollcast.predictors.recurrent import cells

LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def weights_of(module: nn.Module, layer: int = 0) -> list[cells.Weights]:
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    endings = ["", "_reverse"] if module.bidirectional else [""]
    return [cells.Weights(*(getattr(module, f"{name}_l{layer}{end}") for name in names)) for end in endings]


def sample(seed: int = 0) -> torch.Tensor:
    return torch.randn(5, 12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_equations_equal_torchs_layers_forward_and_gradient(cell, bidirectional):
    module = LAYERS[cell](3, 7, batch_first=True, bidirectional=bidirectional, dtype=torch.float64)
    expected, _ = module(sample())
    hidden = cells.layer(cell, weights_of(module), sample())
    torch.testing.assert_close(hidden, expected, rtol=0, atol=1e-12)
    factor = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    parameters = list(module.parameters())
    ours, theirs = (torch.autograd.grad((states * factor).sum(), parameters) for states in (hidden, expected))
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cell", LAYERS)
def test_stacked_equations_equal_torchs_layers(cell):
    module = LAYERS[cell](3, 7, num_layers=2, batch_first=True, dtype=torch.float64)
    x = sample()
    for i in range(2):
        x = cells.layer(cell, weights_of(module, i), x)
    torch.testing.assert_close(x, module(sample())[0], rtol=0, atol=1e-12)


def test_an_lstms_gates_make_its_states():
    module = nn.LSTM(3, 7, batch_first=True, dtype=torch.float64)
    states = cells.run("lstm", weights_of(module)[0], sample())
    before = torch.cat([torch.zeros_like(states["c"][:, :1]), states["c"][:, :-1]], dim=1)
    torch.testing.assert_close(states["forget"] * before + states["input"] * states["candidate"], states["c"])
    torch.testing.assert_close(states["output"] * torch.tanh(states["c"]), states["h"])
    assert all(((states[gate] > 0) & (states[gate] < 1)).all() for gate in ("forget", "input", "output"))
