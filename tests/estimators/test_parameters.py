"""Valid parameters: fastbp accepts and rejects like the installed scikit-learn, with its messages, on a lattice."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
import sklearn.neural_network as reference
from sklearn import config_context, get_config
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError as InvalidForScikitLearn
from sklearn.utils._param_validation import validate_parameter_constraints

import fastbp
from fastbp.estimators._parameters import InvalidParameterError, check_parameters


class _Text(str):
    """A string of a subclass."""

    __slots__ = ()


LATTICE = [
    *(-(2**70), -2, -1, 0, 1, 2, 15000, 2**32 - 1, 2**32, 2**70),
    *(
        -math.inf,
        -1.5,
        -1e-6,
        -0.0,
        0.0,
        5e-324,
        0.5,
        1 - 1e-16,
        1.0,
        1.0 + 2**-52,
        1.5,
        2.0,
        1e300,
        math.inf,
        math.nan,
    ),
    *(np.int8(-1), np.int64(0), np.int32(1), np.uint8(7)),
    *(np.float32(-1), np.float32(0), np.float64(0.5), np.float16(1), np.longdouble(1), np.float64(2)),
    *(np.float32(math.inf), np.float64(-math.inf), np.float64(math.nan)),
    *(True, False, np.True_, np.False_),
    *(None, "auto", "Auto", "", "1", b"relu", "adam", "sgd", "lbfgs", "relu", "logistic", "tanh", "identity"),
    *("constant", "invscaling", "adaptive", "squared_error", "poisson", "log_loss", np.str_("adam"), _Text("relu")),
    *(
        (),
        [],
        (3,),
        [3, 4],
        (3.5,),
        {"a": 1},
        {1, 2},
        frozenset(),
        range(2),
        np.array([3]),
        np.array(3),
        np.zeros((2, 0)),
    ),
    *(scipy.sparse.csr_array([[1]]), scipy.sparse.coo_matrix([[1]])),
    *(np.random, np.random.RandomState(0), np.random.default_rng(0), 1j, object(), int, bool, len),
]

# Parameters that count something: scikit-learn takes True as 1.
COUNTS = ("hidden_layer_sizes", "batch_size", "max_iter", "max_fun", "n_iter_no_change")

PAIRS = [
    (name, parameter)
    for name in ("MLPClassifier", "MLPRegressor")
    for parameter in getattr(fastbp, name)().get_params()
    if parameter in getattr(reference, name)().get_params()
]


# Values that scikit-learn does not have.
ADDED = ("adamw", "elu", "gelu", "leaky_relu", "mish", "selu", "silu", "softplus")


def _verdict(error, check, *args):
    """Return the message of an error, scikit-learn's options in alphabetical order; None if there is no error."""
    try:
        check(*args)
    except error as raised:
        message = re.sub(rf"'({'|'.join(ADDED)})'(, )?", "", str(raised)).replace(", }", "}")
        return re.sub(r"\{(.*?)\}", lambda found: str(sorted(found[1].split(", "))), message, count=1)
    return None


@pytest.mark.parametrize(("name", "parameter"), PAIRS)
def test_decisions_and_messages_are_scikit_learns(name, parameter):
    ref, comp = getattr(reference, name), getattr(fastbp, name)
    verdicts = []
    for value in LATTICE:
        expected = _verdict(
            InvalidForScikitLearn, validate_parameter_constraints, ref._parameter_constraints, {parameter: value}, name
        )
        if value is True and parameter in COUNTS:
            expected = _verdict(
                InvalidForScikitLearn, validate_parameter_constraints, ref._parameter_constraints, {parameter: 0}, name
            ).replace("Got 0 instead", "Got True instead")
        model = comp(**{parameter: value})
        got = _verdict(InvalidParameterError, check_parameters, model, model._parameter_rules)
        assert got == expected, value
        verdicts.append(got is None)
    assert any(verdicts)
    assert not all(verdicts)


