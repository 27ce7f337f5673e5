"""Single values in JSON: each comes back as it was, and nothing else comes back at all."""

import json
import math

import numpy as np
import pytest

from fastbp.interop.values import decode, encode

VALUES = [
    *(None, True, False, 0, -5, 2**70, 0.1, -0.0, 5e-324, 1.7976931348623157e308, math.nan, math.inf, -math.inf),
    *("", "relu", "grün\n\x00\ud800", (), (3, (4,)), [], [1, 0.5, None, "x", (2,)]),
    *(np.float64(0.1), np.float32(0.1), np.float16(0.1), np.float64("nan"), np.float32("-inf"), np.bool_(True)),
    *(np.int8(-128), np.uint64(2**64 - 1), np.int64(-(2**63))),
    [np.float64(0.5), np.float64("inf")],
    [np.float64(0.5), 0.5],
    [np.float32(0.5), np.float64(0.5)],
    np.array([3, 1], dtype=np.int16),
    np.array([], dtype=np.uint8),
    np.array([0.1, math.nan, math.inf]),
    np.array([True, False]),
    np.array(["a", "blau"], dtype="U7"),
    np.array(["x", "grün"], dtype=object),
]


def around(value):
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back(value, assert_same):
    got = around(value)
    assert_same(got, value)
    if isinstance(value, float):
        assert math.copysign(1, got) == math.copysign(1, value)


@pytest.mark.parametrize("draws", [0, 1, 624, 1001])
def test_generators_go_on(draws, assert_same):
    generator = np.random.RandomState(3)
    generator.standard_normal(draws)
    again = around(generator)
    assert_same(again, generator)
    assert again.standard_normal(1000).tolist() == generator.standard_normal(1000).tolist()


@pytest.mark.parametrize(
    "value",
    [
        *(b"bytes", {"a": 1}, {1}, 1j, object(), np.complex64(1), np.longdouble(1), np.datetime64(0, "s")),
        *(np.zeros((2, 2)), np.array(3), np.array([None, "a"]), np.array([b"a"]), np.array([1j])),
        *([object()], (b"",), np.random.default_rng(0), np.random.RandomState(np.random.PCG64(0))),
    ],
    ids=repr,
)
def test_other_values_are_refused(value):
    with pytest.raises(ValueError, match="has no form in a file"):
        encode(value)


KEY = list(range(624))
STATE = {"key": KEY, "pos": 624, "has_gauss": 0, "gauss": 0.0}


@pytest.mark.parametrize(
    "node",
    [
        {},
        {"float": "1.0"},
        {"float": math.nan},
        math.nan,
        math.inf,
        {"tuple": 3},
        {"tuple": {"float": "nan"}},
        [{"__class__": "os.system"}],
        {"scalar": "float64", "value": "0.5"},
        {"scalar": "float64", "value": 1},
        {"scalar": "float64", "value": [1.0]},
        {"scalar": "object", "value": 1.0},
        {"scalar": "float16", "value": 1e10},
        {"scalar": "bool", "value": 1},
        {"scalar": ["float64"], "value": 1.0},
        {"scalars": "int64", "values": [1, 2.0]},
        {"scalars": "int64", "values": [2**63]},
        {"array": "uint8", "values": [256]},
        {"array": "uint8", "values": [-1]},
        {"array": "int64", "values": [[1], [2]]},
        {"array": "int64", "values": "12"},
        {"array": "object", "values": [1]},
        {"array": "object", "values": [{"a": 1}]},
        {"array": "str1", "values": ["ab"]},
        {"array": "str999999999", "values": ["a"]},
        {"array": "str4000", "values": ["a"] * 10**5},
        {"array": "U5", "values": ["a"]},
        {"array": "(1000000,)f8", "values": [1.0]},
        {"RandomState": 3},
        *({"RandomState": {**STATE, **change}} for change in ({"pos": 625}, {"pos": -1}, {"pos": 1.0}, {"gauss": 1})),
        *({"RandomState": {**STATE, **change}} for change in ({"has_gauss": 2}, {"gauss": math.inf}, {"key": KEY[1:]})),
        *({"RandomState": {**STATE, "key": key}} for key in ([0] * 624, [2**31 - 1] + [0] * 623, [-1] * 624)),
        {"RandomState": {}},
    ],
    ids=lambda node: repr(node)[:60],
)
def test_other_nodes_are_refused(node):
    with pytest.raises(ValueError, match=r"unknown kind of|not "):
        decode(node)


def test_a_generator_of_the_least_key_works():
    key = [2**31] + [0] * 623
    assert around(decode({"RandomState": {**STATE, "key": key}})).standard_normal(5).shape == (5,)
