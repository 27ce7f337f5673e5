"""Arrays that do not fit a network are refused by name before compiled code sees them; other moments are converted."""

import copy

import numpy as np
import pytest

from fastbp.network.checks import check_layers, check_order, check_parameters, check_samples
from fastbp.network.spec import Network, Precision, Samples
from support.networks import assert_identical, make_optimizer, make_problem, network_of, open_session, train
from support.processes import run_well
from support.sparse import sparse_of

SIZES = (4, 3, 2)
NAMES = ("weights", "biases")


def parameters():
    return [np.ones((4, 3)), np.ones((3, 2)), np.ones(3), np.ones(2)]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


MISFITS = {
    "a list": (lambda array: array.tolist(), TypeError),
    "nothing": (lambda array: None, TypeError),
    "float32": (lambda array: array.astype(np.float32), TypeError),
    "integers": (lambda array: array.astype(int), TypeError),
    "complex numbers": (lambda array: array.astype(complex), TypeError),
    "objects": (lambda array: array.astype(object), TypeError),
    "the other byte order": (lambda array: array.astype(array.dtype.newbyteorder()), TypeError),
    "one element less": (lambda array: array[:-1], ValueError),
    "one element more": (lambda array: np.concatenate([array, array[:1]]), ValueError),
    "another dimension": (lambda array: array[None], ValueError),
    "no element": (lambda array: array[:0], ValueError),
}
each_misfit = pytest.mark.parametrize("misfit", MISFITS)
PLACES = {"weights[0]": 0, "weights[1]": 1, "biases[0]": 2, "biases[1]": 3}
each_place = pytest.mark.parametrize("place", PLACES)


def network(dtype=np.float64):
    return Network(SIZES, "relu", "squared_error", Precision.of(np.dtype(dtype)))


def named(name):
    return f"^{name.replace('[', chr(92) + '[').replace(']', chr(92) + ']')} must "


# ---- check_parameters ----


def test_parameters_that_fit():
    check_parameters(network(), parameters(), NAMES, written=True)
    check_parameters(network(), [np.asfortranarray(a) for a in parameters()], NAMES, written=True)
    check_parameters(network(), [np.repeat(a, 2, axis=0)[::2] for a in parameters()], NAMES, written=True)
    check_parameters(network(), [read_only(a) for a in parameters()], NAMES)
    check_parameters(network(np.float32), [a.astype(np.float32) for a in parameters()], NAMES)


@each_misfit
@each_place
def test_parameters_that_do_not_fit(place, misfit):
    change, error = MISFITS[misfit]
    arrays = parameters()
    arrays[PLACES[place]] = change(arrays[PLACES[place]])
    with pytest.raises(error, match=named(place)):
        check_parameters(network(), arrays, NAMES)


@each_place
def test_parameters_that_cannot_be_written(place):
    arrays = parameters()
    arrays[PLACES[place]] = read_only(arrays[PLACES[place]])
    with pytest.raises(ValueError, match=named(place)):
        check_parameters(network(), arrays, NAMES, written=True)


def test_number_of_parameters():
    for arrays in ([], parameters()[:-1], [*parameters(), np.ones(2)]):
        with pytest.raises(ValueError, match=r"^weights and biases must be 4 arrays"):
            check_parameters(network(), arrays, NAMES)


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.int64, ">f8"])
def test_type_of_the_network(dtype):
    with pytest.raises(ValueError, match=r"^weights must be of type float32 or float64"):
        check_parameters(network(dtype), [a.astype(dtype) for a in parameters()], NAMES)


# ---- check_samples ----


def test_samples_that_fit():
    check_samples(network(), Samples(np.ones((5, 4)), np.ones((5, 2))))
    check_samples(network(), Samples(sparse_of(np.ones((5, 4))), np.ones((5, 2)), np.ones(5)))


@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("x", Samples(np.ones((5, 3)), np.ones((5, 2)))),
        ("x", Samples(np.ones((5, 5)), np.ones((5, 2)))),
        ("x", Samples(np.ones(5), np.ones((5, 2)))),
        ("x", Samples(np.ones((0, 4)), np.ones((0, 2)))),
        ("x", Samples(sparse_of(np.ones((5, 3))), np.ones((5, 2)))),
        ("y", Samples(np.ones((5, 4)), np.ones((4, 2)))),
        ("y", Samples(np.ones((5, 4)), np.ones((5, 1)))),
        ("y", Samples(np.ones((5, 4)), np.ones(5))),
        ("y", Samples(sparse_of(np.ones((5, 4))), np.ones((4, 2)))),
        ("sample_weight", Samples(np.ones((5, 4)), np.ones((5, 2)), np.ones(4))),
        ("sample_weight", Samples(np.ones((5, 4)), np.ones((5, 2)), np.ones((5, 1)))),
    ],
)
def test_samples_that_do_not_fit(name, samples):
    with pytest.raises(ValueError, match=f"^{name} must have "):
        check_samples(network(), samples)


# ---- check_order ----


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_orders_that_fit(dtype):
    check_order(np.array([2, 0, 1], dtype), 3)
    check_order(np.array([2, 2, 2], dtype), 3)
    check_order(np.array([], dtype), 0)


