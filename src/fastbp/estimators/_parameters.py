"""Allowed values of the estimators' parameters: the rules and messages of scikit-learn 1.9."""

import math
import operator
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse

from fastbp.kernels.functions.activations import HIDDEN
from fastbp.kernels.functions.losses import LOSSES
from fastbp.kernels.functions.optimizers import OPTIMIZERS

__all__ = ["LOSS_RULES", "PARAMETERS", "InvalidParameterError", "Rules", "check_parameters", "constraints"]


class InvalidParameterError(ValueError, TypeError):
    """A parameter of an estimator has a wrong type or value.

    A ValueError and a TypeError, as scikit-learn's own error is: that one is private.
    """


class _Rule(NamedTuple):
    """An allowed kind of value; `form` is its entry in scikit-learn's `_parameter_constraints`."""

    accepts: Callable[[Any], bool]
    text: str
    form: Any


def _type_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _instance(kind: type) -> _Rule:
    return _Rule(lambda value: isinstance(value, kind), f"an instance of {_type_name(kind)!r}", kind)


def _integer(low: int, high: float = math.inf, *, bools: bool = True) -> _Rule:
    """Return the rule for integers from `low` to `high`, True and False among them if `bools`."""

    def accepts(value: Any) -> bool:
        return isinstance(value, Integral) and low <= int(value) <= high and (bools or not isinstance(value, bool))

    return _Rule(accepts, f"an int in the range [{low}, {high}{')' if high == math.inf else ']'}", Integral)


def _real(brackets: str, low: float, high: float = math.inf) -> _Rule:
    """Return the rule for numbers between `low` and `high`, each included if its bracket is a square one."""
    above = operator.ge if brackets[0] == "[" else operator.gt
    below = operator.le if brackets[1] == "]" else operator.lt

    def accepts(value: Any) -> bool:
        # NaN compares as false, and so is outside of every range.
        return isinstance(value, Real) and above(value, low) and below(value, high)

    return _Rule(accepts, f"a float in the range {brackets[0]}{float(low)}, {float(high)}{brackets[1]}", Real)


def _among(kind: type, name: str, *options: Any) -> _Rule:
    text = f"{name} among {{{', '.join(map(repr, options))}}}"
    return _Rule(lambda value: isinstance(value, kind) and value in options, text, kind)


def _strings(*options: str) -> _Rule:
    return _among(str, "a str", *options)


def _is_array_like(value: Any) -> bool:
    likely = any(hasattr(value, name) for name in ("__len__", "shape", "__array__"))
    return likely and not issparse(value) and not np.isscalar(value)


# Booleans are refused, though scikit-learn takes True as 1.
_COUNT = _integer(1, bools=False)
_ARRAY_LIKE = _Rule(_is_array_like, "an array-like", "array-like")
_NONE = _Rule(lambda value: value is None, "None", None)
_BOOLEAN = (_instance(bool), _instance(np.bool_))

LOSS_RULES = (_strings(*(name for name, record in LOSSES.items() if record.for_values)),)

Rules = Mapping[str, tuple[_Rule, ...]]

PARAMETERS: Rules = {
    "hidden_layer_sizes": (_ARRAY_LIKE, _COUNT),
    "activation": (_strings(*HIDDEN),),
    "solver": (_strings("lbfgs", *OPTIMIZERS),),
    "alpha": (_real("[)", 0),),
    "batch_size": (_strings("auto"), _COUNT),
    "learning_rate": (_strings("constant", "invscaling", "adaptive"),),
    "learning_rate_init": (_real("()", 0),),
    "power_t": (_real("[)", 0),),
    "max_iter": (_COUNT,),
    "shuffle": _BOOLEAN,
    "random_state": (_integer(0, 2**32 - 1), _instance(np.random.RandomState), _NONE),
    "tol": (_real("[)", 0),),
    "verbose": (_integer(0), *_BOOLEAN),
    "warm_start": _BOOLEAN,
    "momentum": (_real("[]", 0, 1),),
    "nesterovs_momentum": _BOOLEAN,
    "early_stopping": _BOOLEAN,
    "validation_fraction": (_real("[)", 0, 1),),
    "beta_1": (_real("[)", 0, 1),),
    "beta_2": (_real("[)", 0, 1),),
    "epsilon": (_real("()", 0),),
    "n_iter_no_change": (_COUNT, _among(Real, "a float", math.inf)),
    "max_fun": (_COUNT,),
    "weight_decay": (_real("[)", 0),),
    "n_jobs": (_COUNT, _among(Integral, "an int", -1), _NONE),
}


def constraints(rules: Rules) -> dict[str, list]:
    """Return what an estimator has as ``_parameter_constraints``, for scikit-learn's own tests of parameters."""
    return {name: [rule.form for rule in allowed] for name, allowed in rules.items()}


def _one_of(rules: tuple[_Rule, ...]) -> str:
    *first, last = (rule.text for rule in rules)
    return f"{', '.join(first)} or {last}" if first else last


def check_parameters(estimator: Any, rules: Rules) -> None:
    """Raise if a parameter has a value that is not allowed.

    Parameters
    ----------
    estimator : estimator [read]
        Has the parameters as attributes.
    rules : mapping of str to tuple of rules
        What each of them may be.

    Raises
    ------
    InvalidParameterError
        With the name and the value of the first parameter that is wrong, and what it must be.
    """
    for name, allowed in rules.items():
        value = getattr(estimator, name)
        if not any(rule.accepts(value) for rule in allowed):
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(estimator).__name__} must be {_one_of(allowed)}. "
                f"Got {value!r} instead."
            )
