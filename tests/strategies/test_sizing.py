"""Sizing: what is left once all orders are paid, by bisection; one name alone is a panel of one, to the last bit."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from rollcast.strategies.sizing import COLLATERAL, Book, Ruined, after_costs, after_costs_of_one, change_of_one, changes


def today() -> datetime.datetime:
    return datetime.datetime(2020, 1, 2)


rates = st.one_of(st.just(0.0), st.floats(0, 0.3))
weights = st.floats(-1, 1)


@settings(max_examples=300, deadline=None)
@given(
    units=st.integers(-300, 300),
    price=st.floats(0.5, 500),
    cash=st.floats(1, 1e5),
    rate=rates,
    target=weights,
    tolerance=st.sampled_from([0.0, 0.1]),
    whole=st.booleans(),
)
def test_one_name_alone_is_a_panel_of_one_to_the_last_bit(units, price, cash, rate, target, tolerance, whole):
    cash += max(-units, 0) * price  # a short's proceeds
    book = Book(np.array([float(units)]), np.array([price]), cash, rate, whole, today)
    left = book.equity - rate * abs(units * price)
    if left <= 0:
        with pytest.raises(Ruined) as one:
            change_of_one(float(units), price, cash, rate, whole, target, tolerance, today)
        with pytest.raises(Ruined) as many:
            changes(book, np.array([target]), np.array([True]), tolerance)
        assert (one.value.date, one.value.equity) == (many.value.date, many.value.equity) == (today(), left)
        return
    alone = change_of_one(float(units), price, cash, rate, whole, target, tolerance, today)
    change, traded = changes(book, np.array([target]), np.array([True]), tolerance)
    assert traded[0] == (alone is not None)
    assert change[0] == (alone or 0.0)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(weights, st.floats(-1, 1)), min_size=1, max_size=6), st.floats(0, 0.3))
def test_what_is_left_is_equity_less_the_costs_of_trading_to_its_weights(names, rate):
    w, v = np.array(names).T
    w = w / max(1.0, float(np.abs(w).sum()))
    equity = rate * float(np.abs(v).sum()) + 0.1

    def short_of(left: float) -> float:
        return left + rate * float(np.abs(w * left - v).sum()) - equity

    left = brentq(short_of, 0, equity, xtol=1e-15, rtol=1e-14) if short_of(equity) > 0 else equity
    assert after_costs(w, v, equity, rate) == pytest.approx(left, rel=1e-12)
    if len(w) == 1:
        assert after_costs(w, v, equity, rate) == after_costs_of_one(float(w[0]), float(v[0]), equity, rate)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), n=st.integers(1, 6), rate=rates, whole=st.booleans(), short=st.booleans())
def test_what_is_bought_is_always_paid_for_and_leaves_the_collateral_of_the_shorts(data, n, rate, whole, short):
    def numbers(low: float, high: float) -> np.ndarray:
        return np.array(data.draw(st.lists(st.floats(low, high), min_size=n, max_size=n)))

    price, units = numbers(0.5, 500), np.trunc(numbers(-50 * short, 200))
    target = numbers(-1.0 * short, 1.0)
    target = target / max(1.0, np.abs(target).sum())
    due = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    owed = float(np.maximum(-units * price, 0.0).sum())
    book = Book(units, price, owed + data.draw(st.floats(1, 1e5)), rate, whole, today)
    if book.equity <= rate * float(np.abs(book.value).sum()):
        with pytest.raises(Ruined):
            changes(book, target, due, 0.0)
        return
    change, traded = changes(book, target, due, 0.0)
    assert (change[~due] == 0).all()
    assert not (traded & ~due).any()
    cash = book.cash - float((change * price).sum() + rate * (np.abs(change) * price).sum())
    shorts = float(np.maximum(-(units + change) * price, 0.0).sum())
    if (change > 0).any():
        assert cash >= COLLATERAL * shorts - 1e-9 * (1 + book.cash)
    if whole:
        assert (change == np.trunc(change)).all()


def test_a_position_that_is_half_sold_pays_for_the_half_and_not_for_the_whole():
    # 100 units at 10 and no cash, to a weight of a half at 1 %: E' = (1000 - 10) / (1 - 0.005)
    change = change_of_one(100.0, 10.0, 0.0, 0.01, False, 0.5, 0.0, today)
    assert change == pytest.approx(0.5 * 990 / 0.995 / 10 - 100, rel=1e-8)
    # 50 units at 10 and 500 in cash, to a weight of one: E' = (1000 + 5) / 1.01
    assert change_of_one(50.0, 10.0, 500.0, 0.01, False, 1.0, 0.0, today) == pytest.approx(1005 / 10.1 - 50, rel=1e-7)
    # 50 short at 10, to 100 long: E' = (500 - 5) / 1.01
    assert change_of_one(-50.0, 10.0, 1000.0, 0.01, False, 1.0, 0.0, today) == pytest.approx(495 / 10.1 + 50, rel=1e-7)


def test_costs_that_could_take_all_there_is_are_refused():
    with pytest.raises(ValueError, match="trading costs of 20000 basis points leave nothing to invest"):
        after_costs(np.array([0.6]), np.array([0.9]), 1.0, 2.0)
