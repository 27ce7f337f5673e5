"""Digests of the results of 40 trainings, to compare two versions of the package bit by bit on one machine.

    python -m benchmarks.digests

Run it with the sources of two versions in `PYTHONPATH`: the lines that are the same stand for the same results.
"""

import hashlib
import warnings
from itertools import product

import numpy as np
import scipy.sparse

from fastbp import MLP, SGD, Adam, MLPClassifier, MLPRegressor

ACTIVATIONS, SOLVERS = ("relu", "tanh", "logistic", "identity"), ("adam", "sgd", "lbfgs")


def samples(dtype, *, sparse):
    """Return samples, classes, two label columns, values and counts."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((500, 37)) * (rng.random((500, 37)) < 0.3 if sparse else 1.0)
    classes = (x[:, :5].sum(axis=1) * 1.5).astype(int) % 4
    values = np.sin(x[:, 0]) + x[:, 1] * x[:, 2] + 0.1 * rng.standard_normal(500)
    x = x.astype(dtype)
    return scipy.sparse.csr_matrix(x) if sparse else x, classes, np.stack([classes > 1, classes % 2 == 1], 1), values


def digest(*arrays):
    """Return a hash of arrays, bit by bit."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()[:16]


def fitted(model, x, y):
    """Return the digest of a fitted estimator."""
    model.fit(x, y)
    more = [model.predict_proba(x)] if hasattr(model, "predict_proba") else []
    return digest(*model.coefs_, *model.intercepts_, model.predict(x), model.predict(x[:7]), *more)


def estimators():
    """Yield the names and digests of 32 estimators."""
    for number, (activation, solver, dtype) in enumerate(product(ACTIVATIONS, SOLVERS, (np.float32, np.float64))):
        x, classes, labels, values = samples(dtype, sparse=number % 3 == 1)
        kind = MLPRegressor if number % 4 == 1 else MLPClassifier
        model = kind(activation=activation, solver=solver, max_iter=7, random_state=3, n_jobs=1 + number % 2)
        model.set_params(hidden_layer_sizes=[(50,), (33, 17), ()][number % 3], alpha=[0.0, 1e-3, 0.5][number % 3])
        model.set_params(nesterovs_momentum=number % 4 < 2, batch_size=[1, 64, 200][(number + 1) % 3])
        target = [classes, values, labels, classes > 1][number % 4]
        yield f"{kind.__name__} {activation} {solver} {np.dtype(dtype)} {number}", fitted(model, x, target)
    for number, dtype in enumerate((np.float32, np.float64) * 4):
        x, _, _, values = samples(dtype, sparse=False)
        y = np.abs(values) if number % 4 < 2 else np.stack([values, -values], 1)
        loss = "poisson" if number % 4 < 2 else "squared_error"
        model = MLPRegressor(loss=loss, hidden_layer_sizes=(40, 24), max_iter=6, random_state=number, n_jobs=2)
        model.set_params(early_stopping=number < 4, learning_rate="adaptive" if number % 2 else "invscaling")
        model.set_params(learning_rate_init=0.003, solver="sgd" if number < 2 else "adam")
        yield f"MLPRegressor {loss} {np.dtype(dtype)} early_stopping={number < 4} {number}", fitted(model, x, y)


def networks():
    """Yield the names and digests of 8 networks without scikit-learn."""
    for number, (activation, dtype) in enumerate(product(ACTIVATIONS, ("float32", "float64"))):
        x, classes, labels, _ = samples(dtype, sparse=False)
        loss = "log_loss" if number % 2 else "binary_log_loss"
        net = MLP((37, 64, 20, 4 if number % 2 else 2), activation=activation, loss=loss, dtype=dtype, seed=number)
        optimizer = Adam(0.002) if number % 3 else SGD(0.05, momentum=0.8, nesterov=number % 2 == 0)
        weight = np.linspace(0.0, 2.0, len(x)) if number % 3 == 2 else None
        y = classes if number % 2 else labels.astype(dtype)
        options = {"optimizer": optimizer, "weight_decay": 1e-3, "sample_weight": weight, "n_threads": 1 + number % 2}
        net.fit(x, y, epochs=5, batch_size=3000 if number == 7 else 70, **options).partial_fit(x, y)
        yield (
            f"MLP {activation} {loss} {dtype} {number}",
            digest(*net.weights, *net.biases, net.predict(x), net.predict(x[:3])),
        )


def main():
    """Print the digests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, value in [*estimators(), *networks()]:
            print(f"{value}  {name}")


if __name__ == "__main__":
    main()