@pytest.mark.parametrize("order", [[0, 1], [0, 1, 2, 3], [[0, 1, 2]], [0.0, 1.0, 2.0], [True, False, True]])
def test_orders_of_another_kind(order):
    with pytest.raises(ValueError, match=r"^order must be 3 integers"):
        check_order(np.array(order), 3)


@pytest.mark.parametrize("row", [-1, 3, 2**40])
def test_rows_out_of_range(row):
    with pytest.raises(ValueError, match=r"^order must be in \[0, 3\)"):
        check_order(np.array([0, 1, row]), 3)


# ---- check_layers ----


def test_layers_that_fit():
    arrays = parameters()
    check_layers(arrays[:2], arrays[2:], np.ones((5, 4)))
    check_layers(arrays[:2], arrays[2:], sparse_of(np.ones((5, 4))))


@each_misfit
@each_place
def test_layers_that_do_not_fit(place, misfit):
    change, error = MISFITS[misfit]
    arrays = parameters()
    arrays[PLACES[place]] = change(arrays[PLACES[place]])
    # The first matrix determines the float type of the others.
    name = "biases[0]" if (place, misfit) == ("weights[0]", "float32") else place
    with pytest.raises(error, match=named(name)):
        check_layers(arrays[:2], arrays[2:], np.ones((5, 4)))


def test_number_of_layers():
    arrays = parameters()
    for weights, biases in (([], []), (arrays[:2], arrays[2:3]), (arrays[:1], arrays[2:])):
        with pytest.raises(ValueError, match=r"^weights and biases must be equally many"):
            check_layers(weights, biases, np.ones((5, 4)))


@pytest.mark.parametrize("shape", [(5, 3), (5, 5)])
def test_layers_that_do_not_fit_the_samples(shape):
    arrays = parameters()
    with pytest.raises(ValueError, match=named("weights[0]")):
        check_layers(arrays[:2], arrays[2:], np.ones(shape))
    with pytest.raises(ValueError, match=r"^x must be a matrix"):
        check_layers(arrays[:2], arrays[2:], np.ones(4))


# ---- sessions ----


@each_misfit
@each_place
def test_session_with_parameters_that_do_not_fit(place, misfit, rng):
    change, error = MISFITS[misfit]
    problem = make_problem(rng, SIZES)
    arrays = copy.deepcopy(problem.params)
    arrays[PLACES[place]] = change(arrays[PLACES[place]])
    whole = network_of(problem)
    with pytest.raises((TypeError, ValueError)) as caught:
        open_session(problem, make_optimizer("Adam"), arrays[:2], arrays[2:])
    assert "weights[" in str(caught.value) or "biases[" in str(caught.value)
    with pytest.raises(error, match=named(place)):
        check_parameters(whole, arrays, NAMES, written=True)


@each_place
def test_session_with_read_only_parameters(place, rng):
    problem = make_problem(rng, SIZES)
    arrays = copy.deepcopy(problem.params)
    arrays[PLACES[place]] = read_only(arrays[PLACES[place]])
    with pytest.raises(ValueError, match=named(place)):
        open_session(problem, make_optimizer("Adam"), arrays[:2], arrays[2:])


CONVERTED = ("float32", "the other byte order")


@each_misfit
@pytest.mark.parametrize("moment", ["ms", "vs"])
@each_place
def test_session_with_moments_that_do_not_fit(place, moment, misfit, rng):
    change, error = MISFITS[misfit]
    problem = make_problem(rng, SIZES)
    state = train(problem, make_optimizer("AdamW")).optimizer
    arrays = state.moments[moment]
    if misfit in CONVERTED:
        arrays[:] = [change(array) for array in arrays]
        ref = copy.deepcopy(state)
        ref.moments[moment] = [array.astype(np.float64) for array in arrays]
        assert_identical(train(problem, state), train(problem, ref))
        return
    arrays[PLACES[place]] = change(arrays[PLACES[place]])
    kind, index = place[:-3], place[-3:]
    with pytest.raises(error, match=named(f"moments['{moment}'] of {kind}{index}")):
        train(problem, state)


@pytest.mark.parametrize("wrong", [None, 3, "ms", np.ones(4)])
@pytest.mark.parametrize("moment", ["ms", "vs"])
def test_session_with_moments_that_are_no_lists(moment, wrong, rng):
    problem = make_problem(rng, SIZES)
    state = train(problem, make_optimizer("Adam")).optimizer
    state.moments[moment] = wrong
    with pytest.raises(TypeError, match=rf"^moments\['{moment}'\] must be a list of arrays"):
        train(problem, state)
    del state.moments[moment]
    with pytest.raises(TypeError, match=rf"^moments\['{moment}'\] must be a list of arrays"):
        train(problem, state)


def test_session_with_an_order_that_does_not_fit(rng):
    problem = make_problem(rng, SIZES)
    with open_session(problem, make_optimizer("Adam")) as session:
        for order in (np.arange(20), np.arange(21) + 1, np.arange(21) - 1, np.linspace(0, 20, 21)):
            with pytest.raises(ValueError, match=r"^order must be"):
                session.epoch(order)


# ---- moments of another precision ----


@pytest.mark.parametrize("name", ["shared optimizer", "coefs by hand", "from_sklearn", "forged archive"])
def test_moments_of_another_precision_are_converted(name):
    assert run_well("moments", name) == "done\n"
