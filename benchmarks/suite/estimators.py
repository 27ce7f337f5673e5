"""The estimators on digits, in float64 (the default), and compared with scikit-learn's.

Ratios are costs: below 1, fastbp is faster.
"""

import warnings
from functools import cache

import numpy as np
import sklearn.neural_network
from sklearn.datasets import load_digits

import fastbp
import refbp
from benchmarks.common import Workload, seconds
from benchmarks.peers import check

from . import CHECKED
from .common import median_ratio

_SETTINGS = {"hidden_layer_sizes": (100,), "batch_size": 200, "max_iter": 10, "random_state": 0}


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    return x / 16, y


class _Estimator:
    repeat = (5, 10, 0.3)
    warmup_time = 0.05
    rounds = 2
    name = loss = ""

    def setup(self):
        warnings.simplefilter("ignore")  # ten epochs do not converge
        self.x, self.y = _digits()
        self.ours = getattr(fastbp, self.name)(**_SETTINGS).fit(self.x, self.y)

    def check(self):
        """Compile; raise unless the losses of epochs and the predictions equal those of refbp up to rounding."""
        if CHECKED:
            return
        self.setup()
        targets = self.y[:, None].astype(float) if self.loss == "squared_error" else np.eye(10)[self.y]
        sizes = (self.x.shape[1], *_SETTINGS["hidden_layer_sizes"], targets.shape[1])
        rng = np.random.RandomState(_SETTINGS["random_state"])
        weights, biases = refbp.initialize(sizes, "relu", rng)
        history = refbp.History()
        refbp.train(
            weights,
            biases,
            refbp.Adam(),
            self.x,
            targets,
            activation="relu",
            loss=self.loss,
            weight_decay=1e-4,
            batch_size=_SETTINGS["batch_size"],
            max_epochs=_SETTINGS["max_iter"],
            rng=rng,
            history=history,
        )
        workload = Workload(sizes, _SETTINGS["batch_size"])
        if not check.agree(self.ours.loss_curve_, history.loss_curve, workload, self.x.dtype.name):
            raise AssertionError(f"fastbp has the losses {self.ours.loss_curve_}, refbp has {history.loss_curve}")
        mine = ([p.astype(np.float64) for p in params] for params in (self.ours.coefs_, self.ours.intercepts_))
        output = "softmax" if self.loss == "log_loss" else "identity"
        exact = refbp.predict(*mine, self.x, activation="relu", output=output)
        tolerance = sum(sizes) * np.finfo(self.x.dtype).eps * abs(exact).max()
        np.testing.assert_allclose(np.reshape(self.outputs(), exact.shape), exact, rtol=0, atol=tolerance)

    def fit(self, module):
        """Fit an estimator of fastbp's or scikit-learn's."""
        getattr(module, self.name)(**_SETTINGS).fit(self.x, self.y)

    def fit_seconds(self, module):
        """Time it."""
        return seconds(lambda: self.fit(module))


class Classifier(_Estimator):
    """MLPClassifier, 64-100-10."""

    name, loss = "MLPClassifier", "log_loss"

    def setup_cache(self):
        self.check()

    def outputs(self):
        """Probabilities of all rows."""
        return self.ours.predict_proba(self.x)

    def time_fit(self):
        self.fit(fastbp)

    def time_predict(self):
        self.outputs()

    def track_fit_over_sklearn(self):
        """Median of the ratios of times, pair by pair."""
        return median_ratio(lambda: self.fit_seconds(fastbp), lambda: self.fit_seconds(sklearn.neural_network))

    track_fit_over_sklearn.unit = "times scikit-learn's time"

    def track_predict_over_sklearn(self):
        """The same for probabilities; both have the same weights."""
        theirs = sklearn.neural_network.MLPClassifier(**_SETTINGS).fit(self.x, self.y)
        theirs.coefs_, theirs.intercepts_ = self.ours.coefs_, self.ours.intercepts_
        return median_ratio(lambda: seconds(self.outputs), lambda: seconds(lambda: theirs.predict_proba(self.x)))

    track_predict_over_sklearn.unit = "times scikit-learn's time"


class Regressor(_Estimator):
    """MLPRegressor, 64-100-1."""

    name, loss = "MLPRegressor", "squared_error"

    def setup_cache(self):
        self.check()

    def outputs(self):
        """Values of all rows."""
        return self.ours.predict(self.x)

    def time_fit(self):
        self.fit(fastbp)
