"""Numbers drawn on a device are those of `random_numbers`, bit for bit."""

from dataclasses import replace

import numpy as np
import torch

from rollcast.predictors.recurrent import random_numbers, random_tensors
from rollcast.predictors.recurrent.learners import LSTM

CPU = torch.device("cpu")
SEEDS = [0, 5, 2**63 + 7, 2**64 - 1]


def test_keys_and_orders_are_the_same():
    seeds = random_tensors.seeds(SEEDS, CPU)
    keys = random_tensors.keys(random_tensors.keys(seeds, random_numbers.ORDER), 3)
    orders = random_tensors.permutations(keys, 100)
    for seed, key, order in zip(SEEDS, keys, orders, strict=True):
        expected = random_numbers.key(random_numbers.key(seed, random_numbers.ORDER), 3)
        assert int(key) & (2**64 - 1) == expected
        np.testing.assert_array_equal(order, random_numbers.epoch_order(seed, 3, 100))


def test_masks_are_the_same():
    plan = replace(LSTM(lookback=4, hidden=5).plan(), layers=2, directions=2, dropout=0.3)
    starts = np.array([[0, 3, 9], [1, 2, 40], [5, 6, 7], [8, 8, 8]])
    keys = random_tensors.seeds(SEEDS, CPU)
    layers = random_tensors.masks(plan, torch.from_numpy(starts), 6, keys)
    for net, (seed, rows) in enumerate(zip(SEEDS, starts, strict=True)):
        for layer, expected in zip(layers, random_numbers.masks(plan, rows, 6, seed), strict=True):
            np.testing.assert_allclose(layer[net], expected, rtol=1e-7)
            assert 0.1 < (expected == 0).mean() < 0.5
