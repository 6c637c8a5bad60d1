"""The recurrent learners: one class for each architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..validation import at_least, one_of
from .jobs import Plan
from .learner import Recurrent


@dataclass
class ManyToMany(Recurrent):
    """A net that reads forwards only, so that a training sample can have several targets.

    loss_on: the form of a training sample. last: one lookback and the return after it, the textbook's many-to-one.
             sequence: 2 · lookback - 1 bars, and the returns after each of the last `lookback` of them, so that every
             target is forecast from at least one whole lookback, and no target belongs to two samples. That is a
             different estimator, several times cheaper. Forecasts read one lookback in both cases.

    The other fields are those of `RecurrentSettings`.
    """

    loss_on: Literal["last", "sequence"] = "sequence"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("loss_on", self.loss_on, ("last", "sequence"))

    @property
    def stride(self) -> int:
        """The number of targets of a training sample."""
        return 1 if self.loss_on == "last" else self.lookback


@dataclass
class RNN(ManyToMany):
    """A vanilla recurrent net, the textbook example of a vanishing gradient.

    h_t = tanh(W_h h_{t-1} + W_x x_t + b); forecast = mean + std · (w·h_T + b), as `LSTM`'s.

    Reference: Elman (1990), Finding Structure in Time, Cognitive Science 14(2).
    """

    def plan(self) -> Plan:
        return plan_of(self, "rnn", stride=self.stride)


@dataclass
class GRU(ManyToMany):
    """A net of gated recurrent units: two gates, and no cell state beside the hidden state.

    r_t, z_t = σ(W·[h_{t-1}, x_t] + b); n_t = tanh(W_n x_t + b_n + r_t∗(U_n h_{t-1} + c_n));
    h_t = (1 - z_t)∗n_t + z_t∗h_{t-1}; forecast = mean + std · (w·h_T + b), as `LSTM`'s.

    Reference: Cho et al. (2014), EMNLP, arXiv:1406.1078, in cuDNN's variant (the reset gate after the product).
    """

    def plan(self) -> Plan:
        return plan_of(self, "gru", stride=self.stride)


@dataclass
class LSTM(ManyToMany):
    """A long short-term memory net that reads the last `lookback` bars and forecasts the next return.

    f_t, i_t, o_t = σ(W·[h_{t-1}, x_t] + b); C̃_t = tanh(W_C·[h_{t-1}, x_t] + b_C); C_t = f_t∗C_{t-1} + i_t∗C̃_t;
    h_t = o_t∗tanh(C_t); forecast = mean + std · (w·h_T + b), x the features scaled by the training slice, mean and std
    those of the slice's returns; averaged over `seeds` nets.

    References: Hochreiter & Schmidhuber (1997), Neural Computation 9(8); Gers, Schmidhuber & Cummins (2000) for the
    forget gate; Fischer & Krauss (2018), European Journal of Operational Research 270(2), for returns.
    """

    def plan(self) -> Plan:
        return plan_of(self, "lstm", stride=self.stride)


@dataclass
class StackedLSTM(ManyToMany):
    """`layers` LSTMs, each of which reads the hidden states of the one below; `dropout` also acts between them.

    Reference: Graves, Mohamed & Hinton (2013), ICASSP, arXiv:1303.5778.
    """

    layers: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("layers", self.layers, 1)

    def plan(self) -> Plan:
        return plan_of(self, "lstm", stride=self.stride, layers=self.layers)


@dataclass
class BiLSTM(Recurrent):
    """A bidirectional LSTM: one LSTM reads the lookback forwards, one backwards; the forecast reads both last states.

    The lookback ends at the bar of the forecast, so reading it backwards does not look ahead.

    Reference: Graves & Schmidhuber (2005), Neural Networks 18(5-6).
    """

    def plan(self) -> Plan:
        return plan_of(self, "lstm", directions=2)


@dataclass
class AttentionLSTM(Recurrent):
    """An LSTM with attention: the forecast reads a weighted mean of all hidden states of the lookback.

    u_t = tanh(W h_t + b), α = softmax_t(v·u_t), forecast = mean + std · (w·Σ_t α_t h_t + b).

    Reference: Yang et al. (2016), Hierarchical Attention Networks, NAACL, equations 5 to 7.
    """

    def plan(self) -> Plan:
        return plan_of(self, "lstm", attention=True)


def plan_of(
    learner: Recurrent, cell: str, *, stride: int = 1, layers: int = 1, directions: int = 1, attention: bool = False
) -> Plan:
    """The plan of nets of this architecture with the learner's hyper-parameters."""
    names = ("hidden", "lookback", "batch", "lr", "clip", "loss", "weight_decay", "dropout", "validation", "patience")
    values = {name: getattr(learner, name) for name in names}
    return Plan(
        cell=cell,
        features=len(learner.features),
        stride=stride,
        layers=layers,
        directions=directions,
        attention=attention,
        **values,
    )
