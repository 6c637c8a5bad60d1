"""What explain shows is what the net did: against the learner, the twin and finite differences."""

import numpy as np
import pandas as pd
import pytest
import torch

from rollcast.predictors.recurrent import activations, cells, reference
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
def seen(market):
    made = {}

    def look(name):
        if name not in made:
            made[name] = activations.look(LEARNERS[name], market.iloc[:150])
        return made[name]

    return look


@pytest.mark.parametrize("name", LEARNERS)
def test_the_forecasts_of_the_traces_are_the_learners(seen, name):
    found = seen(name)
    expected = found.learner.predict(found.bars).dropna()
    pd.testing.assert_index_equal(found.gates.index, expected.index)
    std = found.learner.scale_[-1, 1]
    np.testing.assert_allclose(found.gates["forecast"] / std, expected / std, atol=1e-5)
    pd.testing.assert_series_equal(found.gates["close"], found.bars["close"].iloc[6:])


@pytest.mark.parametrize("name", LEARNERS)
def test_gates_lie_between_0_and_1_and_quartiles_in_order(seen, name):
    gates = seen(name).gates
    assert "hidden_mean" in gates
    for column in gates.filter(regex="^(forget|input|output|reset|update)_"):
        assert gates[column].between(0, 1, inclusive="neither").all()
    for state in {column.rpartition("_")[0] for column in gates} - {""}:
        assert (gates[f"{state}_q25"] <= gates[f"{state}_q50"]).all()
        assert (gates[f"{state}_q50"] <= gates[f"{state}_q75"]).all()


def test_the_gates_of_one_unit_are_those_of_the_equations(market):
    bars = market.iloc[:150]
    learner = LSTM(lookback=6, hidden=1, seeds=1).fit(bars)
    layer = activations.net_of(learner.plan(), learner.weights_[0]).recurrent[0]
    weights = cells.Weights(layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0)
    states = cells.run("lstm", weights, activations.inputs_of(learner, bars))
    gates = activations.gates_of(learner, bars)
    for name in ("forget", "input", "output", "candidate"):
        for measure in activations.MEASURES:
            np.testing.assert_allclose(gates[f"{name}_{measure}"], states[name][:, -1, 0], rtol=1e-12)
    np.testing.assert_allclose(gates["cell_mean"], states["c"][:, -1, 0], rtol=1e-12)


def test_attention_sums_to_1_and_is_the_twins(seen):
    found = seen("attention")
    assert list(found.attention) == ["5", "4", "3", "2", "1", "0"]
    np.testing.assert_allclose(found.attention.sum(axis=1), 1, rtol=1e-12)
    x, expected = activations.inputs_of(found.learner, found.bars), []
    for weights in found.learner.weights_:
        net = activations.net_of(found.learner.plan(), weights)
        expected.append(net.attention.weights(net.recurrent[0](x)[0]).numpy())
    np.testing.assert_allclose(found.attention, np.mean(expected, axis=0), rtol=1e-10)


def test_only_attention_nets_have_attention(seen):
    assert seen("lstm").attention is None


def nudged(state, key, by):
    """The state with `by` added to h, or to C, with which h moves."""
    if key == "h":
        return {**state, "h": state["h"] + by}
    c = state["c"] + by
    return {**state, "c": c, "h": state["output"] * torch.tanh(c)}


@pytest.mark.parametrize(("name", "shown", "key"), [*((n, "hidden", "h") for n in cells.CELLS), ("lstm", "cell", "c")])
def test_lag_gradients_equal_finite_differences(seen, name, shown, key):
    found = seen(name)
    net, step = activations.net_of(found.learner.plan(), found.learner.weights_[0]), 1e-6
    layer, x = net.recurrent[0], activations.inputs_of(found.learner, found.bars)[:7]
    weights = cells.Weights(layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0)
    states, norms = cells.steps(name, weights, x), activations.lag_gradients(net, x)[shown]
    for lag in range(1, len(norms)):
        t, slopes = len(norms) - 1 - lag, []
        for unit in step * torch.eye(net.plan.hidden, dtype=torch.float64):
            up, down = (
                cells.steps(name, weights, x[:, t + 1 :], nudged(states[t], key, by))[-1]["h"] for by in (unit, -unit)
            )
            slopes.append((up - down) @ net.head.weight[0] / (2 * step))
        assert norms[lag] == pytest.approx(torch.stack(slopes, dim=1).norm(dim=1).mean().item(), rel=1e-6)


def test_the_gradient_at_lag_0_is_the_head(seen):
    found = seen("lstm")
    net = activations.net_of(found.learner.plan(), found.learner.weights_[0])
    norms = activations.lag_gradients(net, activations.inputs_of(found.learner, found.bars))
    assert norms["hidden"][0] == pytest.approx(net.head.weight[0].norm().item())


def test_a_net_is_compared_with_an_rnn_and_an_lstm_before_and_after_training(seen):
    for name, nets in {"rnn": {"RNN", "LSTM"}, "gru": {"GRU", "RNN", "LSTM"}}.items():
        gradients = seen(name).gradients
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
    assert len(norms) == 3 * -(-len(first.samples.starts) // 16)
    plain, observed = reference.train(learner.plan(), job), training.weights()
    np.testing.assert_array_equal(plain.weights, observed)


def test_the_first_norm_is_that_of_the_gradient(jobs_of):
    learner = LSTM(**SMALL | {"seeds": 1}, clip=1e-3)
    (job,) = jobs_of(learner, windows=1)
    norms = []
    reference.Training(learner.plan(), job, observe=norms.append).train()
    fresh = reference.Training(learner.plan(), job)
    fresh.loss(fresh.samples.starts).backward()
    expected = torch.cat([p.grad.flatten() for p in fresh.net.parameters()]).norm().item()
    assert norms[0] == pytest.approx(expected, rel=1e-5)


def test_the_share_of_clipped_updates_counts_the_norms_above_the_clip(market):
    bars = market.iloc[:150]
    norms = activations.updates_of(LSTM(**SMALL, clip=1e9), bars)
    # The first updates of the two nets are the same whatever the clip; one that lies between them cuts one of two.
    once = {**SMALL, "epochs": 1}
    low, high = sorted(norms[norms["update"] == 1]["norm"])
    cut = activations.look(LSTM(**once, clip=(low + high) / 2), bars)
    assert cut.clipped == 0.5
    assert cut.updates["norm"].tolist() == norms[norms["update"] == 1]["norm"].tolist()
    assert activations.look(LSTM(**once, clip=low / 2), bars).clipped == 1
    assert not norms["clipped"].any()
