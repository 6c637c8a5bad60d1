"""Gates, attention and gradients are the net's: against the learner, the reference and finite differences."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

from rollcast.predictors.recurrent import activations, cells, forward_pass, reference
from rollcast.predictors.recurrent.learners import GRU, LSTM, RNN, AttentionLSTM, BiLSTM, StackedLSTM

SMALL = {"lookback": 6, "hidden": 5, "epochs": 3, "seeds": 2}
LEARNERS = {
    "rnn": RNN(**SMALL),
    "gru": GRU(**SMALL),
    "lstm": LSTM(**SMALL),
    "gaussian": LSTM(**SMALL, loss="gaussian"),
    "stacked": StackedLSTM(**SMALL, features=("return", "gap")),
    "both directions": BiLSTM(**SMALL),
    "attention": AttentionLSTM(**SMALL),
}


@pytest.fixture(scope="module")
def activations_of(market):
    """The activations of a learner by its name, each computed once."""
    return cache(lambda name: activations.activations_of(LEARNERS[name], market.iloc[:150]))


@pytest.mark.parametrize("name", LEARNERS)
def test_the_forecasts_beside_the_gates_are_the_learners(activations_of, name):
    result = activations_of(name)
    expected = result.learner.predict(result.bars).dropna()
    pd.testing.assert_index_equal(result.gates.index, expected.index)
    std = result.learner.scale_[-1, 1]
    np.testing.assert_allclose(result.gates["forecast"] / std, expected / std, atol=1e-5)
    pd.testing.assert_series_equal(result.gates["close"], result.bars["close"].iloc[6:])


@pytest.mark.parametrize("name", LEARNERS)
def test_gates_lie_between_0_and_1_and_quartiles_in_order(activations_of, name):
    gates = activations_of(name).gates
    assert "hidden_mean" in gates
    for column in gates.filter(regex="^(forget|input|output|reset|update)_"):
        assert gates[column].between(0, 1, inclusive="neither").all()
    for state in {column.rpartition("_")[0] for column in gates} - {""}:
        assert (gates[f"{state}_q25"] <= gates[f"{state}_q50"]).all()
        assert (gates[f"{state}_q50"] <= gates[f"{state}_q75"]).all()


def test_the_gates_of_one_unit_are_those_of_the_equations(market):
    bars = market.iloc[:150]
    learner = LSTM(lookback=6, hidden=1, seeds=1).fit(bars)
    layer = forward_pass.net_of(learner.plan(), learner.weights_[0]).recurrent[0]
    weights = cells.Weights(layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0)
    states = cells.run("lstm", weights, activations.inputs_of(learner, bars))
    gates = activations.gates_of(learner, bars)
    for name in ("forget", "input", "output", "candidate"):
        for statistic in activations.STATISTICS:
            np.testing.assert_allclose(gates[f"{name}_{statistic}"], states[name][:, -1, 0], rtol=1e-12)
    np.testing.assert_allclose(gates["cell_mean"], states["c"][:, -1, 0], rtol=1e-12)


def test_attention_sums_to_1_and_is_the_references(activations_of):
    result = activations_of("attention")
    assert list(result.attention) == ["5", "4", "3", "2", "1", "0"]
    np.testing.assert_allclose(result.attention.sum(axis=1), 1, rtol=1e-12)
    x, expected = activations.inputs_of(result.learner, result.bars), []
    for weights in result.learner.weights_:
        net = forward_pass.net_of(result.learner.plan(), weights)
        expected.append(net.attention.weights(net.recurrent[0](x)[0]).numpy())
    np.testing.assert_allclose(result.attention, np.mean(expected, axis=0), rtol=1e-10)


def test_only_attention_nets_have_attention(activations_of):
    assert activations_of("lstm").attention is None


def shifted(state, key, by):
    """The state with `by` added to h, or to C, with which h moves."""
    if key == "h":
        return {**state, "h": state["h"] + by}
    c = state["c"] + by
    return {**state, "c": c, "h": state["output"] * torch.tanh(c)}


@pytest.mark.parametrize(("name", "shown", "key"), [*((n, "hidden", "h") for n in cells.CELLS), ("lstm", "cell", "c")])
def test_lag_gradients_equal_finite_differences(activations_of, name, shown, key):
    result = activations_of(name)
    net, step = forward_pass.net_of(result.learner.plan(), result.learner.weights_[0]), 1e-6
    layer, x = net.recurrent[0], activations.inputs_of(result.learner, result.bars)[:7]
    weights = cells.Weights(layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0)
    states, norms = cells.steps(name, weights, x), forward_pass.lag_gradients(net, x)[shown]
    for lag in range(1, len(norms)):
        t, slopes = len(norms) - 1 - lag, []
        for unit in step * torch.eye(net.plan.hidden, dtype=torch.float64):
            up, down = (
                cells.steps(name, weights, x[:, t + 1 :], shifted(states[t], key, by))[-1]["h"] for by in (unit, -unit)
            )
            slopes.append((up - down) @ net.head.weight[0] / (2 * step))
        assert norms[lag] == pytest.approx(torch.stack(slopes, dim=1).norm(dim=1).mean().item(), rel=1e-6)


def test_the_gradient_at_lag_0_is_the_head(activations_of):
    result = activations_of("lstm")
    net = forward_pass.net_of(result.learner.plan(), result.learner.weights_[0])
    norms = forward_pass.lag_gradients(net, activations.inputs_of(result.learner, result.bars))
    assert norms["hidden"][0] == pytest.approx(net.head.weight[0].norm().item())


def test_a_net_is_compared_with_an_rnn_and_an_lstm_before_and_after_training(activations_of):
    for name, nets in {"rnn": {"RNN", "LSTM"}, "gru": {"GRU", "RNN", "LSTM"}}.items():
        gradients = activations_of(name).gradients
        assert set(gradients["net"]) == nets
        hidden = gradients[gradients["state"] == "hidden"]
        assert (hidden.groupby(["net", "when"])["lag"].count() == 6).all()
        assert set(hidden["when"]) == {"before", "after"}


def test_every_update_is_observed_before_it_is_clipped(jobs_of):
    learner = LSTM(**SMALL | {"seeds": 1}, batch=16, loss_on="last")
    (job,) = jobs_of(learner, windows=1)
    norms = []
    training = reference.Training(learner.plan(), job, observe=norms.append)
    first = reference.Training(learner.plan(), job)
    training.train()
    assert len(norms) == 3 * -(-len(first.samples.training) // 16)
    plain, observed = reference.train(learner.plan(), job), training.weights()
    np.testing.assert_array_equal(plain.weights, observed)


def test_the_first_norm_is_that_of_the_gradient(jobs_of):
    learner = LSTM(**SMALL | {"seeds": 1}, clip=1e-3)
    (job,) = jobs_of(learner, windows=1)
    norms = []
    reference.Training(learner.plan(), job, observe=norms.append).train()
    fresh = reference.Training(learner.plan(), job)
    fresh.loss(fresh.samples.training).backward()
    expected = torch.cat([p.grad.flatten() for p in fresh.net.parameters()]).norm().item()
    assert norms[0] == pytest.approx(expected, rel=1e-5)


def test_the_share_of_clipped_updates_counts_the_norms_above_the_clip(market):
    bars = market.iloc[:150]
    norms = activations.updates_of(LSTM(**SMALL, clip=1e9), bars)
    # The first updates of the two nets are the same whatever the clip; one that lies between them cuts one of two.
    once = {**SMALL, "epochs": 1}
    low, high = sorted(norms[norms["update"] == 1]["norm"])
    one_of_two = activations.activations_of(LSTM(**once, clip=(low + high) / 2), bars)
    assert one_of_two.clipping_rate == 0.5
    assert one_of_two.updates["norm"].tolist() == norms[norms["update"] == 1]["norm"].tolist()
    assert activations.activations_of(LSTM(**once, clip=low / 2), bars).clipping_rate == 1
    assert not norms["clipped"].any()
