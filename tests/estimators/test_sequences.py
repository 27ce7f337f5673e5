"""Random sequences of operations on scikit-learn's estimator (ref) and fastbp's (comp): nothing tells them apart.

Parameters, data and operations follow from a seed. After each operation the two have given the same results, or errors
of the same kind in the same words, and the same warnings; their attributes have the same names, types and values; and
their generators of random numbers stand at the same place. What docs/deviations.md lists is left out.
"""

import copy
import pickle
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.neural_network
from sklearn.base import clone

import fastbp
from fastbp.estimators import _base, _stochastic
from fastbp.training.fit import History

pytestmark = pytest.mark.skipif(
    tuple(int(part) for part in sklearn.__version__.split(".")[:2]) < (1, 9),
    reason="the words and numbers are those of scikit-learn 1.9",
)

SEQUENCES, BLOCKS = 480, 6
CLASSIFICATION = ("binary", "multiclass", "multilabel")
KINDS = (*CLASSIFICATION, "regression", "multioutput", "poisson")
PARAMETERS = {
    "hidden_layer_sizes": [(3,), (4, 2), 5, (), (2, 2, 2, 2), np.array([33])],
    "activation": ["relu", "tanh", "logistic", "identity"],
    "solver": ["adam", "adam", "sgd", "sgd", "lbfgs"],
    "alpha": [1e-4, 0, 0.1, np.float32(0.5)],
    "batch_size": ["auto", 1, 3, np.int32(7), 1000],
    "learning_rate": ["constant", "invscaling", "adaptive"],
    "learning_rate_init": [0.001, 0.01],
    "max_iter": [1, 2, 4],
    "shuffle": [True, True, False],
    "tol": [1e-4, 0, 0.5, 10.0],
    "momentum": [0.9, 0, 0.5],
    "nesterovs_momentum": [True, False],
    "beta_1": [0.9, 0.5],
    "beta_2": [0.999, 0.5],
    "n_iter_no_change": [10, 1, np.inf],
    "max_fun": [15000, 3],
    "validation_fraction": [0.1, 0.4],
}
# Parameters that may be changed between calls without meeting a defect of scikit-learn that is fixed here.
CHANGEABLE = ("alpha", "batch_size", "learning_rate_init", "max_iter", "tol", "momentum", "n_iter_no_change", "max_fun")
BAD = {"alpha": -1, "max_iter": 0.5, "hidden_layer_sizes": (3, 0), "tol": np.nan, "n_iter_no_change": 0}

WRONG = {
    "nan": lambda x, y, rng: (np.where(np.arange(len(x))[:, None] == 2, np.nan, x), y, {}),
    "flat": lambda x, y, rng: (x[:, 0], y, {}),
    "short": lambda x, y, rng: (x, y[:-1], {}),
    "weights": lambda x, y, rng: (
        x,
        y,
        {"sample_weight": drawn(rng, [np.ones(6), np.zeros(5), np.full(5, np.nan), np.ones((5, 1))])},
    ),
}


def messy(x, rng):
    """Return a sparse matrix with unsorted rows, and elements that are zero or in two parts."""
    coo = sp.coo_array(x)
    parts = rng.choice([0.25, 1.0], coo.data.size)
    row, col = np.r_[coo.row, coo.row, 0], np.r_[coo.col, coo.col, 0]
    data = np.r_[coo.data * parts, coo.data * (1 - parts), 0.0]
    order = np.argsort(row, kind="stable")
    order = np.concatenate([rng.permutation(order[row[order] == i]) for i in range(len(x))])
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(x)))])
    return sp.csr_array((data[order], col[order], starts), shape=x.shape)


FORMATS = {
    "rows": lambda x, rng: x,
    "columns": lambda x, rng: np.asfortranarray(x),
    "strided": lambda x, rng: np.repeat(x, 3, axis=1)[:, ::3],
    "backwards": lambda x, rng: np.ascontiguousarray(x[::-1])[::-1],
    "integers": lambda x, rng: np.round(3 * x).astype(int),
    "list": lambda x, rng: x.tolist(),
    "big-endian": lambda x, rng: x.astype(">f8"),
    "frame": lambda x, rng: pd.DataFrame(x, columns=[f"f{i}" for i in range(x.shape[1])]),
    "csr": lambda x, rng: sp.csr_array(x),
    "csc": lambda x, rng: sp.csc_matrix(x),
    "coo": lambda x, rng: sp.coo_array(x),
    "messy": messy,
    "messy csc": lambda x, rng: sp.csc_array(messy(x, rng)),
}