def test_errors_are_of_both_kinds_that_scikit_learns_are():
    assert InvalidParameterError.__bases__ == InvalidForScikitLearn.__bases__ == (ValueError, TypeError)


@pytest.mark.parametrize("value", [0, -2, 1.0, "all", True, None, -1, 1, np.int64(3)])
def test_n_jobs(value):
    model = fastbp.MLPRegressor(n_jobs=value)
    message = _verdict(InvalidParameterError, check_parameters, model, model._parameter_rules)
    accepted = value is None or (value in (-1, 1, 3) and not isinstance(value, float | bool))
    expected = (
        "The 'n_jobs' parameter of MLPRegressor must be an int in the range [1, inf), an int among ['-1'] or None. "
        f"Got {value!r} instead."
    )
    assert message == (None if accepted else expected)


@pytest.mark.parametrize("parameter", [*COUNTS, "n_jobs"])
def test_booleans_are_not_counts(parameter, small_data):
    for value in (True, False):
        model = fastbp.MLPRegressor(**{parameter: value})
        with pytest.raises(InvalidParameterError, match=rf"{parameter!r} .* an int .* Got {value} instead"):
            model.fit(*small_data("regression"))
    if parameter == "hidden_layer_sizes":
        with pytest.raises(TypeError, match=r"hidden_layer_sizes must contain integers, got \[3, True\]"):
            model.set_params(hidden_layer_sizes=(3, True)).fit(*small_data("regression"))


def test_a_number_that_is_none_of_pythons_is_compared_as_one():
    """scikit-learn asks NumPy whether a fraction is NaN, and fails."""
    model = fastbp.MLPRegressor(alpha=Fraction(1, 2))
    check_parameters(model, model._parameter_rules)
    model.set_params(alpha=Fraction(-1, 2))
    with pytest.raises(InvalidParameterError, match=re.escape("Got Fraction(-1, 2) instead")):
        check_parameters(model, model._parameter_rules)


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_every_parameter_has_rules_in_the_order_of_the_signature(name):
    model = getattr(fastbp, name)()
    assert sorted(model._parameter_rules) == sorted(model.get_params())


def test_checks_come_with_the_training_and_not_before(small_data):
    X, y = small_data("regression")
    model = clone(fastbp.MLPRegressor(alpha=-1)).set_params(tol=-1)
    assert model.get_params()["alpha"] == -1
    for method in (model.fit, model.partial_fit):
        with pytest.raises(InvalidParameterError, match=r"^The 'alpha' parameter of MLPRegressor must be a float"):
            method(X, y)


def test_checks_can_be_switched_off_and_are_for_what_fit_calls(small_data):
    X, y = small_data("regression")
    seen = []

    class Spy(fastbp.MLPRegressor):
        def _encode(self, y, dtype, *, incremental):
            seen.append(get_config()["skip_parameter_validation"])
            return super()._encode(y, dtype, incremental=incremental)

    model = Spy(verbose=-1, n_iter_no_change=1, tol=1e9)
    with pytest.raises(InvalidParameterError, match="parameter of Spy"):
        model.fit(X, y)
    assert seen == []
    with config_context(skip_parameter_validation=True):
        model.set_params(verbose=0).fit(X, y)
        model.set_params(max_fun=-1).fit(X, y)
    model.set_params(max_fun=1).fit(X, y)
    assert seen == [True] * 3
    assert not get_config()["skip_parameter_validation"]


def test_parameters_of_a_fitted_estimator_are_not_checked_again_by_partial_fit(small_data):
    X, y = small_data("regression")
    fitted = [kind().partial_fit(X, y) for kind in (reference.MLPRegressor, fastbp.MLPRegressor)]
    for model in fitted:
        model.set_params(max_fun=-1).partial_fit(X, y)
        with pytest.raises(ValueError, match="The 'max_fun' parameter of MLPRegressor"):
            model.fit(X, y)