def drawn(rng, options):
    """Return one of some options, as it is: NumPy's choice would make arrays of them."""
    return options[rng.randint(len(options))]


def outcome(function, *args, **kwargs):
    """Return the value, the error, the warnings and the position of NumPy's own generator."""
    np.random.mtrand._rand.seed(99)  # what random_state=None uses
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value, error = function(*copy.deepcopy(args), **copy.deepcopy(kwargs)), None
        except (ValueError, TypeError, AttributeError, IndexError) as e:
            value, error = None, e
    told = [(w.category, str(w.message)) for w in caught if w.category is not RuntimeWarning]
    return value, error, told, position(np.random.mtrand._rand)


def position(rng):
    """Return where a generator stands."""
    _, key, *rest = rng.get_state()
    return key.tobytes(), *rest


def words(error):
    """Return the text of an error without what may differ: the name of the argument, and the order of options."""
    text = re.sub(r"^(X|y|sample_weight): ", "", str(error))
    return re.sub(r"\{('[^}]*)\}", lambda options: str(sorted(options[1].split(", "))), text)


class Sequence:
    """A pair of estimators, their data, and operations on both."""

    def __init__(self, seed):
        rng = self.rng = np.random.RandomState(seed)
        self.kind = drawn(rng, KINDS)
        self.p = drawn(rng, [1, 2, 6, 30])
        self.n = drawn(rng, [1, 2, 5, 12, 12, 43, 43, 210])
        self.map = rng.standard_normal((self.p, 4))
        labels = [["no", "yes"], [-1, 1], [False, True]] if self.kind == "binary" else [list("abcd"), [5, 6, 7, 9]]
        self.labels = np.array(drawn(rng, labels))
        params = {name: drawn(rng, values) for name, values in PARAMETERS.items() if rng.rand() < 0.5}
        params.update(hidden_layer_sizes=drawn(rng, PARAMETERS["hidden_layer_sizes"]), max_iter=drawn(rng, [1, 2, 4]))
        if params.get("solver") != "lbfgs":
            params |= drawn(rng, [{}, {"warm_start": True}, {"early_stopping": True}])
        if self.kind == "poisson":
            params["loss"] = "poisson"
        seeds = [lambda: 3, lambda: None, lambda: np.random.RandomState(seed)]
        self.seeds = drawn(rng, seeds)
        name = "MLPClassifier" if self.kind in CLASSIFICATION else "MLPRegressor"
        self.ref, self.comp = (
            getattr(library, name)(**params, random_state=self.seeds()) for library in (sklearn.neural_network, fastbp)
        )
        # Pickles made after `fit` do not hold the moments that `partial_fit` would use.
        self.resumable = True
        self.log = [f"seed {seed}: {self.kind} n={self.n} p={self.p} {params}"]

    def go(self):
        """Run some operations; an AssertionError tells which."""
        operations = [
            self.fit,
            self.fit,
            self.partial_fit,
            self.change,
            self.predict,
            self.predict,
            self.live,
            self.err,
        ]
        try:
            for _ in range(self.rng.randint(3, 9)):
                drawn(self.rng, operations)()
        except AssertionError as error:
            raise AssertionError("\n".join([*self.log, str(error)])) from error

    def data(self):
        """Return samples of any format, their targets, and keyword arguments with weights or none."""
        rng = self.rng
        n = drawn(rng, [self.n, self.n, 4])
        x = rng.standard_normal((n, self.p)) * (rng.rand(n, self.p) < drawn(rng, [0.3, 1]))
        signal = x @ self.map + 0.1 * rng.standard_normal((n, 4))
        if self.kind == "binary":
            y = self.labels[(signal[:, 0] > 0).astype(int)]
        elif self.kind == "multiclass":
            y = self.labels[(signal.argmax(axis=1) + np.arange(n)) % 4]
        elif self.kind == "multilabel":
            y = (signal[:, :3] > 0).astype(int)
            y = drawn(rng, [y, y.astype(bool), sp.csr_array(y)])
        elif self.kind == "poisson":
            y = rng.poisson(np.exp(np.clip(signal[:, 0], -3, 2)))
        else:
            y = signal[:, 0] if self.kind == "regression" else signal[:, :3]
        if y.ndim == 1:
            y = drawn(rng, [y, y.tolist(), y[:, None], pd.Series(y)])
        weights = drawn(rng, [None, None, rng.uniform(0.1, 3, n), rng.randint(1, 4, n), [1.5] * n, 2])
        form = drawn(rng, list(FORMATS))
        self.log.append(f"  {form} n={n} {type(y).__name__} weights={type(weights).__name__}")
        return FORMATS[form](x, rng), y, {} if weights is None else {"sample_weight": weights}

    def both(self, method, *args, **kwargs):
        """Call a method of both and compare the results; returns scikit-learn's and fastbp's value, or None."""
        self.log.append(f"{method} {sorted(kwargs)}")
        before = copy.deepcopy(vars(self.ref))
        (ref, ref_error, *ref_rest), (comp, comp_error, *comp_rest) = (
            outcome(lambda *a, m=model, **k: getattr(m, method)(*a, **k), *args, **kwargs)
            for model in (self.ref, self.comp)
        )
        assert (comp_error is None) == (ref_error is None), f"{ref_error!r} {comp_error!r}"
        if ref_error is None:
            assert comp_rest == ref_rest
            return ref, comp
        assert type(comp_error).__name__ == type(ref_error).__name__, f"{ref_error!r} {comp_error!r}"
        assert words(comp_error) == words(ref_error)
        # scikit-learn's is half changed.
        vars(self.ref).clear()
        vars(self.ref).update(before)
        for model in (self.ref, self.comp):
            model.random_state = self.seeds()
        self.compare()
        return None

    def fit(self):
        x, y, kwargs = self.data()
        if self.both("fit", x, y, **kwargs) is not None:
            self.resumable = self.ref.warm_start
        self.compare()

    def _may_go_on(self):
        """Whether `partial_fit` is there: scikit-learn offers it to a regressor with "lbfgs", too, by mistake."""
        return self.kind in CLASSIFICATION or self.ref.solver != "lbfgs"

    def partial_fit(self):
        x, y, kwargs = self.data()
        if not self._may_go_on():
            return
        if self.kind in CLASSIFICATION and (not hasattr(self.ref, "classes_") or self.rng.rand() < 0.2):
            kwargs["classes"] = [0, 1, 2] if self.kind == "multilabel" else self.labels
        if self.both("partial_fit", x, y, **kwargs) is not None:
            self.resumable = True
        self.compare()

    def change(self):
        name = drawn(self.rng, CHANGEABLE)
        value = drawn(self.rng, PARAMETERS[name])
        self.log.append(f"{name}={value}")
        for model in (self.ref, self.comp):
            model.set_params(**{name: value})

    def predict(self):
        x, y, kwargs = self.data()
        methods = ["predict", "score"] + ["predict_proba"] * (self.kind in CLASSIFICATION)
        for method in methods:
            values = self.both(method, x, y, **kwargs) if method == "score" else self.both(method, x)
            if values is None:
                return
            ref, comp = values
            assert type(comp) is type(ref)
            if sp.issparse(ref):
                ref, comp = ref.toarray(), comp.toarray()
            assert (np.shape(comp), np.asarray(comp).dtype) == (np.shape(ref), np.asarray(ref).dtype)
            if np.asarray(ref).dtype.kind == "f":
                np.testing.assert_allclose(comp, ref, rtol=1e-9, atol=1e-9)
            else:
                np.testing.assert_array_equal(comp, ref)

    def live(self):
        """Go on with copies."""
        ways = [copy.deepcopy, copy.copy, clone]
        if self.resumable:
            ways.append(lambda model: pickle.loads(pickle.dumps(model)))
        way = drawn(self.rng, ways)
        self.log.append(str(way))
        self.ref, self.comp = way(self.ref), way(self.comp)
        self.resumable = self.resumable or way is clone
        if way is clone:
            for model in (self.ref, self.comp):
                model.random_state = self.seeds()
        self.compare()

    def err(self):
        """Do something wrong."""
        # Labels that are known: of two errors, either may come first.
        x, y = np.ones((5, self.p)), np.resize(getattr(self.ref, "classes_", self.labels), 5)
        if self.kind not in ("binary", "multiclass"):
            y = np.ones((5, 3)) if self.kind in ("multilabel", "multioutput") else np.arange(5.0)
        wrong = drawn(self.rng, [*WRONG, "parameter", "wide", "classes"])
        method = drawn(self.rng, ["fit", "partial_fit"]) if self._may_go_on() else "fit"
        self.log.append(wrong)
        if wrong in WRONG:
            x, y, kwargs = WRONG[wrong](x, y, self.rng)
            self.both(method, x, y, **kwargs)
        elif wrong == "parameter":
            self._fit_with_bad_parameter(x, y)
        elif wrong == "wide" and hasattr(self.ref, "coefs_"):
            self.both("predict", np.ones((5, self.p + 1)))
        elif wrong == "classes" and self.kind in CLASSIFICATION:
            self.both("partial_fit", x, y, classes=["some", "thing"])

    def _fit_with_bad_parameter(self, x, y):
        name = drawn(self.rng, list(BAD))
        before = getattr(self.ref, name)
        for model in (self.ref, self.comp):
            model.set_params(**{name: BAD[name]})
        self.both("fit", x, y)
        for model in (self.ref, self.comp):
            model.set_params(**{name: before})

    def compare(self):
        """Compare attributes and generators."""
        ref, comp = self.ref, self.comp
        if isinstance(ref.random_state, np.random.RandomState):
            assert position(comp.random_state) == position(ref.random_state)
        fitted = {name for name in vars(ref) if name.endswith("_")}
        assert {name for name in vars(comp) if name.endswith("_")} == fitted
        for name in sorted(fitted):
            a, b = getattr(ref, name), getattr(comp, name)
            assert type(b) is type(a), name
            if name in ("coefs_", "intercepts_"):
                scale = max(np.abs(p).max() for p in (*ref.coefs_, *ref.intercepts_))
                assert [(q.shape, q.dtype) for q in b] == [(p.shape, p.dtype) for p in a]
                assert max(np.abs(p - q).max() for p, q in zip(a, b, strict=True)) <= 1e-9 * scale, name
            elif a is None or isinstance(a, int | str):
                assert b == a, name
            elif name in ("classes_", "feature_names_in_"):
                np.testing.assert_array_equal(b, a)
                assert b.dtype == a.dtype
            else:
                np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9, err_msg=name)
        assert getattr(comp, "_no_improvement_count", None) == getattr(ref, "_no_improvement_count", None)


def _run(seeds):
    for seed in seeds:
        Sequence(seed).go()


@pytest.mark.parametrize("block", range(BLOCKS))
def test_sequences(block):
    _run(range(block, SEQUENCES, BLOCKS))


def _short_of_a_sample(self, loss, n_samples, record=History.record):
    record(self, loss, n_samples - 1)


FAULTS = {
    "samples counted wrongly": (History, "record", _short_of_a_sample),
    "moments that are forgotten": (_stochastic, "copy", SimpleNamespace(deepcopy=lambda thing: type(thing)())),
    "a batch that is too small": (_stochastic, "_rows_per_batch", lambda size, n: max(1, min(200, n) - 1)),
    "no warning": (_stochastic, "warn_caller", lambda message, category: None),
    "weights that are not checked": (_base, "check_sample_weight", lambda weights, n: weights),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_noticed(fault, monkeypatch):
    monkeypatch.setattr(*FAULTS[fault])
    with pytest.raises(AssertionError, match="seed"):
        _run(range(SEQUENCES))
